// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"strings"

	"github.com/quorate/quorate/pengine/status"
)

// primitive is the variant of a single resource; the others build on it.
type primitive struct{ *rsc }

func (p primitive) assign(prefer *node, stopIfFail bool) *alloc {
	r, s := p.rsc, p.s
	if r.parent != nil && !r.parent.has(assigning) {
		r.parent.v.assign(prefer, stopIfFail)
	}
	if !r.has(unassigned) {
		return r.assigned
	}
	if r.has(assigning) {
		return nil
	}
	r.mark(assigning)
	thisWith, withThis := r.thisWithColocations(), r.withThisColocations()
	for _, mandatory := range []bool{true, false} {
		for _, c := range thisWith {
			if (c.score <= -infinity || c.score >= infinity) == mandatory {
				r.applyThisWith(c)
			}
		}
		for _, c := range withThis {
			if (c.score <= -infinity || c.score >= infinity) == mandatory {
				c.addDependentScores(r)
			}
		}
	}
	if r.NextRole == status.RoleStopped {
		r.ban(nil, -infinity, s.cause(CauseTargetRole, r.NextRoleWhy, nil))
	} else if r.NextRole > r.Role && !s.c.Quorate && s.c.Options.NoQuorum == status.NoQuorumFreeze {
		r.SetNextRole(r.Role, "no-quorum-policy=freeze")
	}
	s.showScores(r, "pcmk__primitive_assign")
	if s.c.Options.FencingEnabled && !s.c.HaveFencing {
		r.Clear(status.Managed)
	}
	switch {
	case !r.Is(status.Managed):
		r.SetNextRole(r.Role, "unmanaged")
		var to *alloc
		if n := r.CurrentNode(); n != nil {
			to = &alloc{node: n, score: n.Base}
		}
		r.place(to, true, stopIfFail)
	case s.c.Options.StopAll:
		r.place(nil, true, stopIfFail)
	default:
		r.placeBest(prefer, stopIfFail)
	}
	r.unmark(assigning)
	if r.Is(status.IsConnection) {
		s.connectionAssigned(r)
	}
	return r.assigned
}

func (s *scheduler) connectionAssigned(r *rsc) {
	n := s.findNode(r.ID)
	switch {
	case n == nil:
	case r.assigned != nil && r.NextRole != status.RoleStopped:
		n.Online = true
		if !n.Seen {
			n.Unclean = false
		}
	default:
		n.Shutdown = true
	}
}

// applyThisWith applies one of the resource's own wishes. An optional one that
// leaves no place is taken back.
func (r *rsc) applyThisWith(c *colocation) {
	var backup table
	if c.dependentRole >= status.RolePromoted || c.score < 0 && c.score > -infinity {
		backup = r.allowed.clone()
	}
	if c.primary.has(unassigned) {
		c.primary.v.assign(nil, true)
	}
	r.v.applyColocation(r, c.primary, c, true)
	if backup != nil && !r.allowed.anyUsable() {
		r.allowed = backup
	}
}

func (p primitive) createActions() {
	r := p.rsc
	if r.NextRole == status.RoleUnknown {
		if r.assigned == nil {
			r.SetNextRole(status.RoleStopped, "assignment")
		} else {
			r.SetNextRole(status.RoleStarted, "assignment")
		}
	}
	current, all, clean := r.ActiveNode()
	for _, n := range r.DanglingMigrations {
		r.act(taskStop, n, false).set(migrationAbort)
	}
	moving := current != nil && r.assigned != nil && current != r.node() && r.NextRole >= status.RoleStarted
	migrate := moving && r.canMigrate(current)
	needStop := moving
	multiple := false
	switch {
	case r.MigrationSource != nil && r.MigrationTarget != nil && migrate && all == 2 && current == r.MigrationSource && r.node() == r.MigrationTarget:
		// The migration goes on.
	case r.MigrationSource != nil || r.MigrationTarget != nil:
		needStop, migrate = true, false
		r.MigrationSource, r.MigrationTarget = nil, nil
	case r.Is(status.NeedsFencing):
		multiple = all > 1
	default:
		multiple = clean > 1
	}
	r.unmark(stopUnexpected)
	if multiple {
		switch r.MultipleActive {
		case status.MultipleRestart:
			needStop = true
		case status.MultipleUnexpected:
			needStop = true
			r.mark(stopUnexpected)
		}
	}
	if r.Is(status.StartPending) {
		r.act(taskStart, r.node(), true).set(alwaysInGraph)
	}
	needPromote := false
	switch {
	case moving:
	case r.Is(status.Failed):
		if r.Is(status.StopIfFailed) {
			needStop = true
		} else if r.NextRole == status.RolePromoted {
			needPromote = true
		}
	case r.Is(status.Blocked):
		needStop = true
	case r.Role > status.RoleStarted && current != nil && r.assigned != nil:
		if !r.act(taskStart, r.node(), true).is(optional) {
			needStop = true
		}
	}
	r.restart(current, needStop, needPromote)
	for role := r.Role; role != r.NextRole; {
		next := nextStep(role, r.NextRole)
		if !r.step(role, next, r.node(), false) {
			break
		}
		role = next
	}
	r.recurring()
	if migrate {
		r.migrate(current)
	}
}

func (p primitive) internalConstraints() {
	r, s := p.rsc, p.s
	if !r.Is(status.Managed) {
		return
	}
	orderTasks(r, taskStop, r, taskStart, relOrdered|relFirstImpliesThen|relIntermediateStop)
	if r.top().Is(status.Promotable) || r.Role > status.RoleUnpromoted {
		orderTasks(r, taskDemote, r, taskStop, relPromotedThenImpliesFirst)
		orderTasks(r, taskStart, r, taskPromote, relUnrunnableFirstBlocks)
	}
	orderTasks(r, taskLRMDelete, r, taskMonitor, relIfOnSameNode|relThenCancelsFirst)
	if !r.Is(status.FenceDevice) && s.c.EnableUnfencing && r.Is(status.NeedsUnfencing) {
		for _, a := range r.allowed.list() {
			u := s.fenceOp(a.node, "on", true, "", false)
			s.addOrdering(ordering{first: r, firstKey: r.key(taskStop), thenKey: u.key, thenAction: u, rel: relOrdered | relIfOnSameNode})
			s.addOrdering(ordering{firstKey: u.key, firstAction: u, then: r, thenKey: r.key(taskStart), rel: relFirstImpliesSameNodeThen | relIfOnSameNode})
		}
	}
	if len(r.Utilization) > 0 && s.c.Options.Placement != "default" {
		r.utilizationConstraints()
	}
	if r.launcher != nil {
		r.launcherConstraints()
	}
	if r.Any(status.IsConnection | status.FenceDevice) {
		r.avoidRemoteNodes()
	}
}

func (r *rsc) avoidRemoteNodes() {
	for _, a := range r.allowed.list() {
		if a.node.Connection != nil {
			a.set(-infinity, r.s.cause(CauseRemote, "", nil))
		}
	}
}

// launcherConstraints keeps what runs inside a resource with it.
func (r *rsc) launcherConstraints() {
	l := r.launcher
	var remote *rsc
	switch {
	case r.Is(status.IsConnection):
		if !r.has(nestingAllowed) {
			l.avoidRemoteNodes()
		}
		orderTasks(l, taskMonitor, r, taskStop, relOrdered)
	case l.Is(status.IsConnection):
		remote = l
	default:
		remote = l.guestConnection()
	}
	if remote != nil {
		for _, a := range r.allowed.list() {
			if a.node.Connection != remote.Resource {
				a.set(-infinity, r.s.cause(CauseContainer, "", l))
			}
		}
		return
	}
	orderTasks(l, taskStart, r, taskStart, relFirstImpliesThen|relUnrunnableFirstBlocks)
	orderTasks(r, taskStop, l, taskStop, relThenImpliesFirst)
	v := infinity
	if r.has(nestingAllowed) {
		v = 10000
	}
	r.s.newColocation(colocation{id: "#resource-with-container", score: v, dependent: r, primary: l, influence: true})
}

// guestConnection is the connection that runs inside the resource, if any.
func (r *rsc) guestConnection() *rsc {
	if !r.s.c.HaveRemoteNodes {
		return nil
	}
	for _, l := range r.launched {
		if l.Is(status.IsConnection) {
			return l
		}
	}
	return nil
}

func (p primitive) applyColocation(dependent, primary *rsc, c *colocation, forDependent bool) score {
	if forDependent {
		return primary.v.applyColocation(dependent, primary, c, false)
	}
	switch c.affects(dependent, primary, false) {
	case affectsRole:
		return c.toPriority(dependent, primary)
	case affectsLocation:
		c.toScores(dependent, primary)
	}
	return 0
}

func (p primitive) collectWithThis(orig *rsc, list *[]*colocation) {
	r := p.rsc
	if r == orig {
		addColocations(list, r.withThis, true)
		if r.parent != nil {
			r.parent.v.collectWithThis(orig, list)
		}
		return
	}
	for _, c := range r.withThis {
		if c.explicit {
			insertSorted(list, c, true)
		}
	}
}

func (p primitive) collectThisWith(orig *rsc, list *[]*colocation) {
	r := p.rsc
	if r == orig {
		addColocations(list, r.thisWith, false)
		if r.parent != nil {
			r.parent.v.collectThisWith(orig, list)
		}
		return
	}
	for _, c := range r.thisWith {
		if c.explicit {
			insertSorted(list, c, false)
		}
	}
}

func (p primitive) addColocatedScores(target *rsc, nodes *table, c *colocation, factor float32, flags selectFlags) {
	p.passScores(target, nodes, c, factor, flags)
}

func (p primitive) applyLocation(l *location) { p.applyOwnLocation(l) }

func (p primitive) actionFlags(a *action, _ *node) actionFlags { return a.flags }

func (p primitive) updateOrdered(first, then *action, _ *node, flags, filter actionFlags, rel relation) changed {
	return p.s.updateOrdered(first, then, flags, filter, rel)
}

func (p primitive) graphMeta(attrs *attrSet) {
	r := p.rsc
	if v, has := r.Meta["clone"]; has {
		attrs.set("CRM_meta_clone", v)
	}
	if v, has := r.Meta["remote-node"]; has {
		attrs.set("CRM_meta_remote_node", v)
	}
	for x := r; x != nil; x = x.parent {
		if x.launcher != nil {
			attrs.set("CRM_meta_container", x.launcher.ID)
		}
	}
	if v, has := r.Meta["external-ip"]; has {
		attrs.set("pcmk_external_ip", v)
	}
}

func (p primitive) shutdownLock() { p.lockToShutdown() }

// cleanUp deletes the resource's history on a node.
func (r *rsc) cleanUp(n *node, isOptional bool) {
	rel := relOrdered
	if isOptional {
		rel = relFirstImpliesThen
	}
	if r.Is(status.Failed) || n.Unclean || !n.Online {
		return
	}
	r.act(taskDelete, n, isOptional)
	orderTasks(r, taskStop, r, taskDelete, rel)
	orderTasks(r, taskDelete, r, taskStart, rel)
}

func isNotify(task string) bool {
	return strings.EqualFold(task, taskNotify) || strings.EqualFold(task, taskNotified)
}
