// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/transition/graph"
)

// actionFlags are an action's yes-or-no properties.
type actionFlags uint

const (
	pseudo actionFlags = 1 << iota
	runnable
	optional
	alwaysInGraph
	attrsEvaluated
	migratable
	inGraph
	migrationAbort
	reschedule
	detectLoop
	deduplicated
	onDC
)

// The tasks of actions.
const (
	taskStart       = "start"
	taskStarted     = "running"
	taskStop        = "stop"
	taskStopped     = "stopped"
	taskPromote     = "promote"
	taskPromoted    = "promoted"
	taskDemote      = "demote"
	taskDemoted     = "demoted"
	taskMonitor     = "monitor"
	taskNotify      = "notify"
	taskNotified    = "notified"
	taskCancel      = "cancel"
	taskDelete      = "delete"
	taskLRMDelete   = "lrm_delete"
	taskReload      = "reload-agent"
	taskMigrateTo   = "migrate_to"
	taskMigrateFrom = "migrate_from"
	taskFence       = "stonith"
	taskShutdown    = "do_shutdown"
	taskClear       = "clear_failcount"
	taskMaintenance = "maintenance_nodes"
)

// action is one step that may have to be taken.
type action struct {
	id         int
	s          *scheduler
	rsc        *rsc
	node       *node
	task       string
	cancelTask string
	key        string
	reason     string
	flags      actionFlags
	meta       metaAttrs
	extra      map[string]string // instance attributes of the operation
	needs      status.Requires
	priority   score
	config     *etree.Element
	before     []*related // in the order of creation
	after      []*related
	// runnableBefore counts, of the actions before, those that can run;
	// where wantRunnable is set, so many have to.
	runnableBefore, wantRunnable int
	walk                         int // the last one of orderProbes that came here
}

// related is one end of an ordering between two actions.
type related struct {
	action *action
	rel    relation
	graph  bool // became an input of the graph
}

func (a *action) is(f actionFlags) bool     { return a.flags&f == f }
func (a *action) set(f actionFlags)         { a.flags |= f }
func (a *action) clear(f actionFlags)       { a.flags &^= f }
func (f actionFlags) is(o actionFlags) bool { return f&o == o }

// because sets the reason of an action that has none; force replaces it.
func (a *action) because(why string, force bool) {
	if a.reason == "" || force {
		a.reason = why
	}
}

// asReason words an action as the reason of another's change.
func (a *action) asReason(f actionFlags) string {
	word := "required"
	switch f {
	case runnable:
		word = "unrunnable"
	case migratable:
		word = "unmigrateable"
	}
	if a.rsc != nil {
		word += " " + a.rsc.ID
	}
	return word + " " + a.task
}

// lose clears a flag because of another action.
func (a *action) lose(f actionFlags, cause *action) {
	if a.is(f) {
		a.clear(f)
		if a.s.in.Trace {
			a.s.noteLoss(a, loss{flag: f, cause: cause})
		}
		if a.rsc != cause.rsc {
			a.because(cause.asReason(f), false)
		}
	}
}

func (a *action) intervalMS() uint {
	v, has := a.meta.lookup("interval")
	if !has {
		return 0
	}
	n, err := strconv.ParseUint(v, 10, 32)
	if err != nil {
		return 0
	}
	return uint(n)
}

// opAction finds or makes an action of a resource. on may be nil.
func (s *scheduler) opAction(r *rsc, key, task string, on *node, isOptional bool) *action {
	a := r.existing(key, on)
	if a == nil {
		a = s.newAction(key, task, r, on, isOptional)
	}
	_, recurring := a.meta.lookup("interval")
	if a.node != nil && !a.is(pseudo) && !r.Is(status.Managed) && !recurring {
		a.set(optional)
	} else if !isOptional {
		a.clear(optional)
	}
	if a.node != nil && a.config != nil && !a.is(attrsEvaluated) {
		a.extra = s.c.OpParams(a.config, a.node)
		a.set(attrsEvaluated)
	}
	s.updateRunnable(a)
	return a
}

// plainAction finds or makes an action of no resource.
func (s *scheduler) plainAction(key, task string, on *node, isOptional bool) *action {
	a := s.singletons[key]
	if a == nil {
		a = s.newAction(key, task, nil, on, isOptional)
	}
	if !isOptional {
		a.clear(optional)
	}
	return a
}

// pseudoAction is a mere point in the order, of no resource.
func (s *scheduler) pseudoAction(name string) *action {
	a := s.singletons[name]
	if a == nil {
		a = s.plainAction(name, name, nil, true)
		a.set(pseudo | runnable)
	}
	return a
}

func (s *scheduler) newAction(key, task string, r *rsc, on *node, isOptional bool) *action {
	if len(s.actionSlab) == 0 {
		s.actionSlab = make([]action, slabSize)
	}
	a := &s.actionSlab[0]
	s.actionSlab = s.actionSlab[1:]
	*a = action{id: len(s.actions) + 1, s: s, rsc: r, node: on, task: task, key: key, flags: runnable}
	if task == taskLRMDelete {
		a.set(onDC)
	}
	if isOptional {
		a.set(optional)
	}
	s.actions = append(s.actions, a)
	if r == nil {
		s.singletons[key] = a
		return a
	}
	var interval uint
	if key != r.key(task) {
		_, _, interval, _ = graph.ParseOpKey(key)
	}
	a.config = r.Operation(task, interval, true)
	if a.config == nil && strings.Contains(key, "_notify_") {
		a.config = r.Operation(taskNotify, 0, true)
	}
	a.meta.base = s.opMeta(r, on, task, interval, a.config)
	a.needs = r.ActionRequires(task)
	r.actions = append(r.actions, a)
	return a
}

// existing finds an action by key; one without node is bound to the node given.
func (r *rsc) existing(key string, on *node) *action {
	var oldest *action
	for _, a := range r.actions {
		if sameName(a.key, key) && a.bind(on) && oldest == nil {
			oldest = a
		}
	}
	return oldest
}

// bind tells whether the action is on the node (nil: any); one without node is
// bound to it.
func (a *action) bind(on *node) bool {
	if on != nil && a.node == nil {
		a.node = on
	}
	return on == nil || a.node == on
}

// sameName compares keys of one resource, or tasks, letters without case.
func sameName(a, b string) bool {
	return len(a) == len(b) && (a == b || strings.EqualFold(a, b))
}

// find finds the actions with the key on the node (nil: any), the oldest first.
// One without node is bound to the node given.
func (r *rsc) find(key string, on *node) []*action {
	var out []*action
	for _, a := range r.actions {
		if sameName(a.key, key) && a.bind(on) {
			out = append(out, a)
		}
	}
	return out
}

// findExact finds the actions with the key that are bound to the node.
func (r *rsc) findExact(key string, on *node) []*action {
	var out []*action
	for _, a := range r.actions {
		if on != nil && a.node == on && sameName(a.key, key) {
			out = append(out, a)
		}
	}
	return out
}

// findTask finds the actions of a task without interval.
func (r *rsc) findTask(task string, on *node, exact bool) []*action {
	if exact {
		return r.findExact(r.key(task), on)
	}
	return r.find(r.key(task), on)
}

// latest finds the newest action by key or task ("" matches any) on a node (nil:
// any).
func (r *rsc) latest(key, task string, on *node) *action {
	for _, a := range slices.Backward(r.actions) {
		if (on == nil || a.node == on) && (task == "" || sameName(a.task, task)) && (key == "" || sameName(a.key, key)) {
			return a
		}
	}
	return nil
}

// key names an action without interval.
func (r *rsc) key(task string) string {
	for i := range r.keys {
		if r.keys[i].task == task {
			return r.keys[i].key
		}
	}
	key := graph.OpKey(r.ID, task, 0)
	r.keys = append(r.keys, taskKey{task, key})
	return key
}

// opKey names an action.
func (r *rsc) opKey(task string, intervalMS uint) string {
	if intervalMS == 0 {
		return r.key(task)
	}
	return graph.OpKey(r.ID, task, intervalMS)
}

// taskKey is a key that was asked for.
type taskKey struct{ task, key string }

func (r *rsc) act(task string, on *node, isOptional bool) *action {
	return r.s.opAction(r, r.key(task), task, on, isOptional)
}

// pseudoOp makes a pseudo action of a resource.
func (r *rsc) pseudoOp(task string, isOptional, isRunnable bool) *action {
	a := r.act(task, nil, isOptional)
	a.set(pseudo)
	if isRunnable {
		a.set(runnable)
	}
	return a
}

// quorumPolicy is what lack of quorum means for the resource now.
func (s *scheduler) quorumPolicy(r *rsc) status.NoQuorumPolicy {
	p := s.c.Options.NoQuorum
	switch {
	case s.c.Quorate:
		return status.NoQuorumIgnore
	case p != status.NoQuorumDemote:
		return p
	case r.Role == status.RolePromoted || r.Role == status.RoleUnpromoted:
		if r.NextRole > status.RoleUnpromoted {
			r.SetNextRole(status.RoleUnpromoted, "no-quorum-policy=demote")
		}
		return status.NoQuorumIgnore
	}
	return status.NoQuorumStop
}

// updateRunnable finds out whether an action can run.
func (s *scheduler) updateRunnable(a *action) {
	r, n := a.rsc, a.node
	switch {
	case a.is(pseudo):
	case n == nil:
		a.clear(runnable)
	case !a.is(onDC) && !n.Online && (!n.IsGuest() || n.RemoteReset):
		a.clear(runnable)
		if r.Is(status.Managed) && a.task == taskStop && !n.Unclean {
			s.fenceNode(n, "stop is unrunnable", false)
		}
	case !a.is(onDC) && n.Pending:
		a.clear(runnable)
	case a.needs == status.RequiresNothing:
		a.reason = ""
		if n.IsGuest() && !s.c.CanFence(n) {
			a.clear(runnable)
		} else {
			a.set(runnable)
		}
	default:
		switch s.quorumPolicy(r) {
		case status.NoQuorumStop:
			a.clear(runnable)
			a.because("no quorum", true)
		case status.NoQuorumFreeze:
			if !r.Active(true) || r.NextRole > r.Role {
				a.clear(runnable)
				a.because("quorum freeze", true)
			}
		default:
			a.set(runnable)
		}
	}
}

// order makes then come after first. It is false where that is known already.
func order(first, then *action, rel relation) bool {
	if rel == 0 || first == nil || then == nil {
		return false
	}
	for _, o := range first.after {
		if o.action == then && o.rel&rel != 0 {
			return false
		}
	}
	s := first.s
	first.after = append(first.after, s.relate(then, rel))
	then.before = append(then.before, s.relate(first, rel))
	return true
}

// slabSize is how many small things of a kind are allocated at once.
const slabSize = 256

func (s *scheduler) relate(a *action, rel relation) *related {
	if len(s.relatedSlab) == 0 {
		s.relatedSlab = make([]related, slabSize)
	}
	r := &s.relatedSlab[0]
	s.relatedSlab = s.relatedSlab[1:]
	r.action, r.rel = a, rel
	return r
}

// takeIntents makes actions of what the history demands.
func (s *scheduler) takeIntents() {
	list := s.c.Intents
	s.c.Intents = nil // what follows may demand more, and takes that itself
	for _, i := range list {
		r := s.of[i.Rsc]
		unmanaged := i.Managed && !r.Is(status.Managed)
		if unmanaged {
			r.Set(status.Managed) // as it was then
		}
		if a := s.takeIntent(i, r); a != nil && i.Offline && !a.is(onDC) {
			a.clear(runnable)
		}
		if unmanaged {
			r.Clear(status.Managed)
		}
	}
}

// takeIntent gives the action that one demand is for, if any.
func (s *scheduler) takeIntent(i status.Intent, r *rsc) *action {
	switch i.Kind {
	case status.IntentFence:
		s.fenceOp(i.Node, "", true, i.Reason, i.PriorityDelay)
	case status.IntentAction:
		return s.opAction(r, graph.OpKey(r.ID, i.Task, i.IntervalMS), i.Task, i.Node, true)
	case status.IntentStop:
		return r.act(taskStop, i.Node, false)
	case status.IntentDemote:
		return r.act(taskDemote, i.Node, false)
	case status.IntentStopOptional:
		for _, a := range r.findTask(taskStop, i.Node, false) {
			a.set(optional)
		}
	case status.IntentClearFailCount:
		clear := s.clearFailCount(r, i.Node)
		if i.AfterRemoteFencing {
			if n := s.findNode(r.ID); n != nil {
				order(s.fenceOp(n, "", true, "", false), clear, relFirstImpliesThen)
			}
		}
		return clear
	case status.IntentDeleteHistory:
		return r.act(taskLRMDelete, i.Node, false)
	}
	return nil
}

func (s *scheduler) clearFailCount(r *rsc, n *node) *action {
	a := r.act(taskClear, n, false)
	a.meta.set("op_no_wait", "true")
	return a
}
