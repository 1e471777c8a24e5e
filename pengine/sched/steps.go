// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"github.com/quorate/quorate/pengine/status"
)

// nextStep is the role on the way from one to another.
func nextStep(from, to status.Role) status.Role {
	table := [5][5]status.Role{
		{status.RoleUnknown, status.RoleStopped, status.RoleStopped, status.RoleStopped, status.RoleStopped},
		{status.RoleStopped, status.RoleStopped, status.RoleStarted, status.RoleUnpromoted, status.RoleUnpromoted},
		{status.RoleStopped, status.RoleStopped, status.RoleStarted, status.RoleUnpromoted, status.RolePromoted},
		{status.RoleStopped, status.RoleStopped, status.RoleStopped, status.RoleUnpromoted, status.RolePromoted},
		{status.RoleStopped, status.RoleUnpromoted, status.RoleUnpromoted, status.RoleUnpromoted, status.RolePromoted},
	}
	return table[from][to]
}

// step makes the actions of one step. It is false where there is no such step.
func (r *rsc) step(from, to status.Role, n *node, isOptional bool) bool {
	switch {
	case from == status.RolePromoted && to != status.RolePromoted && to != status.RoleUnknown:
		r.demote(isOptional)
	case to == status.RoleStopped && from != status.RoleStopped && from != status.RolePromoted:
		r.stop(isOptional)
	case from == status.RoleUnpromoted && to == status.RoleStarted:
		r.stop(isOptional)
	case from == status.RoleStopped && (to == status.RoleStarted || to == status.RoleUnpromoted):
		r.start(n, isOptional)
	case to == status.RolePromoted && (from == status.RoleStarted || from == status.RoleUnpromoted):
		r.promote(n, isOptional)
	case from == to, from == status.RoleStarted && to == status.RoleUnpromoted:
		return false
	}
	return true
}

// expectedOn tells whether a multiply active resource stays on the node.
func (r *rsc) expectedOn(n *node) bool {
	return r.has(stopUnexpected|restarting) && r.NextRole > status.RoleStopped && r.node() == n && n != nil
}

func (r *rsc) stop(isOptional bool) {
	for _, n := range r.ActiveOn {
		if r.expectedOn(n) {
			continue
		}
		if r.MigrationTarget != nil {
			if n == r.MigrationTarget && n == r.node() {
				continue
			}
			isOptional = false
		}
		a := r.act(taskStop, n, isOptional)
		if r.assigned == nil {
			a.because("node availability", true)
		} else if r.has(restarting | stopUnexpected) {
			a.because("being multiply active", true)
		}
		if !r.Is(status.Managed) {
			a.clear(runnable)
		}
		if r.Is(status.NeedsUnfencing) {
			order(a, r.s.fenceOp(n, "on", true, "", false), relThenImpliesFirst)
		}
	}
}

func (r *rsc) start(n *node, isOptional bool) {
	a := r.act(taskStart, n, true)
	if n != nil {
		r.orderVsUnfencing(n, a, relFirstImpliesThen)
	}
	if a.is(runnable) && !isOptional {
		a.clear(optional)
	}
	if r.expectedOn(n) {
		a.set(pseudo)
	}
}

func (r *rsc) promote(n *node, isOptional bool) {
	for _, a := range r.findTask(taskStart, n, true) {
		if !a.is(runnable) {
			for _, p := range r.findTask(taskPromote, n, true) {
				p.clear(runnable)
			}
			return
		}
	}
	a := r.act(taskPromote, n, isOptional)
	if r.expectedOn(n) {
		a.set(pseudo)
	}
}

func (r *rsc) demote(isOptional bool) {
	for _, n := range r.ActiveOn {
		if !r.expectedOn(n) {
			r.act(taskDemote, n, isOptional)
		}
	}
}

// restart makes the actions that bring the resource down and up again.
func (r *rsc) restart(current *node, needStop, needPromote bool) {
	r.mark(restarting)
	role := r.Role
	for role != status.RoleStopped {
		next := nextStep(role, status.RoleStopped)
		if !r.step(role, next, current, !needStop) {
			break
		}
		role = next
	}
	for r.Role <= r.NextRole && role != r.Role && !r.Is(status.Blocked) {
		next := nextStep(role, r.Role)
		required := needStop || next == status.RolePromoted && needPromote
		if !r.step(role, next, r.node(), !required) {
			break
		}
		role = next
	}
	r.unmark(restarting)
}
