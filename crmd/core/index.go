// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"slices"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// index is what was last seen in the document, as far as changes of it matter.
type index struct {
	nodes  map[string]*nodeIndex // by node uuid
	config string                // digest of the configuration, of snapshots
}

type nodeIndex struct {
	ops   map[opID]string   // the run that a record tells of
	attrs map[string]string // transient attributes
}

type opID struct{ rsc, op string }

// difference is what changed in the status of one node.
type difference struct {
	uuid    string
	ops     []*etree.Element // new or changed records
	rscs    []string         // their resources
	goneOps []opID
	attrs   []string // names of attributes that are new or changed
	noAttrs []string // names of attributes that are gone
}

// scope is the part of the document that a change touches.
type scope struct {
	config, tickets bool
	all             bool     // every node_state
	nodes           []string // uuids
}

// scopeOf reads from a patchset what it touches.
func scopeOf(patch *etree.Element) scope {
	var s scope
	for ch := range document.Children(patch, "change") {
		path := document.Get(ch, "path")
		switch {
		case strings.HasPrefix(path, "/cib/configuration"):
			s.config = true
		case strings.HasPrefix(path, "/cib/status/tickets"):
			s.tickets = true
		case path == "/cib/status" && document.Get(ch, "operation") == "create":
			if ns := document.Child(ch, "node_state"); ns != nil {
				s.nodes = append(s.nodes, document.ID(ns))
			} else {
				s.tickets = true
			}
		case strings.HasPrefix(path, "/cib/status/node_state["):
			if uuid, ok := quoted(path); ok {
				s.nodes = append(s.nodes, uuid)
			} else {
				s.all = true
			}
		case path == "/cib" && document.Get(ch, "operation") == "modify":
			// Versions, quorum and the like.
		default:
			s.all, s.config = true, s.config || !strings.HasPrefix(path, "/cib/status")
		}
	}
	return s
}

// quoted takes the id out of the first […@id='…'] of a path.
func quoted(path string) (string, bool) {
	_, rest, ok := strings.Cut(path, "@id='")
	if !ok {
		return "", false
	}
	id, _, ok := strings.Cut(rest, "'")
	return id, ok
}

// update brings the index up to date within the scope and tells what differs.
func (x *index) update(root *etree.Element, s scope) []difference {
	if x.nodes == nil {
		x.nodes = map[string]*nodeIndex{}
	}
	status := document.Section(root, "status")
	present := map[string]*etree.Element{}
	if status != nil {
		for ns := range document.Children(status, "node_state") {
			present[document.ID(ns)] = ns
		}
	}
	uuids := slices.Clone(s.nodes)
	if s.all {
		uuids = nil
		for uuid := range x.nodes {
			uuids = append(uuids, uuid)
		}
		for uuid := range present {
			uuids = append(uuids, uuid)
		}
	}
	slices.Sort(uuids)
	var list []difference
	for _, uuid := range slices.Compact(uuids) {
		if d, differs := x.updateNode(uuid, present[uuid]); differs {
			list = append(list, d)
		}
	}
	return list
}

func (x *index) updateNode(uuid string, state *etree.Element) (difference, bool) {
	was := x.nodes[uuid]
	if was == nil {
		was = &nodeIndex{}
	}
	is := &nodeIndex{ops: map[opID]string{}, attrs: map[string]string{}}
	d := difference{uuid: uuid}
	if state == nil {
		delete(x.nodes, uuid)
	} else {
		x.nodes[uuid] = is
		for r := range document.All(state, "lrm_resource") {
			rsc := document.ID(r)
			for o := range document.Children(r, "lrm_rsc_op") {
				id := opID{rsc, document.ID(o)}
				is.ops[id] = runOf(o)
				if was.ops[id] != is.ops[id] {
					d.ops, d.rscs = append(d.ops, o), append(d.rscs, rsc)
				}
			}
		}
		for n, v := range transientAttrs(state) {
			is.attrs[n] = v
			if old, had := was.attrs[n]; !had || old != v {
				d.attrs = append(d.attrs, n)
			}
		}
	}
	for id := range was.ops {
		if _, has := is.ops[id]; !has {
			d.goneOps = append(d.goneOps, id)
		}
	}
	for n := range was.attrs {
		if _, has := is.attrs[n]; !has {
			d.noAttrs = append(d.noAttrs, n)
		}
	}
	slices.Sort(d.attrs)
	slices.Sort(d.noAttrs)
	slices.SortFunc(d.goneOps, func(a, b opID) int { return strings.Compare(a.rsc+a.op, b.rsc+b.op) })
	return d, len(d.ops)+len(d.goneOps)+len(d.attrs)+len(d.noAttrs) > 0
}

// runOf names the run that a record tells of.
func runOf(o *etree.Element) string {
	return strings.Join([]string{
		document.Get(o, "transition-magic"), document.Get(o, "call-id"), document.Get(o, "last-rc-change"),
		document.Get(o, "operation_key"),
	}, "|")
}

func transientAttrs(state *etree.Element) map[string]string {
	m := map[string]string{}
	ta := document.Child(state, "transient_attributes")
	if ta == nil {
		return m
	}
	for nv := range document.All(ta, "nvpair") {
		m[document.Get(nv, "name")] = document.Get(nv, "value")
	}
	return m
}

// attr gives a transient attribute of a node, "" where it is not set.
func (x *index) attr(uuid, name string) string {
	if n := x.nodes[uuid]; n != nil {
		return n.attrs[name]
	}
	return ""
}
