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

// A nodeHistory is the state of a node with its resource histories by id; nil
// where several have the id.
type nodeHistory struct {
	state *etree.Element
	of    map[string]*etree.Element
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
	n := &nodeHistory{state: state, of: map[string]*etree.Element{}}
	for e := range document.All(state, "lrm_resource") {
		id := document.ID(e)
		if _, has := n.of[id]; has {
			e = nil // of several, none is the right one
		}
		n.of[id] = e
	}
	return n
}

// drop forgets all histories of the node.
func (n *nodeHistory) drop(cib *etree.Element) {
	dropHistory(cib, n.state)
	clear(n.of)
}

// resource gives the history of a resource, making it where there is none.
func (n *nodeHistory) resource(name string, p *graph.Primitive) *etree.Element {
	for _, id := range []string{name, p.ID} {
		if e := n.of[id]; e != nil {
			return e
		}
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
	e := document.Add(list, "lrm_resource", attrs...)
	if _, has := n.of[p.ID]; has {
		n.of[p.ID] = nil
	} else {
		n.of[p.ID] = e
	}
	return e
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
