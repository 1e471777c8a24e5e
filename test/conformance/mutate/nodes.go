// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package mutate

import (
	"strconv"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// nodeKinds change the configuration of nodes.
var nodeKinds = []Kind{
	{"node-standby", func(s *state) string { return s.nodeAttr("standby", s.oneOf("on", "off", "true", "false", "yes")) }},
	{"node-maintenance", func(s *state) string { return s.nodeAttr("maintenance", s.oneOf("true", "false", "on")) }},
	{"node-attribute", func(s *state) string { return s.nodeAttr(s.attrName(), s.attrValue()) }},
	{"node-attribute-removed", func(s *state) string {
		return s.dropPair(pick(s, children(s.nodes, "node")), "instance_attributes")
	}},
	{"node-utilization", func(s *state) string {
		if n := pick(s, children(s.nodes, "node")); n != nil {
			return s.setPair(n, "utilization", s.oneOf("cpu", "memory", "size"), s.oneOf("0", "1", "2", "4", "10", "1000", "-1"))
		}
		return ""
	}},
	{"node-health", func(s *state) string {
		value := s.oneOf("red", "yellow", "green", "-INFINITY", "100", "-50", "purple")
		if s.chance(50) {
			return s.transient("#health-"+s.oneOf("disk", "cpu"), value)
		}
		return s.nodeAttr("#health-"+s.oneOf("disk", "cpu"), value)
	}},
	{"node-no-discovery", func(s *state) string { return s.nodeAttr("resource-discovery-enabled", s.oneOf("false", "true", "0")) }},
	{"node-removed", func(s *state) string { return remove(pick(s, children(s.nodes, "node"))) }},
	{"node-added", addNode},
	{"node-type", func(s *state) string {
		n := pick(s, children(s.nodes, "node"))
		if n == nil {
			return ""
		}
		document.Set(n, "type", s.oneOf("member", "remote", "ping"))
		return document.Get(n, "uname") + " " + document.Get(n, "type")
	}},
	{"node-score", func(s *state) string {
		n := pick(s, children(s.nodes, "node"))
		if n == nil {
			return ""
		}
		document.Set(n, "score", s.score())
		return document.Get(n, "uname") + " " + document.Get(n, "score")
	}},
}

func (s *state) attrName() string {
	return s.oneOf("site", "mut-attr", "pingd", "#site-name", "kind", "site-name", "#kind", "terminate", "cpu")
}

func (s *state) attrValue() string {
	return s.oneOf("1", "0", "true", "false", "a", "b", "1000", "-1", "INFINITY")
}

func (s *state) nodeAttr(name, value string) string {
	n := pick(s, children(s.nodes, "node"))
	if n == nil {
		return ""
	}
	if set := document.Child(n, "instance_attributes"); set == nil {
		document.Add(n, "instance_attributes", "id", s.id())
	}
	return s.setPair(n, "instance_attributes", name, value)
}

// transient sets an attribute that ends with the node's life.
func (s *state) transient(name, value string) string {
	n := pick(s, s.nodeStates())
	if n == nil {
		return ""
	}
	t := document.Child(n, "transient_attributes")
	if t == nil {
		t = document.Add(n, "transient_attributes", "id", document.ID(n))
	}
	s.ensureID(t, "instance_attributes")
	if what := s.setPair(t, "instance_attributes", name, value); what != "" {
		return document.Get(n, "uname") + " " + what
	}
	return ""
}

// addNode makes a new node, which is up or is not.
func addNode(s *state) string {
	id, name := strconv.Itoa(900+s.IntN(90)), "mutnode"+strconv.Itoa(s.IntN(10))
	if document.ChildWith(s.nodes, "node", "uname", name) != nil || document.ChildWith(s.nodes, "node", "id", id) != nil {
		return ""
	}
	document.Add(s.nodes, "node", "id", id, "uname", name)
	switch s.IntN(4) {
	case 0:
	case 1:
		document.Add(s.status, "node_state", "id", id, "uname", name, "in_ccm", "false", "crmd", "offline", "join", "down", "expected", "down")
	default:
		document.Add(s.status, "node_state", "id", id, "uname", name, "in_ccm", "true", "crmd", "online", "join", "member", "expected", "member")
	}
	return name
}

// stateKinds change what is known of nodes' lives.
var stateKinds = []Kind{
	{"node-down", func(s *state) string { return s.setState("false", "offline", "down", "down") }},
	{"node-lost", func(s *state) string { return s.setState("false", "offline", s.oneOf("member", "down"), "member") }},
	{"controller-lost", func(s *state) string { return s.setState("true", "offline", s.oneOf("member", "down"), "member") }},
	{"node-up", func(s *state) string { return s.setState("true", "online", "member", "member") }},
	{"node-pending", func(s *state) string {
		return s.setState("true", "online", s.oneOf("pending", "banned", "nack", ""), s.oneOf("member", "down", "pending"))
	}},
	{"node-times", func(s *state) string {
		up := s.oneOf(s.ago(), "0")
		return s.setState(up, s.oneOf(s.ago(), "0"), s.oneOf("member", "down", "pending"), s.oneOf("member", "down"))
	}},
	{"node-flag", func(s *state) string {
		n := pick(s, s.nodeStates())
		if n == nil {
			return ""
		}
		name := s.oneOf("in_ccm", "crmd", "join", "expected", "shutdown", "node_fenced", "ha")
		value := s.oneOf("true", "false", "online", "offline", "member", "down", "pending", "0", "1", "active", "dead")
		if s.chance(20) {
			document.Unset(n, name)
			return document.Get(n, "uname") + " -" + name
		}
		document.Set(n, name, value)
		return document.Get(n, "uname") + " " + name + "=" + value
	}},
	{"node-state-dropped", func(s *state) string { return remove(pick(s, s.nodeStates())) }},
	{"node-history-dropped", func(s *state) string {
		n := pick(s, s.nodeStates())
		if remove(document.Child(n, "lrm")) == "" {
			return ""
		}
		return document.Get(n, "uname")
	}},
	{"node-attributes-dropped", func(s *state) string {
		if n := pick(s, s.nodeStates()); n != nil {
			return remove(document.Child(n, "transient_attributes"))
		}
		return ""
	}},
	{"node-shutdown", func(s *state) string { return s.transient("shutdown", s.oneOf(s.ago(), s.ago(), "0")) }},
	{"node-standby-now", func(s *state) string { return s.transient("standby", s.oneOf("on", "off")) }},
	{"node-terminate", func(s *state) string { return s.transient("terminate", s.oneOf("true", s.ago(), "0")) }},
	{"node-maintenance-now", func(s *state) string { return s.transient("maintenance", "true") }},
	{"transient-attribute", func(s *state) string { return s.transient(s.attrName(), s.attrValue()) }},
	{"promotion-score", func(s *state) string {
		id := document.ID(pick(s, s.primitives()))
		if s.chance(30) {
			id += ":" + strconv.Itoa(s.IntN(3))
		}
		return s.transient(s.oneOf("master-", "promotable-", "master-")+id, s.score())
	}},
	{"node-unfenced", func(s *state) string { return s.transient("#node-unfenced", s.oneOf(s.ago(), "0")) }},
	{"quorum", func(s *state) string {
		document.Set(s.root, "have-quorum", s.oneOf("0", "1", "true", "false"))
		return document.Get(s.root, "have-quorum")
	}},
	{"dc", func(s *state) string {
		id := document.ID(pick(s, children(s.nodes, "node")))
		if id == "" || id == document.Get(s.root, "dc-uuid") {
			return ""
		}
		document.Set(s.root, "dc-uuid", id)
		return id
	}},
	{"ticket", setTicket},
	{"ticket-dropped", func(s *state) string {
		return remove(pick(s, all(document.Child(s.status, "tickets"), "ticket_state")))
	}},
}

func (s *state) setState(inCCM, crmd, join, expected string) string {
	n := pick(s, s.nodeStates())
	if n == nil {
		return ""
	}
	for _, a := range [][2]string{{"in_ccm", inCCM}, {"crmd", crmd}, {"join", join}, {"expected", expected}} {
		document.Set(n, a[0], a[1])
	}
	return document.Get(n, "uname") + " " + inCCM + "/" + crmd + "/" + join + "/" + expected
}

// ticketIDs are the tickets that constraints and states name.
func (s *state) ticketIDs() []string {
	out := []string{"mut-ticket"}
	for e := range document.All(s.constraints, "rsc_ticket") {
		out = append(out, document.Get(e, "ticket"))
	}
	for e := range document.All(document.Child(s.status, "tickets"), "ticket_state") {
		out = append(out, document.ID(e))
	}
	return out
}

func setTicket(s *state) string {
	id := pick(s, s.ticketIDs())
	list := ensure(s.status, "tickets")
	var t *etree.Element
	if t = document.ChildWith(list, "ticket_state", "id", id); t == nil {
		t = document.Add(list, "ticket_state", "id", id)
	}
	name, value := s.oneOf("granted", "granted", "standby"), s.oneOf("true", "false")
	document.Set(t, name, value)
	if s.chance(50) {
		document.Set(t, "last-granted", s.ago())
	}
	return id + " " + name + "=" + value
}
