// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"

	"github.com/quorate/quorate/pengine/status"
)

// A Change is one line of a transition summary.
type Change struct {
	// Node is set for what happens to a node, with Verb "Shutdown" or "Fence
	// (reboot)".
	Verb     string
	Node     string
	Resource string
	From, To string // nodes, "" where there is none
	Role     status.Role
	Next     status.Role
	Reason   string
	Blocked  bool
}

// result gathers the outcome.
func (s *scheduler) result() *Result {
	r := &Result{Cluster: s.c, Graph: s.graph, Scores: s.scores, Notes: s.notes, RecheckBy: s.c.RecheckBy, Errors: s.c.Errors, Warnings: s.c.Warnings, s: s}
	for _, a := range slices.Backward(s.actions) {

		if a.rsc != nil || a.is(optional) {
			continue
		}
		c := Change{Reason: a.reason}
		switch a.task {
		case taskShutdown:
			c.Verb = "Shutdown"
		case taskFence:
			c.Verb = "Fence (" + a.meta.get("stonith_action") + ")"
			if op := a.meta.get("stonith_action"); a.is(inGraph) && !a.is(pseudo) && op != "on" {
				r.Fence = append(r.Fence, a.node.Name)
			}
		default:
			continue
		}
		c.Node = a.node.Name
		if a.node.IsGuest() {
			c.Node += " (resource: " + a.node.Connection.Launcher.ID + ")"
		}
		r.Changes = append(r.Changes, c)
	}
	r.Changes = slices.Grow(r.Changes, len(s.of))
	for _, x := range s.rscs {
		r.Changes = append(r.Changes, x.v.changes()...)
	}
	return r
}

func (p primitive) changes() []Change {
	r := p.rsc
	if len(r.children) > 0 {
		var out []Change
		for _, k := range r.children {
			out = append(out, k.v.changes()...)
		}
		return out
	}
	var current *node
	if len(r.ActiveOn) > 0 {
		current = r.CurrentNode()
		if r.Role == status.RoleStopped {
			r.Role = status.RoleStarted
		}
	}
	next := r.node()
	if current == nil && (r.Is(status.Removed) || next == nil) || !r.Is(status.Managed) {
		return nil
	}
	return r.change(current, next)
}

func first(list []*action) *action {
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

func (r *rsc) line(verb string, from, to *node, a, source *action) []Change {
	if source == nil {
		source = a
	}
	c := Change{Verb: verb, Resource: r.ID, Role: r.Role, Next: r.NextRole}
	if from != nil {
		c.From = from.Name
	}
	if to != nil {
		c.To = to.Name
	}
	if source != nil {
		c.Reason = source.reason
	}
	c.Blocked = a != nil && !a.is(runnable)
	return []Change{c}
}

// change words what becomes of one resource.
func (r *rsc) change(current, next *node) []Change {
	moving := current != nil && next != nil && current != next
	start := first(r.findTask(taskStart, next, false))
	var stopOn *node
	if start != nil && start.is(runnable) {
		stopOn = current
	}
	stop := first(r.findTask(taskStop, stopOn, false))
	if stop == nil && r.has(stopUnexpected) {
		stop = first(r.findTask(taskStop, nil, false))
	}
	promote, demote := first(r.findTask(taskPromote, next, false)), first(r.findTask(taskDemote, next, false))
	if r.Role == r.NextRole {
		return r.sameRole(current, next, moving, start, stop, promote, demote)
	}
	switch {
	case stop != nil && (r.NextRole == status.RoleStopped || start != nil && !start.is(runnable)):
		var out []Change
		for _, n := range r.ActiveOn {
			why := start
			op := first(r.findTask(taskStop, n, false))
			if op != nil && op.reason != "" {
				why = op
			}
			out = append(out, r.line("Stop", n, nil, op, why)...)
		}
		return out
	case stop != nil && r.Is(status.Failed|status.StopIfFailed):
		return r.line("Recover", current, next, stop, start)
	case moving:
		return r.line("Move", current, next, stop, nil)
	case r.has(reloading):
		return r.line("Reload", current, next, start, nil)
	case stop != nil && !stop.is(optional):
		return r.line("Restart", current, next, start, nil)
	case r.Role == status.RolePromoted:
		return r.line("Demote", current, next, demote, nil)
	case r.NextRole == status.RolePromoted:
		return r.line("Promote", current, next, promote, nil)
	case r.Role == status.RoleStopped && r.NextRole > status.RoleStopped:
		return r.line("Start", current, next, start, nil)
	}
	return nil
}

func (r *rsc) sameRole(current, next *node, moving bool, start, stop, promote, demote *action) []Change {
	if next == nil {
		return nil
	}
	migrate := first(r.findTask(taskMigrateFrom, next, false))
	switch {
	case migrate != nil && current != nil && migrate.is(runnable):
		return r.line("Migrate", current, next, start, nil)
	case r.has(reloading):
		return r.line("Reload", current, next, start, nil)
	case start == nil || start.is(optional):
		if demote != nil && promote != nil && !demote.is(optional) && !promote.is(optional) {
			return r.line("Re-promote", current, next, promote, demote)
		}
		return nil
	case !start.is(runnable):
		why := start
		if stop != nil && stop.reason != "" {
			why = stop
		}
		return r.line("Stop", current, nil, stop, why)
	case moving:
		verb := "Move"
		if r.Is(status.Failed) {
			verb = "Recover"
		}
		return r.line(verb, current, next, stop, nil)
	case r.Is(status.Failed):
		return r.line("Recover", current, nil, stop, nil)
	}
	return r.line("Restart", current, next, start, nil)
}
