// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package mutate

import (
	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// remoteKinds change remote nodes, guests, and how nodes are fenced.
var remoteKinds = []Kind{
	{"guest-made", func(s *state) string {
		r := pick(s, children(s.resources, "primitive"))
		if r == nil || document.Get(r, "type") == "remote" {
			return ""
		}
		return s.setPair(r, "meta_attributes", "remote-node", s.id()+"guest")
	}},
	{"remote-added", func(s *state) string {
		id := s.id() + "remote"
		r := document.Add(s.resources, "primitive", "id", id, "class", "ocf", "provider", "pacemaker", "type", "remote")
		if s.chance(60) {
			ops := document.Add(r, "operations")
			document.Add(ops, "op", "id", s.id(), "name", "monitor", "interval", "20s")
		}
		if s.chance(40) {
			ma := document.Add(r, "meta_attributes", "id", s.id())
			document.Add(ma, "nvpair", "id", s.id(), "name", "reconnect_interval", "value", "60s")
		}
		s.remoteRunning(id)
		return id
	}},
	{"remote-parameter", func(s *state) string {
		for _, r := range s.primitives() {
			if document.Get(r, "type") == "remote" && s.chance(50) {
				return s.setPair(r, "instance_attributes", s.oneOf("reconnect_interval", "server", "port"), s.oneOf("60s", "0", "3121"))
			}
		}
		return ""
	}},
	{"remote-state", func(s *state) string {
		var list []*etree.Element
		for _, n := range s.nodeStates() {
			if document.Get(n, "remote_node") == "true" {
				list = append(list, n)
			}
		}
		n := pick(s, list)
		if n == nil {
			return ""
		}
		name := s.oneOf("in_ccm", "node_fenced", "remote_node", "node_in_maintenance", "crmd")
		value := s.oneOf("true", "false", "1", "0")
		document.Set(n, name, value)
		return document.Get(n, "uname") + " " + name + "=" + value
	}},
	{"fencing-level", func(s *state) string {
		top := ensure(s.config, "fencing-topology")
		l := document.Add(top, "fencing-level", "id", s.id(), "index", s.oneOf("1", "2", "9"), "devices", "mut-device,other")
		switch s.IntN(3) {
		case 0:
			document.Set(l, "target", s.nodeName())
		case 1:
			document.Set(l, "target-pattern", ".*")
		default:
			document.Set(l, "target-attribute", "site")
			document.Set(l, "target-value", "a")
		}
		return string(document.Compact(l))
	}},
}

// remoteRunning gives a remote node's connection a history somewhere.
func (s *state) remoteRunning(id string) {
	n := pick(s, s.nodeStates())
	if n == nil || s.chance(40) {
		return
	}
	h := document.Add(s.historyList(n), "lrm_resource", "id", id, "class", "ocf", "provider", "pacemaker", "type", "remote")
	s.addResult(h, n, s.oneOf("start", "monitor"), 0, s.oneOf("0", "0", "1"), s.oneOf("0", "4"), "40")
	if s.chance(60) {
		document.Add(s.status, "node_state", "id", id, "uname", id, "remote_node", "true", "in_ccm", s.oneOf("true", "false"), "crm-debug-origin", "mutate")
	}
}
