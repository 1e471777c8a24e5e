// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"
	"strings"

	"github.com/quorate/quorate/pengine/status"
)

// canRun tells whether an instance may run on a node at all.
func (r *rsc) canRun(n *node, perNode int) bool {
	if r.Is(status.Removed) || !available(n) {
		return false
	}
	a := r.topAllowed(n)
	return a != nil && a.score >= 0 && a.count < perNode
}

// banUnavailable bans an instance where it cannot run now.
func (r *rsc) banUnavailable(perNode int) {
	for _, a := range r.allowed.list() {
		if r.canRun(a.node, perNode) {
			continue
		}
		a.set(-infinity, r.s.cause(CauseInstances, "", r.parent))
		for _, k := range r.children {
			if b := k.allowed.get(a.node); b != nil {
				b.set(-infinity, r.s.cause(CauseInstances, "", r.parent))
			}
		}
	}
}

// colocationScore is what the colocations of an instance say about its node.
func (r *rsc) colocationScore(n *node) score {
	t := make(table, len(r.s.nodes))
	t[n.Index] = &alloc{node: n, score: n.Base}
	for _, c := range r.thisWithColocations() {
		c.primary.v.addColocatedScores(r, &t, c, float32(c.score)/float32(infinity), 0)
	}
	for _, c := range r.withThisColocations() {
		if c.influences(r) {
			c.dependent.v.addColocatedScores(r, &t, c, float32(c.score)/float32(infinity), selectNonNegative)
		}
	}
	return t[n.Index].score
}

func (r *rsc) didFail() bool { return r.anyFlag(status.Failed) }

// compareInstances orders instances by which is assigned first.
func compareInstances(x, y *rsc) int {
	n1, all1, _ := x.ActiveNode()
	n2, all2, _ := y.ActiveNode()
	if all1 > 0 && all2 > 0 && all1 != all2 {
		return better(all1 < all2)
	}
	ok1, ok2 := x.mayRun(&n1), y.mayRun(&n2)
	if ok1 != ok2 {
		return better(ok1)
	}
	if x.Priority != y.Priority {
		return better(x.Priority > y.Priority)
	}
	switch {
	case n1 == nil && n2 == nil:
		return 0
	case n1 == nil || n2 == nil:
		return better(n1 != nil)
	}
	if ok1, ok2 = available(n1), available(n2); ok1 != ok2 {
		return better(ok1)
	}
	a1, a2 := x.topAllowed(n1), y.topAllowed(n2)
	switch {
	case a1 == nil && a2 == nil:
		return 0
	case a1 == nil || a2 == nil:
		return better(a1 != nil)
	case a1.count != a2.count:
		return better(a1.count < a2.count)
	}
	if f1, f2 := x.didFail(), y.didFail(); f1 != f2 {
		return better(!f1)
	}
	s1 := x.colocationScore(x.CurrentNode())
	s2 := y.colocationScore(y.CurrentNode())
	if s1 != s2 {
		return better(s1 > s2)
	}
	return x.number - y.number
}

// mayRun forgets the node where the resource may not run there.
func (r *rsc) mayRun(n **node) bool {
	if *n == nil {
		return true
	}
	if a := r.allowed.get(*n); a == nil || a.score < 0 {
		*n = nil
		return false
	}
	return true
}

func (r *rsc) countParent(a *alloc) {
	if a == nil {
		return
	}
	if p := r.topAllowed(a.node); p != nil {
		p.count++
	}
}

func (r *rsc) assignInstance(prefer *node, perNode int) *alloc {
	if r.has(assigning) {
		return nil
	}
	r.banUnavailable(perNode)
	chosen := r.v.assign(prefer, prefer == nil)
	r.countParent(chosen)
	return chosen
}

type backup map[*rsc]table

func (b backup) save(r *rsc) {
	b[r] = r.allowed.clone()
	for _, k := range r.children {
		b.save(k)
	}
}

func (b backup) restore(r *rsc) {
	r.allowed = b[r].clone()
	for _, k := range r.children {
		b.restore(k)
	}
}

// assignEarly tries to leave an instance where it is. Better nodes are reserved
// for others, as many as there are left.
func (r *rsc) assignEarly(current *node, perNode, left int) bool {
	if !r.allowed.get(current).usable() {
		return false
	}
	b := backup{}
	b.save(r)
	parentAllowed := r.parent.allowed
	r.parent.allowed = parentAllowed.clone()
	var chosen *alloc
	for reserved := 0; reserved < left; {
		chosen = r.assignInstance(current, perNode)
		if chosen.on() == current {
			break
		}
		b.restore(r)
		if chosen == nil {
			r.mark(unassigned)
			break
		}
		reserved++
		r.unplace()
		chosen = nil
	}
	r.parent.allowed = parentAllowed
	r.countParent(chosen)
	return chosen != nil
}

// preferred is the node where an instance should stay.
func (r *rsc) preferred(optimal int) *node {
	if len(r.ActiveOn) == 0 || !r.has(unassigned) || r.Is(status.Failed) {
		return nil
	}
	n := r.CurrentNode()
	if !available(n) || n.Base < 0 {
		return nil
	}
	if a := r.topAllowed(n); a != nil && a.count >= optimal {
		return nil
	}
	return n
}

// assignInstances gives each instance its place.
func (s *scheduler) assignInstances(collective *rsc, list []*rsc, most, perNode int) {
	nodes := 0
	for _, a := range collective.allowed.list() {
		a.count = 0
		if available(a.node) {
			nodes++
		}
	}
	optimal := 1
	if nodes > 0 {
		optimal = max(1, most/nodes)
	}
	done := 0
	for _, k := range list {
		if done >= most {
			break
		}
		if !k.has(unassigned) {
			continue
		}
		if n := k.preferred(optimal); n != nil && k.assignEarly(n, perNode, most-done) {
			done++
		}
	}
	for _, k := range list {
		if !k.has(unassigned) {
			continue
		}
		if done >= most {
			k.ban(nil, -infinity, s.cause(CauseInstances, "all", collective))
		} else if k.assignInstance(nil, perNode) != nil {
			done++
		}
	}
}

// instanceState is what happens to instances.
type instanceState struct{ starting, stopping, restarting, active bool }

func (r *rsc) addState(st *instanceState) {
	if r.Variant != status.Primitive {
		for _, k := range r.children {
			k.addState(st)
		}
		return
	}
	if len(r.ActiveOn) > 0 {
		st.active = true
	}
	starting, stopping := false, false
	for _, a := range r.actions {
		switch {
		case a.is(optional):
		case a.task == taskStart && a.is(runnable):
			starting = true
		case a.task == taskStop && (a.is(runnable) || a.is(pseudo)):
			stopping = true
		}
	}
	st.starting = st.starting || starting
	st.stopping = st.stopping || stopping
	st.restarting = st.restarting || starting && stopping
}

// instanceActions makes the actions of instances and of their collective.
func (s *scheduler) instanceActions(r *rsc, list []*rsc) {
	var st instanceState
	for _, k := range list {
		k.v.createActions()
		k.addState(&st)
	}
	start := r.pseudoOp(taskStart, !st.starting, true)
	started := r.pseudoOp(taskStarted, !st.starting, false)
	started.priority = infinity
	if st.active || st.starting {
		started.set(runnable)
	}
	stop := r.pseudoOp(taskStop, !st.stopping, true)
	stopped := r.pseudoOp(taskStopped, !st.stopping, true)
	stopped.priority = infinity
	if !st.restarting {
		stop.set(migratable)
	}
	if r.Variant == status.Clone {
		r.startStopNotifications(start, started, stop, stopped)
	}
}

// instances are the parts that are placed one by one.
func (r *rsc) instances() []*rsc {
	if r.bundle != nil {
		return r.bundle.containers()
	}
	return r.children
}

// matches tells whether an instance is on the node in the role.
func (r *rsc) matches(n *node, role status.Role, current bool, attr string) bool {
	if role != status.RoleUnknown && role != r.State(current) {
		return false
	}
	var on *node
	if !r.anyFlag(status.Blocked) {
		if current {
			on = r.currentOne()
		} else {
			on = r.assignedTo().on()
		}
	}
	if on == nil {
		return false
	}
	if attr == "" {
		return on == n
	}
	a, okA := nodeAttr(on, attr, r)
	b, okB := nodeAttr(n, attr, r)
	return sameAttr(a, okA, b, okB)
}

// compatible finds the instance of collective that goes with r.
func compatible(r, collective *rsc, role status.Role, current bool, attr string) *rsc {
	on := func(n *node) *rsc {
		for _, k := range collective.instances() {
			if k.matches(n, role, current, attr) {
				return k
			}
		}
		return nil
	}
	var n *node
	if current {
		n = r.currentOne()
	} else {
		n = r.assignedTo().on()
	}
	if n != nil {
		return on(n)
	}
	places := r.allowed.list()
	r.s.sortPlaces(places, nil)
	for _, a := range places {
		if k := on(a.node); k != nil {
			return k
		}
	}
	return nil
}

// instanceTask is the task of an instance that a collective's action stands for.
func instanceTask(a *action) string {
	task := a.task
	if isNotify(task) {
		if _, after, ok := strings.Cut(a.key, "_notify_"); ok {
			task = strings.TrimSuffix(after, "_0")
		}
	}
	list := a.rsc.children
	if len(list) == 0 {
		return task
	}
	return primitiveTask(list[0], task)
}

// instanceAction finds the action of an instance.
func instanceAction(a *action, k *rsc, task string, n *node, first bool) *action {
	inside := first && a.task != taskStop && a.task != taskStopped
	if !first {
		switch a.task {
		case taskPromote, taskPromoted, taskDemote, taskDemoted:
			inside = true
		}
	}
	if inside {
		if in := k.inContainer(); in != nil {
			return in.latest("", task, nil)
		}
	}
	return k.latest("", task, n)
}

func (s *scheduler) updateInterleaved(first, then *action, n *node, filter actionFlags, rel relation) changed {
	var ch changed
	task := instanceTask(first)
	current := strings.HasSuffix(first.key, "_stopped_0") || strings.HasSuffix(first.key, "_demoted_0")
	for _, k := range then.rsc.instances() {
		f := compatible(k, first.rsc, status.RoleUnknown, current, "")
		if f == nil {
			if !current && rel&(relUnrunnableFirstBlocks|relFirstImpliesThen) != 0 && k.place(nil, true, true) {
				ch |= changedThen
				k.noteUnplaced(CauseOrder, "", first.rsc)
			}
			continue
		}
		fa := instanceAction(first, f, task, n, true)
		if fa == nil {
			continue
		}
		ta := instanceAction(then, k, then.task, n, false)
		if ta == nil {
			continue
		}
		if order(fa, ta, rel) {
			ch |= changedFirst | changedThen
		}
		ch |= k.v.updateOrdered(fa, ta, n, f.v.actionFlags(fa, n), filter, rel)
	}
	return ch
}

func canInterleave(first, then *action) bool {
	if first.rsc == nil || then.rsc == nil || first.rsc == then.rsc || first.rsc.Variant < status.Clone || then.rsc.Variant < status.Clone {
		return false
	}
	r := then.rsc
	if strings.HasSuffix(then.key, "_stop_0") || strings.HasSuffix(then.key, "_demote_0") {
		r = first.rsc
	}
	return status.IsTrue(r.Meta["interleave"])
}

// updateInstances applies a relation to a collective and its instances.
func (s *scheduler) updateInstances(first, then *action, n *node, flags, filter actionFlags, rel relation) changed {
	if then.rsc == nil {
		return 0
	}
	if canInterleave(first, then) {
		return s.updateInterleaved(first, then, n, filter, rel)
	}
	ch := s.updateOrdered(first, then, flags, filter, rel)
	for _, k := range then.rsc.instances() {
		a := k.latest("", then.task, n)
		if a == nil || !k.v.actionFlags(a, n).is(runnable) {
			continue
		}
		kc := k.v.updateOrdered(first, a, n, flags, filter, rel)
		if kc&changedThen != 0 {
			for _, v := range slices.Backward(a.after) {
				s.update(v.action)
			}
		}
		ch |= kc
	}
	return ch
}

// collectiveFlags are a collective's action's flags, from its instances'.
func collectiveFlags(a *action, list []*rsc, n *node) actionFlags {
	f := optional | runnable | pseudo
	any := false
	task := instanceTask(a)
	for _, k := range list {
		on := n
		if k.Variant != status.Primitive {
			on = nil
		}
		b := k.latest("", task, on)
		if b == nil {
			continue
		}
		bf := k.v.actionFlags(b, n)
		if f.is(optional) && !bf.is(optional) {
			f &^= optional
			a.clear(optional)
		}
		any = any || bf.is(runnable)
	}
	if !any {
		f &^= runnable
		if n == nil {
			a.clear(runnable)
		}
	}
	return f
}
