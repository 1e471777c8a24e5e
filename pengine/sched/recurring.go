// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/status"
)

// recurringOp is a configured recurring operation.
type recurringOp struct {
	name     string
	key      string
	role     status.Role
	interval uint
}

// recurringOpOf reads a configured operation; ok is false where it does not
// recur or must not.
func (r *rsc) recurringOpOf(e *etree.Element) (op recurringOp, ok bool) {
	op.interval = status.IntervalMS(e)
	if op.interval == 0 {
		return op, false
	}
	id := document.ID(e)
	op.name = document.Get(e, "name")
	switch op.name {
	case taskStop, taskStart, taskDemote, taskPromote, taskReload, taskMigrateTo, taskMigrateFrom:
		r.s.errorf("ignoring " + id + " because " + op.name + " action cannot be recurring")
		return op, false
	}
	first := ""
	for _, o := range r.Operations() {
		if document.Get(o, "name") != op.name || status.IntervalMS(o) != op.interval || document.ID(o) == "" {
			continue
		}
		if first != "" {
			r.s.errorf("operation " + document.ID(o) + " is duplicate of " + first + " (do not use same name and interval combination more than once per resource)")
			return op, false
		}
		first = document.ID(o)
	}
	if role, has := document.Lookup(e, "role"); has {
		if op.role = status.ParseRole(role); op.role == status.RoleUnknown {
			r.s.errorf("ignoring " + id + " role because " + role + " is not a valid role")
			return op, false
		}
	}
	op.key = r.opKey(op.name, op.interval)
	return op, id != "" && r.Operation(op.name, op.interval, false) != nil
}

// recurring makes the recurring operations of the resource.
func (r *rsc) recurring() {
	if r.Any(status.Blocked | status.InMaintenance) {
		return
	}
	var start *action
	if r.assigned != nil && !r.node().Maintenance && (r.NextRole != status.RoleStopped || !r.Is(status.Managed)) {
		start = r.act(taskStart, r.node(), true)
	}
	for _, e := range r.Operations() {
		op, ok := r.recurringOpOf(e)
		if !ok {
			continue
		}
		if start != nil {
			r.recurActive(start, r.node(), op)
		}
		r.recurInactive(r.node(), op)
	}
}

// recursAlready tells whether the operation runs there and may go on.
func (r *rsc) recursAlready(n *node, key string, start *action) bool {
	if n == nil || !r.v.actionFlags(start, nil).is(optional) {
		return false
	}
	list := r.findExact(key, n)
	for _, a := range list {
		if a.is(reschedule) {
			return false
		}
	}
	return len(list) > 0
}

func (r *rsc) recurActive(start *action, n *node, op recurringOp) {
	if op.role == status.RoleStopped {
		return
	}
	already := r.recursAlready(n, op.key, start)
	match := r.NextRole == op.role
	if op.role == status.RoleUnknown {
		match = r.NextRole != status.RolePromoted
	}
	if !match {
		if already {
			r.cancelForRole(n, op)
		}
		return
	}
	s := r.s
	m := s.opAction(r, op.key, op.name, n, already)
	if !start.is(runnable) || n == nil || !n.Online || n.Unclean {
		m.clear(runnable)
	}
	if r.NextRole == status.RolePromoted {
		m.meta.set("op_target_rc", "8")
	}
	if n != nil && !r.Is(status.Managed) {
		return
	}
	rel := relFirstImpliesThen | relUnrunnableFirstBlocks
	s.addOrdering(ordering{first: r, firstKey: r.key(taskStart), thenKey: m.key, thenAction: m, rel: rel})
	s.addOrdering(ordering{first: r, firstKey: r.key(taskReload), thenKey: m.key, thenAction: m, rel: rel})
	if r.NextRole == status.RolePromoted {
		s.addOrdering(ordering{first: r, firstKey: r.key(taskPromote), then: r, thenAction: m, rel: relOrdered | relUnrunnableFirstBlocks})
	} else if r.Role == status.RolePromoted {
		s.addOrdering(ordering{first: r, firstKey: r.key(taskDemote), then: r, thenAction: m, rel: relOrdered | relUnrunnableFirstBlocks})
	}
}

// cancelForRole ends an operation that is for another role.
func (r *rsc) cancelForRole(n *node, op recurringOp) {
	c := r.cancelAction(op.name, op.interval, n)
	after := ""
	switch r.Role {
	case status.RoleUnpromoted, status.RoleStarted:
		switch r.NextRole {
		case status.RolePromoted:
			after = taskPromote
		case status.RoleStopped:
			after = taskStop
		}
	case status.RolePromoted:
		after = taskDemote
	}
	if after != "" {
		r.s.addOrdering(ordering{first: r, firstAction: c, then: r, thenKey: r.key(after), rel: relUnrunnableFirstBlocks})
	}
}

func (r *rsc) recurInactive(n *node, op recurringOp) {
	if op.role != status.RoleStopped || !r.Is(status.Unique) {
		return
	}
	for _, o := range r.s.nodes {
		if n != nil && strings.EqualFold(o.Name, n.Name) {
			if len(r.findExact(op.key, n)) > 0 {
				c := r.cancelAction(op.name, op.interval, n)
				if r.NextRole == status.RoleStarted || r.NextRole == status.RoleUnpromoted {
					r.s.addOrdering(ordering{first: r, firstAction: c, then: r, thenKey: r.key(taskStart), rel: relUnrunnableFirstBlocks})
				}
			}
			continue
		}
		m := r.s.opAction(r, op.key, op.name, o, len(r.findExact(op.key, o)) > 0)
		m.meta.set("op_target_rc", "7")
		if r.Is(status.Managed) {
			for _, p := range r.findTask(taskMonitor, o, false) {
				order(p, m, relUnrunnableFirstBlocks)
			}
		}
		r.afterStops(o, m)
		if !o.Online || o.Unclean {
			m.clear(runnable)
		}
	}
}

func (r *rsc) afterStops(n *node, a *action) {
	for _, stop := range r.findTask(taskStop, n, true) {
		if !stop.is(optional) && !a.is(optional) && !r.Is(status.Managed) {
			a.set(optional)
		}
		if !stop.is(runnable) {
			a.clear(runnable)
		}
		if r.Is(status.Managed) {
			r.s.addOrdering(ordering{first: r, firstKey: r.key(taskStop), firstAction: stop, thenAction: a, rel: relFirstImpliesThen | relUnrunnableFirstBlocks})
		}
	}
}

func (r *rsc) cancelAction(task string, interval uint, n *node) *action {
	a := r.s.opAction(r, r.opKey(task, interval), taskCancel, n, false)
	a.task, a.cancelTask = taskCancel, task
	a.meta.set("operation", task)
	a.meta.set("interval", strconv.FormatUint(uint64(interval), 10))
	return a
}
