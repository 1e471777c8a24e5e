// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"

	"github.com/quorate/quorate/pengine/status"
)

// toScores applies a colocation to the dependent's node scores.
func (c *colocation) toScores(dependent, primary *rsc) {
	value, known := "", false
	if primary.assigned != nil {
		value, known = nodeAttr(primary.node(), c.attr, primary)
	} else if c.score < 0 {
		return
	}
	work := dependent.allowed.clone()
	for _, a := range work.list() {
		if primary.assigned == nil {
			a.add(-c.score, c.cause(CauseElsewhere, primary))
			continue
		}
		v, ok := nodeAttr(a.node, c.attr, dependent)
		switch {
		case sameAttr(v, ok, value, known):
			if c.score < infinity {
				a.add(c.score, c.cause(CauseColocation, primary))
			}
		case c.score >= infinity:
			a.set(-infinity, c.cause(CauseElsewhere, primary))
		}
	}
	if c.score <= -infinity || c.score >= infinity || work.anyUsable() {
		dependent.allowed = work
	}
}

// toPriority applies a colocation to the dependent's promotion priority.
func (c *colocation) toPriority(dependent, primary *rsc) score {
	if dependent.assigned == nil {
		return 0
	}
	if primary.assigned != nil && c.primaryRole != status.RoleUnknown && c.primaryRole != primary.roleRsc().NextRole {
		return 0
	}
	a, okA := nodeAttr(dependent.node(), c.attr, dependent)
	b, okB := "", false
	if primary.assigned != nil {
		b, okB = nodeAttr(primary.node(), c.attr, primary)
	}
	factor := score(1)
	if !sameAttr(a, okA, b, okB) {
		if c.score != infinity || c.dependentRole != status.RolePromoted {
			return 0
		}
		factor = -1
	} else if c.dependentRole == status.RoleUnpromoted {
		factor = -1
	}
	delta := factor * c.score
	dependent.Priority = delta.Add(dependent.Priority)
	return delta
}

// intersect bans the dependent where none of the nodes is.
func (c *colocation) intersect(dependent *rsc, nodes []*alloc, merge bool) {
	for _, a := range dependent.allowed.list() {
		var found *alloc
		for _, node := range slices.Backward(nodes) {
			if node.node == a.node {
				found = node
				break
			}
		}
		if found == nil {
			a.set(-infinity, c.cause(CauseElsewhere, c.primary))
		} else if merge {
			a.add(found.score, c.cause(CauseColocation, c.primary))
		}
	}
}

// spent marks a score that a negative one used up, while scores are passed on.
const spent = infinity * -100

// wishes are the places of r as they matter to a colocation: those of a group's
// explicitly colocated member have the locations of the group.
func (r *rsc) wishes(c *colocation) table {
	if r != c.dependent || !c.explicit || !r.parent.isVariant(status.Group) || r == r.parent.children[0] {
		return r.allowed
	}
	allowed := r.allowed
	r.allowed = allowed.clone()
	for _, l := range slices.Backward(r.parent.locations) {
		r.v.applyLocation(l)
	}
	wished := r.allowed
	r.allowed = allowed
	return wished
}

// bestMatching is the best score of r, as wished, on nodes that have the same
// value of the attribute as n has for target.
func (s *scheduler) bestMatching(wished table, r *rsc, attr string, n *node, target *rsc) score {
	if attr == status.AttrName && s.plainNames {
		if a := wished.get(n); a != nil && available(n) {
			return max(a.score, -infinity)
		}
		return -infinity
	}
	value, known := nodeAttr(n, attr, target)
	best := -infinity
	for _, a := range wished {
		if a == nil || a.score <= best || !available(a.node) {
			continue
		}
		if v, ok := nodeAttr(a.node, attr, r); sameAttr(v, ok, value, known) {
			best = a.score
		}
	}
	return best
}

func (r *rsc) allowedOnOne() bool {
	n := 0
	for _, a := range r.allowed {
		if a != nil && a.score >= 0 {
			n++
		}
	}
	return n == 1
}

// addMatching adds a part of the source's scores to places with the same value
// of the colocation's attribute.
func (s *scheduler) addMatching(t table, source, target *rsc, c *colocation, factor float32, onlyPositive bool) {
	wished := source.wishes(c)
	for _, a := range t {
		if a == nil {
			continue
		}
		best := s.bestMatching(wished, source, c.attr, a.node, target)
		if factor < 0 && best < 0 && (c.primary.Stickiness >= -best || !c.influences(nil) || !c.dependent.allowedOnOne()) {
			continue
		}
		if a.score == spent {
			continue
		}
		delta := part(factor, best)
		sum := delta.Add(a.score)
		if onlyPositive && sum < 0 && a.score > 0 {
			a.score = spent
			continue
		}
		if onlyPositive && sum < 0 && a.score == 0 {
			continue
		}
		a.add(delta, c.cause(CauseDependent, source))
	}
}

// part is a fraction of a score, rounded away from zero, never to zero.
func part(factor float32, v score) score {
	f := factor * float32(v)
	var d score
	if f < 0 {
		d = score(float64(f) - 0.5)
	} else {
		d = score(float64(f) + 0.5)
	}
	if d == 0 && v != 0 {
		if factor > 0 {
			d = 1
		} else if factor < 0 {
			d = -1
		}
	}
	return d
}

// addColocatedScores adds, to the places of target, what source and all that is
// colocated with it wish. A nil table becomes source's own places.
func (r *rsc) passScores(target *rsc, nodes *table, c *colocation, factor float32, flags selectFlags) {
	if r.has(updatingScores) {
		return
	}
	r.mark(updatingScores)
	defer r.unmark(updatingScores)
	var work table
	if *nodes == nil {
		work = r.allowed.clone()
		target = r
	} else {
		work = (*nodes).clone()
		r.s.addMatching(work, r, target, c, factor, flags&selectNonNegative != 0)
	}
	if work.anyUsable() {
		list := r.withThisColocations
		if flags&selectThisWith != 0 {
			list = r.thisWithColocations
		}
		flags |= selectActive
		for _, o := range list() {
			other := o.dependent
			f := factor * float32(o.score) / float32(infinity)
			if flags&selectThisWith != 0 {
				other = o.primary
			} else if !o.influences(nil) {
				continue
			}
			other.v.addColocatedScores(target, &work, o, f, flags)
		}
	} else if flags&selectActive != 0 {
		return
	}
	if flags&selectNonNegative != 0 {
		for _, a := range work {
			if a != nil && a.score == spent {
				a.score = 1
			}
		}
	}
	*nodes = work
}

// addDependentScores lets a dependent's wishes count for the primary.
func (c *colocation) addDependentScores(primary *rsc) {
	if !c.influences(nil) {
		return
	}
	flags := selectActive
	if primary.Variant == status.Clone {
		flags |= selectNonNegative
	}
	c.dependent.v.addColocatedScores(primary, &primary.allowed, c, float32(c.score)/float32(infinity), flags)
}
