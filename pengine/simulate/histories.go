// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"strconv"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/transition/graph"
)

// histories finds what a run changes in the status section, whose size would
// make searching it for each operation slow.
type histories struct {
	cib   *etree.Element
	nodes map[string]*nodeHistory // by name
}

// A nodeHistory is the state of a node with its resource histories by id. Where
// several have an id, what is recorded goes into the first one.
type nodeHistory struct {
	state *etree.Element
	of    map[string]*etree.Element
	twins map[string]bool // ids that several have
}

// node gives a node's state, making it where there is none.
func (h *histories) node(name, uuid string) *nodeHistory {
	if n := h.nodes[name]; n != nil {
		return n
	}
	n := newNodeHistory(NodeState(h.cib, name, uuid))
	if h.nodes == nil {
		h.nodes = map[string]*nodeHistory{}
	}
	h.nodes[name] = n
	return n
}

func newNodeHistory(state *etree.Element) *nodeHistory {
	n := &nodeHistory{state: state, of: map[string]*etree.Element{}, twins: map[string]bool{}}
	for e := range document.All(state, "lrm_resource") {
		id := document.ID(e)
		if n.of[id] == nil {
			n.of[id] = e
		} else {
			n.twins[id] = true
		}
	}
	return n
}

// mergeTwins copies operations into the first history with the same id, as the
// CIB does when it takes a state in which several have one.
func mergeTwins(state *etree.Element) {
	first := map[string]*etree.Element{}
	for e := range document.All(state, "lrm_resource") {
		id := document.ID(e)
		if into := first[id]; into != nil {
			merge(into, e)
		} else {
			first[id] = e
		}
	}
}

func merge(into, from *etree.Element) {
	for op := range document.Children(from, "lrm_rsc_op") {
		if same := document.ChildWith(into, "lrm_rsc_op", "id", document.ID(op)); same != nil {
			for _, a := range op.Attr {
				document.Set(same, a.FullKey(), a.Value)
			}
			continue
		}
		into.AddChild(op.Copy())
	}
}

// drop forgets all histories of the node.
func (n *nodeHistory) drop(cib *etree.Element) {
	dropHistory(cib, n.state)
	clear(n.of)
	clear(n.twins)
}

// resource gives the history of a resource, making it where there is none, and
// the number of the next call in it.
func (n *nodeHistory) resource(name string, p *graph.Primitive) (history *etree.Element, call int) {
	for _, id := range []string{name, p.ID} {
		if e := n.of[id]; e != nil && !n.twins[id] {
			return e, nextCall(e)
		}
	}
	if e := n.of[p.ID]; e != nil {
		return e, 1 // as if it were new
	}
	lrm := document.Child(n.state, "lrm")
	if lrm == nil {
		lrm = document.Add(n.state, "lrm", "id", document.ID(n.state))
	}
	list := document.Child(lrm, "lrm_resources")
	if list == nil {
		list = document.Add(lrm, "lrm_resources")
	}
	attrs := []string{"id", p.ID, "class", p.Class, "provider", p.Provider, "type", p.Type}
	if p.Provider == "" {
		attrs = []string{"id", p.ID, "class", p.Class, "type", p.Type}
	}
	n.of[p.ID] = document.Add(list, "lrm_resource", attrs...)
	return n.of[p.ID], 1
}

func nextCall(h *etree.Element) int {
	call := 0
	for e := range document.Children(h, "") {
		if n, err := strconv.Atoi(document.Get(e, "call-id")); err == nil {
			call = max(call, n)
		}
	}
	return call + 1
}
