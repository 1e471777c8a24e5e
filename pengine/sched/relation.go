// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"
	"strings"

	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/transition/graph"
)

// relation is what an ordering of two actions means.
type relation uint32

const (
	relOrdered relation = 1 << iota
	relIfFirstUnmigratable
	relThenImpliesFirst
	relFirstImpliesThen
	relPromotedThenImpliesFirst
	relUnmigratableThenBlocks
	relUnrunnableFirstBlocks
	relFirstElseThen
	relFirstImpliesSameNodeThen
	relNestedRemoteProbe
	relIntermediateStop
	relSerialize
	relIfOnSameNode
	relThenImpliesFirstGraphed
	relFirstImpliesThenGraphed
	relAsymmetric
	relIfOnSameNodeOrTarget
	relMinRunnable
	relIfRequiredOnSameNode
	relGuestAllowed
	relThenCancelsFirst
)

func (r relation) is(o relation) bool { return r&o == o }

// ordering is a wish for an order; it becomes relations of actions once these
// are known. An action is named itself or by resource and key.
type ordering struct {
	first, then             *rsc
	firstKey, thenKey       string
	firstAction, thenAction *action
	rel                     relation
}

func (s *scheduler) addOrdering(o ordering) {
	if o.first == nil && o.firstAction != nil {
		o.first = o.firstAction.rsc
	}
	if o.then == nil && o.thenAction != nil {
		o.then = o.thenAction.rsc
	}
	if o.firstKey == "" && o.firstAction != nil {
		o.firstKey = o.firstAction.key
	}
	if o.thenKey == "" && o.thenAction != nil {
		o.thenKey = o.thenAction.key
	}
	if len(s.orderingSlab) == 0 {
		s.orderingSlab = make([]ordering, slabSize)
	}
	p := &s.orderingSlab[0]
	s.orderingSlab = s.orderingSlab[1:]
	*p = o
	s.orderings = append(s.orderings, p)
	s.orderMigrations(p)
}

// orderTasks orders a task of one resource before one of another.
func orderTasks(first *rsc, firstTask string, then *rsc, thenTask string, rel relation) {
	first.s.addOrdering(ordering{first: first, firstKey: first.key(firstTask), then: then, thenKey: then.key(thenTask), rel: rel})
}

// applyOrderings makes relations of the wishes and lets each action feel those
// before it until nothing changes.
func (s *scheduler) applyOrderings() {
	for _, o := range s.orderings {
		switch {
		case o.first != nil:
			s.orderFirst(o)
		case o.then != nil:
			s.orderAfter(o.firstAction, o.then, o)
		default:
			order(o.firstAction, o.thenAction, o.rel)
		}
	}
	for _, v := range slices.Backward(s.actions) {
		s.blockDependents(v)
	}
	s.orderProbes()
	for _, v := range slices.Backward(s.actions) {
		s.update(v)
	}
	s.dropInvalid()
}

// findByTask finds actions by a key that may name another resource.
func (r *rsc) findByTask(key string) []*action {
	if list := r.find(key, nil); len(list) > 0 {
		return list
	}
	_, task, interval, err := graph.ParseOpKey(key)
	if err != nil {
		return nil
	}
	own := r.opKey(task, interval)
	if own == key {
		return nil // it names this one
	}
	return r.find(own, nil)
}

func (s *scheduler) orderFirst(o *ordering) {
	var firsts []*action
	if o.firstAction != nil {
		firsts = []*action{o.firstAction}
	} else {
		firsts = o.first.findByTask(o.firstKey)
	}
	if len(firsts) == 0 && o.first != o.then {
		_, task, interval, _ := graph.ParseOpKey(o.firstKey)
		role := o.first.State(true)
		if !(role == status.RoleStopped && task == taskStop) && !(role == status.RoleUnpromoted && task == taskDemote) {
			firsts = []*action{s.opAction(o.first, o.first.opKey(task, interval), task, nil, true)}
		}
	}
	then := o.then
	if then == nil {
		if o.thenAction == nil {
			return
		}
		then = o.thenAction.rsc
	}
	for _, a := range firsts {
		if then == nil {
			order(a, o.thenAction, o.rel)
		} else {
			s.orderAfter(a, then, o)
		}
	}
}

func (s *scheduler) orderAfter(first *action, then *rsc, o *ordering) {
	var thens []*action
	if o.thenAction != nil {
		thens = []*action{o.thenAction}
	} else {
		thens = then.findByTask(o.thenKey)
	}
	rel := o.rel
	if first != nil && first.rsc == then && first.is(migrationAbort) {
		rel &^= relFirstImpliesThen
	}
	if first == nil && !rel.is(relFirstImpliesThen) {
		return
	}
	for _, a := range thens {
		if first != nil {
			order(first, a, rel)
		} else {
			a.clear(runnable)
		}
	}
}

// dropInvalid drops orderings that would make no sense in the graph.
func (s *scheduler) dropInvalid() {
	for _, a := range slices.Backward(s.actions) {
		for _, in := range slices.Backward(a.before) {

			guest := !in.rel.is(relGuestAllowed) && in.action.rsc != nil && a.rsc.runsGuest(in.action.node)
			loop := in.rel == relIfOnSameNodeOrTarget && a.rsc != nil && a.task == taskMigrateTo && s.hasLoop(a, a, in)
			if guest || loop {
				in.rel = 0
			}
		}
	}
}

// runsGuest tells whether the node runs inside the resource.
func (r *rsc) runsGuest(n *node) bool {
	return r != nil && len(r.launched) > 0 && n != nil && n.Connection != nil && n.Connection.Launcher == r.Resource
}

// changed tells which end of a relation was changed.
type changed uint

const (
	changedFirst changed = 1 << iota
	changedThen
)

// flagsFor are an action's flags as they matter for an ordering.
func (a *action) flagsFor(n *node) actionFlags {
	if a.rsc == nil {
		return a.flags
	}
	f := a.rsc.v.actionFlags(a, nil)
	if n == nil || !a.rsc.isVariant(status.Clone) {
		return f
	}
	g := a.rsc.v.actionFlags(a, n)
	if f.is(runnable) {
		g |= runnable
	}
	return g
}

// completed gives, for a start or the like of a collective, the action that
// marks its end.
func (a *action) completed() *action {
	r := a.rsc
	if r == nil || r.Variant == status.Primitive || strings.Contains(a.key, taskNotify) {
		return a
	}
	id, task, interval, err := graph.ParseOpKey(a.key)
	if err != nil || interval > 0 {
		return a
	}
	done := map[string]string{
		taskStop: taskStopped, taskStopped: taskStopped, taskStart: taskStarted, taskStarted: taskStarted,
		taskNotified: taskNotified, taskPromote: taskPromoted, taskPromoted: taskPromoted, taskDemote: taskDemoted, taskDemoted: taskDemoted,
	}[task]
	if done == "" {
		return a
	}
	key := graph.OpKey(id, done, 0)
	if r.Is(status.Notify) && (r.Variant >= status.Clone || r.InBundle()) {
		key = graph.NotifyKey(id, "confirmed-post", done)
	}
	if b := r.latest(key, "", nil); b != nil {
		return b
	}
	return a
}

// maxUpdates bounds the work of one fixpoint.
const maxUpdates = 50_000_000

// update lets an action feel those before it, and those after it feel the
// change.
func (s *scheduler) update(then *action) {
	if s.updates++; s.updates > maxUpdates {
		return
	}
	var ch changed
	last := then.flags
	if then.wantRunnable > 0 {
		then.runnableBefore = 0
		then.clear(runnable)
	}
	for _, v := range slices.Backward(then.before) {
		s.updateFrom(then, v, &ch)
	}
	if then.wantRunnable > 0 {
		if last == then.flags {
			ch &^= changedThen
		} else {
			ch |= changedThen
		}
	}
	if ch&changedThen != 0 {
		if last.is(runnable) && !then.is(runnable) {
			s.blockDependents(then)
		}
		s.update(then)
		for _, v := range slices.Backward(then.after) {
			s.update(v.action)
		}
	}
}

// groupNode is the node that matters for the start of a group.
func (a *action) groupNode() *node {
	if a.rsc.isVariant(status.Group) && a.task == taskStart {
		return a.rsc.assignedTo().on()
	}
	return a.node
}

func (s *scheduler) updateFrom(then *action, in *related, ch *changed) {
	first := in.action
	firstNode, thenNode := first.groupNode(), then.groupNode()
	if in.rel.is(relIfOnSameNode) && firstNode != nil && thenNode != nil && firstNode != thenNode {
		in.rel = 0
		return
	}
	*ch &^= changedFirst
	if first.rsc != nil && in.rel.is(relThenCancelsFirst) && !then.is(optional) {
		first.set(optional)
		if first.task == taskReload {
			first.rsc.unmark(reloading)
		}
	}
	if first.rsc != nil && then.rsc != nil && first.rsc != then.rsc && !then.rsc.isParent(first.rsc) {
		first = first.completed()
	}
	if first == in.action {
		*ch |= s.updatePair(first, then, first.flagsFor(thenNode), then.flagsFor(firstNode), in)
	} else if order(first, then, in.rel) {
		*ch |= changedThen
		in.rel = 0
	}
	if *ch&changedFirst != 0 {
		for _, v := range slices.Backward(first.after) {
			s.update(v.action)
		}
		s.update(first)
	}
}

// updatePair applies each meaning of one relation.
func (s *scheduler) updatePair(first, then *action, ff, tf actionFlags, in *related) changed {
	var ch changed
	n := then.node
	on := func(r *rsc, flags, filter actionFlags, rel relation) {
		ch |= r.v.updateOrdered(first, then, n, flags, filter, rel)
	}
	if in.rel.is(relFirstImpliesSameNodeThen) {
		in.rel = in.rel&^relFirstImpliesSameNodeThen | relFirstImpliesThen
		n = first.node
	}
	if in.rel.is(relFirstImpliesThen) {
		if then.rsc != nil {
			on(then.rsc, ff&optional, optional, relFirstImpliesThen)
		} else if !ff.is(optional) && then.is(optional) {
			then.clear(optional)
			ch |= changedThen
		}
	}
	if in.rel.is(relIntermediateStop) && then.rsc != nil {
		on(then.rsc, ff, optional|runnable, relIntermediateStop)
	}
	if in.rel.is(relThenImpliesFirst) {
		if first.rsc != nil {
			on(first.rsc, ff, optional, relThenImpliesFirst)
		} else if !ff.is(optional) && first.is(runnable) {
			first.clear(runnable)
			ch |= changedFirst
		}
	}
	if in.rel.is(relPromotedThenImpliesFirst) && then.rsc != nil {
		on(then.rsc, ff&optional, optional, relPromotedThenImpliesFirst)
	}
	if in.rel.is(relMinRunnable) {
		if then.rsc != nil {
			on(then.rsc, ff, runnable, relMinRunnable)
		} else if ff.is(runnable) {
			if then.runnableBefore++; then.runnableBefore >= then.wantRunnable && !then.is(runnable) {
				then.set(runnable)
				ch |= changedThen
			}
		}
	}
	if in.rel.is(relNestedRemoteProbe) && then.rsc != nil {
		if !ff.is(runnable) && first.rsc != nil && len(first.rsc.ActiveOn) > 0 {
			in.rel = 0
		} else {
			on(then.rsc, ff, runnable, relUnrunnableFirstBlocks)
		}
	}
	if in.rel.is(relUnrunnableFirstBlocks) {
		if then.rsc != nil {
			on(then.rsc, ff, runnable, relUnrunnableFirstBlocks)
		} else if !ff.is(runnable) && then.is(runnable) {
			then.clear(runnable)
			ch |= changedThen
		}
	}
	for _, m := range []struct {
		rel    relation
		filter actionFlags
	}{{relUnmigratableThenBlocks, optional}, {relFirstElseThen, optional}, {relOrdered, runnable}, {relAsymmetric, runnable}} {
		if in.rel.is(m.rel) && then.rsc != nil {
			on(then.rsc, ff, m.filter, m.rel)
		}
	}
	return ch | s.updateGraphed(first, then, ff, tf, in)
}

func (s *scheduler) updateGraphed(first, then *action, ff, tf actionFlags, in *related) (ch changed) {
	if first.is(runnable) && in.rel.is(relFirstImpliesThenGraphed) && !ff.is(optional) {
		then.set(alwaysInGraph)
	}
	if in.rel.is(relThenImpliesFirstGraphed) && !tf.is(optional) {
		first.set(alwaysInGraph)
	}
	if in.rel&(relFirstImpliesThen|relThenImpliesFirst|relIntermediateStop) != 0 && first.rsc != nil && !first.rsc.Is(status.Managed) &&
		first.rsc.Is(status.Blocked) && !first.is(runnable) && first.task == taskStop && then.is(runnable) {
		then.clear(runnable)
		if s.in.Trace {
			s.noteLoss(then, loss{flag: runnable, cause: first})
		}
		ch |= changedThen
	}
	return ch
}

// updateOrdered is what one relation does to two actions, whatever resources
// they are of.
func (s *scheduler) updateOrdered(first, then *action, flags, filter actionFlags, rel relation) changed {
	ff, tf := first.flags, then.flags
	if rel.is(relAsymmetric) {
		asymmetric(first, then)
	}
	if rel.is(relThenImpliesFirst) && !tf.is(optional) {
		if filter.is(optional) && !flags.is(optional) && ff.is(optional) {
			first.lose(optional, then)
		}
		if flags.is(migratable) && !then.is(migratable) {
			first.lose(migratable, then)
		}
	}
	if rel.is(relPromotedThenImpliesFirst) && then.rsc != nil && then.rsc.Role == status.RolePromoted && filter.is(optional) && !then.is(optional) {
		first.lose(optional, then)
		if first.is(migratable) && !then.is(migratable) {
			first.lose(migratable, then)
		}
	}
	if rel.is(relUnmigratableThenBlocks) && filter.is(optional) {
		if !then.is(migratable | runnable) {
			first.lose(runnable, then)
		}
		if !then.is(optional) {
			first.lose(optional, then)
		}
	}
	if rel.is(relFirstElseThen) && filter.is(optional) && !first.is(runnable) {
		then.lose(migratable, first)
		then.clear(pseudo)
	}
	if rel.is(relUnrunnableFirstBlocks) && filter.is(runnable) && then.is(runnable) && !flags.is(runnable) {
		then.lose(runnable, first)
		then.lose(migratable, first)
	}
	if rel.is(relFirstImpliesThen) && filter.is(optional) && then.is(optional) && !flags.is(optional) && !first.is(migratable) {
		then.lose(optional, first)
	}
	if rel.is(relIntermediateStop) {
		restart(first, then, filter)
	}
	var ch changed
	if tf != then.flags {
		ch |= changedThen
		if then.rsc != nil && then.rsc.parent != nil {
			s.update(then)
		}
	}
	if ff != first.flags {
		ch |= changedFirst
	}
	return ch
}

func asymmetric(first, then *action) {
	if then.rsc == nil || first.is(runnable) {
		return
	}
	if then.is(optional) {
		role := then.rsc.State(true)
		if role == status.RoleStopped && then.task == taskStop {
			return
		}
		on := then.rsc.ActiveOn
		if role >= status.RoleStarted && then.task == taskStart && len(on) == 1 && on[0] == then.node {
			return
		}
	}
	then.lose(optional, first)
	then.lose(runnable, first)
}

// restart makes a stop (first) needed where the start (then) is.
func restart(first, then *action, filter actionFlags) {
	needed := filter.is(optional) && !then.is(optional)
	stop := filter.is(runnable) && !then.is(runnable) && then.rsc.Is(status.Managed) && first.rsc == then.rsc
	if !needed && !stop {
		return
	}
	if first.is(runnable) || !then.is(optional) {
		first.lose(optional, then)
	}
	if !then.is(migratable) {
		first.lose(migratable, then)
	}
	if !first.is(optional) && !first.is(runnable) {
		then.lose(runnable, first)
	}
}
