// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package pengine_test

import (
	"slices"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/transition/graph"
)

// A plan is what the laws know of the configuration, read anew from the CIB.
type plan struct {
	bans      map[string]map[string]bool // top resource → node
	together  []pairOf                   // a runs where b does
	apart     []pairOf
	orders    []pairOf // b only with a before it
	tickets   map[string][]string
	landing   map[string][]string // history name → nodes where the graph starts it
	promoting map[string][]string
	leaving   map[place]bool
	migrated  map[place]bool
}

// A pairOf is one constraint between two resources, by id.
type pairOf struct {
	id, a, b     string
	attr         string
	aRole, bRole string // for colocations
	aTask, bTask string // for orders
	oneWay       bool
	again        bool // another order of any kind is of the same two
	sameNode     bool // members of a cloned group: what is on another node is another instance
}

func readPlan(w *walk) *plan {
	p := &plan{bans: map[string]map[string]bool{}, tickets: map[string][]string{}, landing: map[string][]string{}, promoting: map[string][]string{}, leaving: map[place]bool{}, migrated: map[place]bool{}}
	for e := range document.Children(document.At(w.before.Root, "configuration", "constraints"), "") {
		switch e.Tag {
		case "rsc_location":
			if id, node := document.Get(e, "rsc"), document.Get(e, "node"); document.Get(e, "score") == "-INFINITY" && document.Get(e, "role") == "" && node != "" {
				if p.bans[id] == nil {
					p.bans[id] = map[string]bool{}
				}
				p.bans[id][node] = true
			}
		case "rsc_ticket":
			if t := document.Get(e, "ticket"); document.Get(e, "rsc-role") == "" {
				p.tickets[document.Get(e, "rsc")] = append(p.tickets[document.Get(e, "rsc")], t)
			}
		case "rsc_colocation":
			p.colocation(e)
		case "rsc_order":
			p.order(e)
		}
	}
	for i, o := range p.orders {
		for j, x := range p.orders {
			p.orders[i].again = p.orders[i].again || i != j && o.a == x.a && o.b == x.b
		}
	}
	p.orders = slices.DeleteFunc(p.orders, func(o pairOf) bool { return o.again || o.id == "" })
	for _, top := range w.c.Resources {
		p.groups(top)
	}
	for _, s := range w.g.Synapses {
		for _, a := range s.Actions {
			r := w.resource(a)
			if a.Kind != graph.RscOp || r == nil {
				continue
			}
			switch a.Operation {
			case "start", "migrate_from":
				p.migrated[place{historyName(r), a.OnNode}] = a.Operation == "migrate_from"
				p.landing[historyName(r)] = append(p.landing[historyName(r)], a.OnNode)
			case "stop":
				p.leaving[place{historyName(r), a.OnNode}] = true
			case "promote":
				p.promoting[historyName(r)] = append(p.promoting[historyName(r)], a.OnNode)
			}
		}
	}
	return p
}

// sets gives consecutive members of each sequential set.
func sets(e *etree.Element) (out [][2]string) {
	for s := range document.Children(e, "resource_set") {
		if document.Get(s, "sequential") == "false" {
			continue
		}
		last := ""
		for ref := range document.Children(s, "resource_ref") {
			if last != "" {
				out = append(out, [2]string{last, document.ID(ref)})
			}
			last = document.ID(ref)
		}
	}
	return out
}

func (p *plan) colocation(e *etree.Element) {
	c := pairOf{
		id: document.ID(e), a: document.Get(e, "rsc"), b: document.Get(e, "with-rsc"), attr: document.Get(e, "node-attribute"),
		aRole: document.Get(e, "rsc-role"), bRole: document.Get(e, "with-rsc-role"),
	}
	switch document.Get(e, "score") {
	case "INFINITY":
		for _, s := range sets(e) {
			p.together = append(p.together, pairOf{id: c.id, a: s[1], b: s[0]})
		}
		if c.a != "" {
			p.together = append(p.together, c)
		}
	case "-INFINITY":
		if c.a != "" {
			p.apart = append(p.apart, c)
		}
	}
}

// order reads one rsc_order. Those that are not mandatory count only as others of
// the same two: the first order of two actions hides later ones, be they stronger,
// here as with Pacemaker.
func (p *plan) order(e *etree.Element) {
	if document.Get(e, "kind") != "Mandatory" {
		p.orders = append(p.orders, pairOf{a: document.Get(e, "first"), b: document.Get(e, "then")})
		return
	}
	for _, s := range sets(e) {
		p.orders = append(p.orders, pairOf{id: document.ID(e), a: s[0], b: s[1], aTask: "start", bTask: "start"})
	}
	if document.Get(e, "first") == "" {
		return
	}
	o := pairOf{
		id: document.ID(e), a: document.Get(e, "first"), b: document.Get(e, "then"), aTask: "start", bTask: "start",
		oneWay: document.Get(e, "symmetrical") == "false",
	}
	if v := document.Get(e, "first-action"); v != "" {
		o.aTask, o.bTask = v, document.Get(e, "then-action")
	}
	p.orders = append(p.orders, o)
}

// groups adds what a group means: each member with and after the one before.
func (p *plan) groups(r *status.Resource) {
	if r.Variant == status.Group {
		for i := 1; i < len(r.Children); i++ {
			a, b := r.Children[i-1], r.Children[i]
			p.together = append(p.together, pairOf{id: "group " + r.ID, a: b.ID, b: a.ID})
			p.orders = append(p.orders, pairOf{id: "group " + r.ID, a: a.ID, b: b.ID, aTask: "start", bTask: "start", sameNode: r.Parent != nil})
		}
	}
	for _, k := range r.Children {
		p.groups(k)
	}
}
