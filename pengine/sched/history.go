// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/status"
)

// internalConstraints makes the constraints that resources have by nature.
func (s *scheduler) internalConstraints() {
	for _, r := range s.rscs {
		r.v.internalConstraints()
	}
}

// checkHistory compares what runs with what is configured.
func (s *scheduler) checkHistory() {
	for _, n := range s.nodes {
		if !n.Maintenance && !available(n) {
			continue
		}
		state := document.ChildWith(document.Child(s.c.Root, "status"), "node_state", "uname", n.Name)
		for e := range document.Children(document.At(state, "lrm", "lrm_resources"), "lrm_resource") {
			if document.Child(e, "") == nil {
				continue
			}
			for _, l := range slices.Backward(s.c.Named(document.ID(e))) {
				if l.Variant == status.Primitive {
					s.of[l].checkHistory(e, n)
				}
			}
		}
	}
}

// agentChanged tells whether the resource is another agent's now.
func (r *rsc) agentChanged(e *etree.Element, n *node, active bool) bool {
	is := false
	for _, name := range []string{"type", "class", "provider"} {
		a, okA := document.Lookup(r.XML, name)
		b, okB := document.Lookup(e, name)
		if a != b || okA != okB {
			is = true
			r.s.unfence(r, n, "Device definition changed")
		}
	}
	if is && active {
		r.act(taskStop, n, false)
		r.Set(status.StartPending)
	}
	return is
}

func (r *rsc) checkHistory(e *etree.Element, n *node) {
	s := r.s
	if r.Is(status.Removed) {
		if !r.top().isAnonymousClone() {
			r.cleanUp(n, false)
		}
		return
	}
	active := r.activeOn(n)
	if r.agentChanged(e, n, active) {
		r.cleanUp(n, false)
	}
	if !active {
		return
	}
	ops, start, stop := status.SortedHistory(e)
	if start < stop {
		return
	}
	for i, op := range ops {
		if i < start {
			continue
		}
		task, interval := document.Get(op, "operation"), status.HistoryInterval(op)
		if interval > 0 && (r.Is(status.InMaintenance) || n.Maintenance) {
			r.scheduleCancel(op, task, interval, n)
			continue
		}
		switch {
		case interval > 0, task == taskMonitor, task == taskStart, task == taskPromote, task == taskMigrateFrom:
			if s.c.NeedsRemoteName(r.Resource) {
				s.c.ParamChecks = append([]status.ParamCheck{{Op: op, Rsc: r.Resource, Node: n}}, s.c.ParamChecks...)
			} else if r.checkConfig(n, op) {
				if count, _ := s.c.FailCount(n, r.Resource, status.FailEffective, nil); count != 0 {
					s.clearFailCount(r, n)
				}
			}
		}
	}
}

// scheduleCancel ends a recurring operation.
func (r *rsc) scheduleCancel(op *etree.Element, task string, interval uint, n *node) {
	c := r.cancelAction(task, interval, n)
	if id, has := document.Lookup(op, "call-id"); has {
		c.meta.set("call-id", id)
	}
	r.s.addOrdering(ordering{first: r, firstKey: r.key(taskStop), then: r, thenAction: c, rel: relOrdered})
}

// checkConfig tells whether an active operation's configuration changed, and
// makes the actions for that.
func (r *rsc) checkConfig(n *node, op *etree.Element) bool {
	s := r.s
	task, interval := document.Get(op, "operation"), status.HistoryInterval(op)
	if interval > 0 && r.Operation(task, interval, false) == nil {
		if s.c.Options.CancelRemovedActions {
			r.scheduleCancel(op, task, interval, n)
		}
		return true
	}
	if interval == 0 && (task == taskMonitor || task == taskMigrateFrom || task == taskPromote) {
		task = taskStart
	}
	d := s.c.CompareDigest(r.Resource, op, n)
	if s.c.Sanitized && d.Result != status.DigestSame {
		if secure, has := document.Lookup(op, "op-secure-digest"); has && d.Secure == secure {
			s.showNotes(r.privateNote(task, interval, n, document.Get(op, "transition-magic")))
			return false
		}
	}
	switch d.Result {
	case status.DigestSame:
		return false
	case status.DigestRestart:
		r.forceRestart(task, interval, n)
		return true
	}
	_, reloads := s.c.RestartDigest(op)
	switch {
	case interval > 0:
		s.unfence(r, n, "Device parameters changed (reschedule)")
		s.opAction(r, r.opKey(task, interval), task, n, true).set(reschedule)
	case reloads:
		s.unfence(r, n, "Device parameters changed (reload)")
		r.reload(n)
	default:
		r.forceRestart(task, interval, n)
	}
	return true
}

func (r *rsc) forceRestart(task string, interval uint, n *node) {
	a := r.s.opAction(r, r.opKey(task, interval), task, nil, false)
	a.because("resource definition change", true)
	if r.s.in.Trace {
		r.s.noteLoss(a, loss{flag: optional, with: r.ID})
	}
	r.s.unfence(r, n, "Device parameters changed")
}

// reload makes the agent take over parameters without a restart.
func (r *rsc) reload(n *node) {
	if !r.Is(status.Managed) || r.Is(status.Failed) {
		return
	}
	if r.Is(status.StartPending) {
		r.act(taskStop, n, false)
		return
	}
	r.mark(reloading)
	a := r.act(taskReload, n, false)
	a.because("resource definition change", false)
	for _, task := range []string{taskStop, taskDemote} {
		r.s.addOrdering(ordering{firstAction: a, then: r, thenKey: r.key(task), rel: relOrdered | relThenCancelsFirst})
	}
}

// checkParams makes the comparisons that had to wait.
func (s *scheduler) checkParams() {
	for _, c := range s.c.ParamChecks {
		r := s.of[c.Rsc]
		if c.LastFailure {
			switch s.c.CompareDigest(c.Rsc, c.Op, c.Node).Result {
			case status.DigestSame, status.DigestUnknown:
			default:
				s.clearFailCount(r, c.Node)
			}
			continue
		}
		if count, _ := s.c.FailCount(c.Node, c.Rsc, status.FailEffective, nil); r.checkConfig(c.Node, c.Op) && count != 0 {
			s.clearFailCount(r, c.Node)
		}
	}
	s.c.ParamChecks = nil
}
