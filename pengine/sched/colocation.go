// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"
	"strings"

	"github.com/quorate/quorate/pengine/status"
)

// colocation is the wish that dependent runs where primary does, or not there.
type colocation struct {
	id                         string
	dependent, primary         *rsc
	dependentRole, primaryRole status.Role
	attr                       string
	score                      score
	influence, explicit        bool
}

// selectFlags choose which colocations pass scores on, and how.
type selectFlags uint

const (
	selectThisWith selectFlags = 1 << iota
	selectNonNegative
	selectActive
)

// newColocation records a colocation; a mandatory negative one also orders stops
// before starts on the same node.
func (s *scheduler) newColocation(c colocation) {
	if c.score == 0 {
		return
	}
	if c.attr == "" {
		c.attr = "#uname"
	}
	p := &c
	insertSorted(&c.dependent.thisWith, p, false)
	insertSorted(&c.primary.withThis, p, true)
	if c.score <= -infinity {
		antiOrder(c.dependent, c.dependentRole, c.primary, c.primaryRole)
		antiOrder(c.primary, c.primaryRole, c.dependent, c.dependentRole)
	}
}

func antiOrder(first *rsc, firstRole status.Role, then *rsc, thenRole status.Role) {
	down, up := []string{taskStop}, []string{taskStart}
	switch firstRole {
	case status.RolePromoted:
		down = []string{taskDemote}
	case status.RoleUnpromoted:
		down = append(down, taskPromote)
	}
	switch thenRole {
	case status.RolePromoted:
		up = []string{taskPromote}
	case status.RoleUnpromoted:
		up = append(up, taskDemote)
	}
	for _, d := range down {
		for _, u := range up {
			orderTasks(first, d, then, u, relIfRequiredOnSameNode)
		}
	}
}

// insertSorted puts a colocation before the first one in the list that is not
// ahead of it: by the priority of the other side, clones first.
func insertSorted(list *[]*colocation, c *colocation, dependent bool) {
	side := func(x *colocation) *rsc {
		if dependent {
			return x.dependent
		}
		return x.primary
	}
	at := 0
	for at < len(*list) && compareSides(side(c), side((*list)[at])) > 0 {
		at++
	}
	*list = append(*list, nil)
	copy((*list)[at+1:], (*list)[at:])
	(*list)[at] = c
}

func compareSides(a, b *rsc) int {
	switch {
	case a.Priority != b.Priority:
		return better(a.Priority > b.Priority)
	case a.Variant != b.Variant:
		return better(a.Variant > b.Variant)
	case a.Variant == status.Clone && a.Is(status.Promotable) != b.Is(status.Promotable):
		return better(a.Is(status.Promotable))
	}
	return strings.Compare(a.ID, b.ID)
}

// addColocations appends colocations to a list. Where the list has some
// already, Pacemaker inserts the first of them again and again; scores depend on
// it.
func addColocations(list *[]*colocation, more []*colocation, dependent bool) {
	if len(*list) == 0 {
		*list = append([]*colocation(nil), more...)
		return
	}
	for range more {
		insertSorted(list, more[0], dependent)
	}
}

func (r *rsc) withThisColocations() []*colocation {
	var list []*colocation
	r.v.collectWithThis(r, &list)
	return list
}

func (r *rsc) thisWithColocations() []*colocation {
	var list []*colocation
	r.v.collectThisWith(r, &list)
	return list
}

// influences tells whether the dependent's wishes count for the primary (rsc,
// where it is another).
func (c *colocation) influences(r *rsc) bool {
	if r == nil {
		r = c.primary
	}
	if c.dependent.has(nestingAllowed) && !r.Is(status.Failed) && len(r.ActiveOn) == 1 {
		return false
	}
	return c.influence || len(r.ActiveOn) == 0
}

// nodeAttr is the value that a colocation compares.
func nodeAttr(n *node, attr string, r *rsc) (string, bool) {
	target := ""
	if r != nil {
		target = r.Meta["container-attribute-target"]
		if n.IsGuest() && r.inBundle(n) {
			target = "host"
		}
	}
	return n.Attr(attr, target, func(l *status.Resource) *node {
		if r == nil {
			return nil
		}
		return r.s.of[l].assigned.on()
	})
}

func sameAttr(a string, okA bool, b string, okB bool) bool {
	return okA == okB && strings.EqualFold(a, b)
}

type affects int

const (
	affectsNothing affects = iota
	affectsLocation
	affectsRole
)

// roleRsc is the resource whose role counts: for a bundle's container, what is
// inside.
func (r *rsc) roleRsc() *rsc {
	if r.Is(status.ReplicaContainer) {
		if k := r.inContainer(); k != nil {
			return k
		}
	}
	return r
}

// affects tells what a colocation does to the dependent.
func (c *colocation) affects(dependent, primary *rsc, preview bool) affects {
	if !preview && primary.has(unassigned) {
		return affectsNothing
	}
	dep, pri := dependent.roleRsc(), primary.roleRsc()
	if c.dependentRole >= status.RoleUnpromoted && dep.parent != nil && dep.parent.Is(status.Promotable) && !dep.has(unassigned) {
		return affectsRole
	}
	if !preview && !dependent.has(unassigned) {
		return affectsNothing
	}
	if c.dependentRole != status.RoleUnknown && c.dependentRole != dep.NextRole ||
		c.primaryRole != status.RoleUnknown && c.primaryRole != pri.NextRole {
		return affectsNothing
	}
	return affectsLocation
}

// blockDependents makes what is colocated with an unrunnable start (or promote)
// unrunnable too.
func (s *scheduler) blockDependents(a *action) {
	if a.is(runnable) || a.task != taskStart && a.task != taskPromote || a.rsc == nil {
		return
	}
	r := a.rsc.top()
	if r.parent != nil {
		r = r.parent
	}
	for _, k := range r.children {
		if b := k.latest("", a.task, nil); b == nil || b.is(runnable) {
			return
		}
	}
	for _, c := range r.withThisColocations() {
		if c.score < infinity || a.task == taskPromote && c.primaryRole != status.RolePromoted {
			continue
		}
		task := taskStart
		if c.dependentRole == status.RolePromoted {
			task = taskPromote
		}
		c.dependent.blockTask(task, a.rsc)
	}
}

func (r *rsc) blockTask(task string, cause *rsc) {
	for _, a := range slices.Backward(r.actions) {
		if a.is(runnable) && a.task == task {
			a.clear(runnable)
			if r.s.in.Trace {
				r.s.noteLoss(a, loss{flag: runnable, with: cause.ID})
			}
			a.because("colocation with "+cause.ID, false)
			r.s.blockDependents(a)
			r.s.update(a)
		}
	}
	for _, k := range r.children {
		k.blockTask(task, cause)
	}
}
