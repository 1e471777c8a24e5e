// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import "github.com/quorate/quorate/pengine/status"

// group is the variant of members that run together, one after the other.
type group struct{ primitive }

func (g group) last() *rsc { return g.children[len(g.children)-1] }

func (g group) assign(prefer *node, stopIfFail bool) *alloc {
	r := g.rsc
	if !r.has(unassigned) {
		return r.assigned
	}
	if r.has(assigning) {
		return nil
	}
	r.mark(assigning)
	r.Role = r.children[0].Role
	r.s.showScores(r, "pcmk__group_assign")
	var first *alloc
	for _, k := range r.children {
		if a := k.v.assign(prefer, stopIfFail); first == nil {
			first = a
		}
	}
	r.SetNextRole(r.children[0].NextRole, "first group member")
	r.unmark(assigning | unassigned)
	if !r.Colocated {
		return nil
	}
	return first
}

func (g group) createActions() {
	for _, k := range g.children {
		k.v.createActions()
	}
	tasks := []string{taskStart, taskStarted, taskStop, taskStopped}
	if status.IsTrue(g.Meta["promotable"]) {
		tasks = append(tasks, taskDemote, taskDemoted, taskPromote, taskPromoted)
	}
	for _, t := range tasks {
		g.pseudoOp(t, true, true)
	}
}

func (g group) internalConstraints() {
	r := g.rsc
	orderTasks(r, taskStop, r, taskStopped, relUnrunnableFirstBlocks)
	orderTasks(r, taskStopped, r, taskStart, relOrdered)
	orderTasks(r, taskStart, r, taskStarted, relUnrunnableFirstBlocks)
	var previous, lastActive *rsc
	for _, m := range r.children {
		g.member(m, previous, &lastActive)
		previous = m
	}
}

// member orders and colocates one member.
func (g group) member(m, previous *rsc, lastActive **rsc) {
	r := g.rsc
	promotable := r.top().Is(status.Promotable)
	m.v.internalConstraints()
	down, postDown := relThenImpliesFirstGraphed, relFirstImpliesThenGraphed
	if previous == nil {
		if r.Ordered {
			down |= relOrdered
			postDown = relFirstImpliesThen
		}
	} else if r.Colocated {
		r.s.newColocation(colocation{id: "#group-members", score: infinity, dependent: m, primary: previous, influence: m.Is(status.Critical)})
	}
	done := relUnrunnableFirstBlocks | relFirstImpliesThen | relFirstImpliesThenGraphed
	if promotable {
		orderTasks(r, taskDemote, m, taskDemote, down)
		orderTasks(m, taskDemote, r, taskDemoted, postDown)
		orderTasks(m, taskPromote, r, taskPromoted, done)
		orderTasks(r, taskPromote, m, taskPromote, relThenImpliesFirstGraphed)
	}
	orderTasks(r, taskStop, m, taskStop, down)
	orderTasks(m, taskStop, r, taskStopped, postDown)
	orderTasks(r, taskStart, m, taskStart, relThenImpliesFirstGraphed)
	orderTasks(m, taskStart, r, taskStarted, done)
	g.memberOrder(m, previous, promotable)
	if len(m.ActiveOn) == 0 {
		return
	}
	if r.Ordered && previous != nil && len(previous.ActiveOn) == 0 && *lastActive != nil && len((*lastActive).ActiveOn) > 0 {
		orderTasks(m, taskStop, *lastActive, taskStop, relOrdered)
	}
	*lastActive = m
}

func (g group) memberOrder(m, previous *rsc, promotable bool) {
	r := g.rsc
	up := relFirstImpliesThen | relUnrunnableFirstBlocks
	switch {
	case !r.Ordered:
		orderTasks(r, taskStart, m, taskStart, up|relThenImpliesFirstGraphed)
		if promotable {
			orderTasks(r, taskPromote, m, taskPromote, up|relThenImpliesFirstGraphed)
		}
	case previous == nil:
		orderTasks(r, taskStart, m, taskStart, 0)
		if promotable {
			orderTasks(r, taskPromote, m, taskPromote, 0)
		}
	default:
		orderTasks(previous, taskStart, m, taskStart, up)
		orderTasks(m, taskStop, previous, taskStop, relOrdered|relIntermediateStop)
		if len(m.ActiveOn) > 0 && len(previous.ActiveOn) == 0 {
			orderTasks(m, taskStop, previous, taskStart, relThenImpliesFirst|relUnrunnableFirstBlocks)
		}
		if promotable {
			orderTasks(previous, taskPromote, m, taskPromote, up)
			orderTasks(m, taskDemote, previous, taskDemote, relOrdered)
		}
	}
}

func (g group) applyColocation(dependent, primary *rsc, c *colocation, forDependent bool) score {
	if forDependent {
		return g.dependentColocation(dependent, primary, c)
	}
	if primary.has(unassigned) {
		return 0
	}
	if primary.Colocated {
		m := primary.children[0]
		if c.score >= infinity {
			m = primary.children[len(primary.children)-1]
		}
		return m.v.applyColocation(dependent, m, c, false)
	}
	if c.score >= infinity {
		g.s.errorf(dependent.ID + ": cannot perform mandatory colocation with non-colocated group " + primary.ID)
		return 0
	}
	var sum score
	for _, m := range primary.children {
		sum = sum.Add(m.v.applyColocation(dependent, m, c, false))
	}
	return sum
}

func (g group) dependentColocation(dependent, primary *rsc, c *colocation) score {
	var sum score
	if dependent.Colocated {
		m := dependent.children[0]
		sum = m.v.applyColocation(m, primary, c, true)
	} else {
		if c.score >= infinity {
			g.s.errorf(dependent.ID + ": cannot perform mandatory colocation between non-colocated group and " + primary.ID)
			return 0
		}
		for _, m := range dependent.children {
			sum = sum.Add(m.v.applyColocation(m, primary, c, false))
		}
	}
	if sum != 0 {
		dependent.Priority = sum.Add(dependent.Priority)
	}
	return sum
}

func (g group) actionFlags(a *action, n *node) actionFlags {
	f := optional | runnable | pseudo
	for _, m := range g.children {
		task := primitiveTask(m, a.task)
		b := m.latest("", task, n)
		if b == nil {
			if task != taskStop && task != taskDemote {
				f &^= runnable
			}
			continue
		}
		bf := m.v.actionFlags(b, n)
		if f.is(optional) && !bf.is(optional) {
			f &^= optional
			a.clear(optional)
		}
		if task != a.task && f.is(runnable) && !bf.is(runnable) {
			f &^= runnable
			a.clear(runnable)
		}
	}
	return f
}

// primitiveTask is the task of a part that a collective's task stands for.
func primitiveTask(r *rsc, task string) string {
	if r.Variant != status.Primitive {
		switch task {
		case taskStop, taskStopped, taskStart, taskStarted, taskShutdown, taskFence, taskMonitor, taskNotify, taskNotified,
			taskPromote, taskPromoted, taskDemote, taskDemoted:
			return task
		}
		return "no_action"
	}
	switch task {
	case taskStopped:
		return taskStop
	case taskStarted:
		return taskStart
	case taskDemoted:
		return taskDemote
	case taskPromoted:
		return taskPromote
	case taskStop, taskStart, taskShutdown, taskFence, taskMonitor, taskNotify, taskNotified, taskPromote, taskDemote:
		return task
	}
	return "no_action"
}

func (g group) updateOrdered(first, then *action, n *node, flags, filter actionFlags, rel relation) changed {
	ch := g.s.updateOrdered(first, then, flags, filter, rel)
	for _, m := range then.rsc.children {
		if b := m.latest("", then.task, n); b != nil {
			ch |= m.v.updateOrdered(first, b, n, flags, filter, rel)
		}
	}
	return ch
}

func (g group) applyLocation(l *location) {
	g.applyOwnLocation(l)
	zero := *l
	zero.nodes = make([]place, len(l.nodes))
	for i, p := range l.nodes {
		zero.nodes[i] = place{node: p.node}
	}
	for i, m := range g.children {
		if g.Colocated && i > 0 {
			m.v.applyLocation(&zero)
		} else {
			m.v.applyLocation(l)
		}
	}
}

func (g group) colocated(orig *rsc, list []*rsc) []*rsc {
	if orig == nil {
		orig = g.rsc
	}
	if !g.Colocated && !g.parent.isVariant(status.Clone) {
		return g.primitive.colocated(orig, list)
	}
	list = append([]*rsc{g.rsc}, list...)
	for _, m := range g.children {
		list = m.v.colocated(orig, list)
	}
	return list
}

func (g group) collectWithThis(orig *rsc, list *[]*colocation) {
	r := g.rsc
	if orig != r && orig != g.last() {
		return
	}
	addColocations(list, r.withThis, true)
	if r.parent != nil {
		r.parent.v.collectWithThis(orig, list)
	}
	if !r.Colocated {
		return
	}
	for _, m := range r.children {
		if m != orig {
			m.v.collectWithThis(orig, list)
		}
	}
}

func (g group) collectThisWith(orig *rsc, list *[]*colocation) {
	r := g.rsc
	if r == orig || orig == r.children[0] {
		addColocations(list, r.thisWith, false)
		if r.parent != nil {
			r.parent.v.collectThisWith(orig, list)
		}
		if !r.Colocated {
			return
		}
		for _, m := range r.children {
			if m != orig {
				m.v.collectThisWith(orig, list)
			}
		}
		return
	}
	for _, m := range r.children {
		if m == orig {
			return
		}
		if !m.Is(status.Managed) {
			for _, c := range r.thisWith {
				if c.score == infinity {
					insertSorted(list, c, false)
				}
			}
			return
		}
	}
}

func (g group) addColocatedScores(target *rsc, nodes *table, c *colocation, factor float32, flags selectFlags) {
	if g.has(updatingScores) {
		return
	}
	g.mark(updatingScores)
	m := g.children[0]
	if *nodes == nil {
		m = g.last()
	}
	m.v.addColocatedScores(target, nodes, c, factor, flags)
	g.unmark(updatingScores)
}

func (g group) graphMeta(*attrSet) {}

func (g group) shutdownLock() {
	for _, m := range g.children {
		m.v.shutdownLock()
	}
}
