// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
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
			a.add(-c.score, "colocation "+c.id+": "+primary.ID+" runs nowhere")
			continue
		}
		v, ok := nodeAttr(a.node, c.attr, dependent)
		switch {
		case sameAttr(v, ok, value, known):
			if c.score < infinity {
				a.add(c.score, "colocation "+c.id+" with "+primary.ID)
			}
		case c.score >= infinity:
			a.set(-infinity, "colocation "+c.id+": "+primary.ID+" runs elsewhere")
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
			a.set(-infinity, "colocation "+c.id+": "+c.primary.ID+" does not run there")
		} else if merge {
			a.add(found.score, "colocation "+c.id+" with "+c.primary.ID)
		}
	}
}

// spent marks a score that a negative one used up, while scores are passed on.
const spent = infinity * -100

// bestMatching is the best score of r on nodes with the attribute's value.
func (s *scheduler) bestMatching(c *colocation, r *rsc, value string, known bool) score {
	allowed := r.allowed
	if c != nil && r == c.dependent && c.explicit && r.parent.isVariant(status.Group) && r != r.parent.children[0] {
		r.allowed = allowed.clone()
		for _, v := range slices.Backward(s.locations) {
			if l := v; l.rsc == r.parent {
				r.v.applyLocation(l)
			}
		}
	}
	best := -infinity
	for _, a := range r.allowed.list() {
		if a.score <= best || !available(a.node) {
			continue
		}
		if v, ok := nodeAttr(a.node, c.attr, r); sameAttr(v, ok, value, known) {
			best = a.score
		}
	}
	r.allowed = allowed
	return best
}

func (r *rsc) allowedOnOne() bool {
	n := 0
	for _, a := range r.allowed.list() {
		if a.score >= 0 {
			n++
		}
	}
	return n == 1
}

// addMatching adds a part of the source's scores to places with the same value
// of the colocation's attribute.
func (s *scheduler) addMatching(t table, source, target *rsc, c *colocation, factor float32, onlyPositive bool) {
	for _, a := range t.list() {
		value, known := nodeAttr(a.node, c.attr, target)
		best := s.bestMatching(c, source, value, known)
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
		a.add(delta, "wishes of "+source.ID+" (colocation "+c.id+")")
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
		for _, a := range work.list() {
			if a.score == spent {
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
			a.because("colocation with "+cause.ID, false)
			r.s.blockDependents(a)
			r.s.update(a)
		}
	}
	for _, k := range r.children {
		k.blockTask(task, cause)
	}
}

// unpackColocation reads one rsc_colocation.
func (s *scheduler) unpackColocation(e *etree.Element) {
	x, ok := s.expandTwo(e, "rsc", "with-rsc", "rsc-role", "with-rsc-role", "role")
	if !ok {
		return
	}
	if x == nil {
		x = e
	}
	base := colocation{id: document.ID(x)}
	if v, has := document.Lookup(x, "score"); has {
		if base.score, ok = s.c.ParseScore(v, 0); !ok {
			s.errorf("ignoring colocation " + base.id + " because '" + v + "' is not a valid score")
			return
		}
	}
	influence, has := document.Lookup(x, "influence")
	inf := opt{influence, has}
	var last *etree.Element
	for set := range document.Children(x, "resource_set") {
		if document.ID(set) == "" {
			s.errorf("ignoring resource_set without id")
			continue
		}
		s.colocateSet(set, base, inf)
		if last != nil {
			s.colocateSets(last, set, base, inf)
		}
		last = set
	}
	if last == nil {
		s.colocateTwo(x, base, inf)
	}
}

func (s *scheduler) colocateTwo(e *etree.Element, c colocation, inf opt) {
	c.dependent, c.primary = s.resource(document.Get(e, "rsc")), s.resource(document.Get(e, "with-rsc"))
	if c.dependent == nil || c.primary == nil {
		s.errorf("ignoring constraint '" + c.id + "' because a resource of it does not exist")
		return
	}
	r1, has1 := document.Lookup(e, "rsc-role")
	r2, has2 := document.Lookup(e, "with-rsc-role")
	c.attr = document.Get(e, "node-attribute")
	s.colocate(c, opt{r1, has1}, opt{r2, has2}, inf, c.dependent)
}

// colocate completes and records a colocation.
func (s *scheduler) colocate(c colocation, role1, role2, inf opt, critical *rsc) {
	var ok bool
	if c.dependentRole, ok = s.constraintRole(c.id, role1.value, role1.has); !ok {
		return
	}
	if c.primaryRole, ok = s.constraintRole(c.id, role2.value, role2.has); !ok {
		return
	}
	c.explicit = true
	c.influence = critical.Is(status.Critical)
	if inf.has {
		if v, ok := status.ParseBool(inf.value); ok {
			c.influence = v
		} else {
			s.errorf("constraint '" + c.id + "' has invalid value for influence (using default)")
		}
	}
	s.newColocation(c)
}

// colocateSet colocates the members of a set.
func (s *scheduler) colocateSet(set *etree.Element, c colocation, inf opt) {
	c.id = document.ID(set)
	if v, has := document.Lookup(set, "score"); has {
		var ok bool
		if c.score, ok = s.c.ParseScore(v, 0); !ok {
			s.errorf("ignoring colocation for set '" + c.id + "' because '" + v + "' is not a valid score")
			return
		}
	}
	sequential, given := boolAttr(set, "sequential")
	if c.score == 0 || given && !sequential {
		return
	}
	ordering, has := document.Lookup(set, "ordering")
	withPrevious := !has || strings.EqualFold(ordering, "group")
	r, hasRole := document.Lookup(set, "role")
	role := opt{r, hasRole}
	list, _ := s.refs(set)
	if c.score > 0 {
		for i := 1; i < len(list); i++ {
			c.dependent, c.primary = list[i], list[i-1]
			if !withPrevious {
				c.dependent, c.primary = c.primary, c.dependent
			}
			s.colocate(c, role, role, inf, list[i])
		}
		return
	}
	for i, r := range list {
		for _, other := range list[:i] {
			if other.ID == r.ID {
				break
			}
			c.dependent, c.primary = r, other
			s.colocate(c, role, role, inf, r)
		}
	}
}

// colocateSets colocates a set with the next one.
func (s *scheduler) colocateSets(set1, set2 *etree.Element, c colocation, inf opt) {
	if c.score == 0 {
		return
	}
	v1, has1 := document.Lookup(set1, "role")
	v2, has2 := document.Lookup(set2, "role")
	role1, role2 := opt{v1, has1}, opt{v2, has2}
	list1, ok1 := s.refs(set1)
	list2, ok2 := s.refs(set2)
	if v, given := boolAttr(set1, "sequential"); (!given || v) && len(list1) > 0 {
		list1 = list1[:1]
	} else if !ok1 && len(list1) == 0 {
		return
	}
	if v, given := boolAttr(set2, "sequential"); (!given || v) && len(list2) > 0 {
		if !ok2 {
			return
		}
		list2 = list2[len(list2)-1:]
	}
	for _, a := range list1 {
		for _, b := range list2 {
			c.dependent, c.primary = a, b
			s.colocate(c, role1, role2, inf, a)
		}
	}
}
