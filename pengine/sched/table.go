// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"strings"

	"github.com/quorate/quorate/pengine/status"
)

// alloc is a node as a place for one resource.
type alloc struct {
	node  *node
	score score
	count int
	probe status.ProbeMode
	why   *trail // what made the score, where asked
}

func (a *alloc) on() *node {
	if a == nil {
		return nil
	}
	return a.node
}

func (a *alloc) add(v score, why *Cause) {
	a.score = a.score.Add(v)
	if why != nil && v != 0 {
		a.note(v, why, false)
	}
}

func (a *alloc) set(v score, why *Cause) {
	a.score = v
	if why != nil {
		a.note(v, why, true)
	}
}

func (a *alloc) copy() *alloc {
	cp := *a
	return &cp
}

// table is the places of one resource by node index; nil where a node is none.
type table []*alloc

func newTable(nodes []*node, from *status.Places, traced bool) table {
	t := make(table, len(nodes))
	slab := make([]alloc, from.Len())
	for i, n := range nodes {
		a := from.On(n)
		if a == nil {
			continue
		}
		t[i], slab = &slab[0], slab[1:]
		*t[i] = alloc{node: n, score: a.Score, probe: a.Probe}
		if traced {
			traceAllowed(t[i], a)
		}
	}
	return t
}

func (t table) get(n *node) *alloc {
	if n == nil || t == nil {
		return nil
	}
	return t[n.Index]
}

func (t table) clone() table {
	if t == nil {
		return nil
	}
	cp, slab := make(table, len(t)), make([]alloc, len(t))
	for i, a := range t {
		if a != nil {
			slab[i] = *a
			cp[i] = &slab[i]
		}
	}
	return cp
}

// list gives the places in the order of nodes.
func (t table) list() []*alloc {
	out := make([]*alloc, 0, len(t))
	for _, a := range t {
		if a != nil {
			out = append(out, a)
		}
	}
	return out
}

// available tells whether a node can run anything now.
func available(n *node) bool {
	return n != nil && n.Online && !n.Shutdown && !n.Unclean && !n.Standby && !n.Maintenance
}

// usable tells whether a place is available and not banned.
func (a *alloc) usable() bool { return a != nil && available(a.node) && a.score >= 0 }

func (t table) anyUsable() bool {
	for _, a := range t {
		if a.usable() {
			return true
		}
	}
	return false
}

// topAllowed is the place as the resource's parent sees it.
func (r *rsc) topAllowed(n *node) *alloc {
	if r.parent == nil {
		return r.allowed.get(n)
	}
	return r.parent.allowed.get(n)
}

// compare orders places for a resource: below 0 where a is better. preferred
// wins where all else is equal.
func (s *scheduler) compare(a, b *alloc, preferred *node) int {
	x, y := -infinity, -infinity
	if available(a.node) {
		x = a.score
	}
	if available(b.node) {
		y = b.score
	}
	if x != y {
		return better(x > y)
	}
	if s.c.Options.Placement != "minimal" {
		if s.c.Options.Placement == "balanced" {
			if r := s.compareCapacity(a.node, b.node); r != 0 {
				return better(r < 0)
			}
		}
		if p, q := s.placed[a.node.Index], s.placed[b.node.Index]; p != q {
			return better(p < q)
		}
		switch preferred {
		case nil:
		case a.node:
			return -1
		case b.node:
			return 1
		}
	}
	return strings.Compare(a.node.Name, b.node.Name)
}

func better(yes bool) int {
	if yes {
		return -1
	}
	return 1
}
