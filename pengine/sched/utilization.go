// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"
	"sort"
	"strconv"

	"github.com/quorate/quorate/pengine/status"
)

// amount reads one value of a utilization.
func amount(s string) int64 {
	n, ok := status.ParseAmount(s)
	if !ok {
		return 0
	}
	return n
}

func keysOf(m map[string]string) []string {
	if len(m) == 0 {
		return nil
	}
	keys := make([]string, 0, len(m))
	for k := range m { // any order: they are sorted below
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// compareCapacity is below 0 where a has more left than b in most respects.
func (s *scheduler) compareCapacity(a, b *node) int {
	x, y := s.capacity[a.Index], s.capacity[b.Index]
	result := 0
	cmp := func(p, q int64) {
		if p > q {
			result--
		} else if p < q {
			result++
		}
	}
	for _, k := range keysOf(x) {
		cmp(amount(x[k]), amount(y[k]))
	}
	for _, k := range keysOf(y) {
		if _, has := x[k]; !has {
			cmp(0, amount(y[k]))
		}
	}
	return result
}

func change(m, by map[string]string, sign int64) {
	for _, k := range keysOf(by) {
		m[k] = strconv.FormatInt(min(max(amount(m[k])+sign*amount(by[k]), -1<<31), 1<<31-1), 10)
	}
}

func (s *scheduler) consume(n *node, u map[string]string) { change(s.capacity[n.Index], u, -1) }

func (s *scheduler) release(n *node, u map[string]string) { change(s.capacity[n.Index], u, 1) }

func (s *scheduler) enough(n *node, need map[string]string) bool {
	for _, k := range keysOf(need) {
		if amount(need[k]) > amount(s.capacity[n.Index][k]) {
			return false
		}
	}
	return true
}

func contains(list []*rsc, r *rsc) bool {
	return slices.Contains(list, r)
}

// banInsufficient bans nodes that are too small for the resource and all that
// has to be with it; where all are, it bans those too small for it alone and
// gives the one with the most left.
func (r *rsc) banInsufficient() *node {
	s := r.s
	if s.c.Options.Placement == "default" {
		return nil
	}
	with := r.v.colocated(nil, nil)
	if !contains(with, r) {
		with = append(with, r)
	}
	need := map[string]string{}
	for _, o := range with {
		o.v.addUtilization(r, with, need)
	}
	var largest *node
	any := false
	places := r.allowed.list()
	for _, a := range hashed(places) {
		if !a.usable() {
			continue
		}
		any = any || s.enough(a.node, need)
		if largest == nil || s.compareCapacity(a.node, largest) < 0 {
			largest = a.node
		}
	}
	if !any {
		need = r.Utilization
	}
	for _, a := range places {
		if a.usable() && !s.enough(a.node, need) {
			r.ban(a.node, -infinity, s.cause(CauseCapacity, "", nil))
		}
	}
	if any {
		return nil
	}
	return largest
}

func (p primitive) colocated(orig *rsc, list []*rsc) []*rsc {
	r := p.rsc
	if orig == nil {
		orig = r
	}
	if contains(list, r) {
		return list
	}
	list = append([]*rsc{r}, list...)
	for _, c := range r.thisWithColocations() {
		if c.primary != orig && c.score == infinity && c.affects(r, c.primary, true) == affectsLocation {
			list = c.primary.v.colocated(orig, list)
		}
	}
	for _, c := range r.withThisColocations() {
		if c.dependent == orig || r.Variant == status.Clone && c.dependent.Variant != status.Clone {
			continue
		}
		if c.score == infinity && c.affects(c.dependent, r, true) == affectsLocation {
			list = c.dependent.v.colocated(orig, list)
		}
	}
	return list
}

func (p primitive) addUtilization(_ *rsc, _ []*rsc, sum map[string]string) {
	if p.has(unassigned) {
		change(sum, p.Utilization, 1)
	}
}

func (g group) addUtilization(orig *rsc, all []*rsc, sum map[string]string) {
	if !g.has(unassigned) {
		return
	}
	members := g.children
	if !g.Colocated && !g.parent.isVariant(status.Clone) {
		members = members[:1]
	}
	for _, m := range members {
		if m.has(unassigned) && !contains(all, m) {
			m.v.addUtilization(orig, all, sum)
		}
	}
}

func (c clone) addUtilization(orig *rsc, all []*rsc, sum map[string]string) {
	if !c.has(unassigned) {
		return
	}
	existing := false
	for _, k := range c.children {
		if contains(all, k) {
			existing = true
			continue
		}
		for _, m := range k.children {
			if contains(all, m) {
				k.v.addUtilization(orig, all, sum)
				existing = true
				break
			}
		}
	}
	if !existing && len(c.children) > 0 {
		c.children[0].v.addUtilization(orig, all, sum)
	}
}

// sortResources orders resources for the placements that count capacity.
func (s *scheduler) sortResources() {
	places := make([]*alloc, 0, len(s.nodes))
	for _, n := range s.nodes {
		places = append(places, &alloc{node: n, score: n.Base})
	}
	s.sortPlaces(places, nil)
	scoreOn := func(t table, n *node) score {
		if a := t.get(n); a != nil {
			return a.score
		}
		return -infinity
	}
	status.MergeSort(s.rscs, func(a, b *rsc) int {
		if a.Priority != b.Priority {
			return better(a.Priority > b.Priority)
		}
		var x, y table
		a.v.addColocatedScores(nil, &x, nil, 1, selectThisWith)
		b.v.addColocatedScores(nil, &y, nil, 1, selectThisWith)
		p, q := scoreOn(x, a.CurrentNode()), scoreOn(y, b.CurrentNode())
		if p != q {
			return better(p > q)
		}
		for _, pl := range places {
			if p, q = scoreOn(x, pl.node), scoreOn(y, pl.node); p != q {
				return better(p > q)
			}
		}
		return 0
	})
}

func (s *scheduler) sortPlaces(list []*alloc, preferred *node) {
	status.MergeSort(list, func(a, b *alloc) int { return s.compare(a, b, preferred) })
}

// loadStopped is the point at which all that leaves a node has left it.
func (s *scheduler) loadStopped(n *node) *action {
	a := s.pseudoAction("load_stopped_" + n.Name)
	if a.node == nil {
		a.node = n
		a.clear(optional)
	}
	return a
}

// utilizationConstraints orders stops before starts that need the room.
func (r *rsc) utilizationConstraints() {
	s := r.s
	for _, n := range r.ActiveOn {
		s.addOrdering(ordering{first: r, firstKey: r.key(taskStop), thenAction: s.loadStopped(n), rel: relIfOnSameNodeOrTarget})
	}
	for _, a := range r.allowed.list() {
		l := s.loadStopped(a.node)
		s.addOrdering(ordering{firstAction: l, then: r, thenKey: r.key(taskStart), rel: relIfOnSameNodeOrTarget})
		s.addOrdering(ordering{firstAction: l, then: r, thenKey: r.key(taskMigrateTo), rel: relIfOnSameNodeOrTarget})
	}
}
