// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import "slices"

import "github.com/quorate/quorate/pengine/status"

// remoteState is what becomes of the connection to a remote node.
type remoteState int

const (
	remoteUnknown remoteState = iota
	remoteAlive
	remoteResting
	remoteFailed
	remoteStopped
)

func (s *scheduler) remoteState(n *node) remoteState {
	r := s.of[n.Connection]
	on := r.CurrentNode()
	if r.NextRole == status.RoleStopped || r.assigned == nil {
		switch {
		case on != nil && on.Unclean:
			return remoteFailed
		case !r.Is(status.Failed):
			return remoteStopped
		case r.NextRole == status.RoleStopped && r.ReconnectMS > 0 && n.RemoteFenced && !n.ShutdownRequested():
			return remoteUnknown
		}
		return remoteFailed
	}
	switch {
	case on == nil:
		return remoteUnknown
	case on.Unclean || !on.Online, len(r.ActiveOn) > 1 && r.MigrationSource != nil && r.MigrationTarget != nil:
		return remoteResting
	}
	return remoteAlive
}

func (s *scheduler) failedRemote(n *node) bool {
	return n.IsRemote() && n.Connection != nil && s.remoteState(n) == remoteFailed
}

// afterStart orders an action after the start of a resource.
func afterStart(first *rsc, a *action, extra relation) {
	if first != nil {
		first.s.addOrdering(ordering{first: first, firstKey: first.key(taskStart), then: a.rsc, thenAction: a, rel: relGuestAllowed | relUnrunnableFirstBlocks | extra})
	}
}

// beforeStop orders an action before the stop of a resource.
func beforeStop(a *action, then *rsc, extra relation) {
	if then != nil {
		then.s.addOrdering(ordering{first: a.rsc, firstAction: a, then: then, thenKey: then.key(taskStop), rel: relGuestAllowed | extra})
	}
}

// orderRemoteConnections orders what happens on remote nodes against their
// connections.
func (s *scheduler) orderRemoteConnections() {
	if !s.c.HaveRemoteNodes {
		return
	}
	for _, a := range slices.Backward(s.actions) {

		if a.rsc == nil {
			continue
		}
		if a.rsc.Is(status.IsConnection) && a.task == taskClear {
			s.addOrdering(ordering{first: a.rsc, firstAction: a, then: a.rsc, thenKey: a.rsc.key(taskStart), rel: relOrdered})
			continue
		}
		if a.node == nil || !a.node.Remote || a.is(pseudo) || a.node.Connection == nil {
			continue
		}
		conn := s.of[a.node.Connection]
		if a.task == taskStart {
			for _, v := range slices.Backward(a.rsc.actions) {
				if b := v; b.node != a.node && b.task == taskStop {
					s.addOrdering(ordering{first: conn, firstKey: conn.key(taskStart), then: a.rsc, thenAction: b, rel: relOrdered})
				}
			}
		}
		if conn.launcher != nil {
			s.orderInGuest(a, conn)
		} else {
			s.orderOnRemote(a, conn)
		}
	}
}

// migrationAsStop treats migrations like stops.
func migrationAsStop(task string) string {
	if task == taskMigrateTo || task == taskMigrateFrom {
		return taskStop
	}
	return task
}

func (s *scheduler) orderOnRemote(a *action, conn *rsc) {
	state := s.remoteState(a.node)
	switch migrationAsStop(a.task) {
	case taskStart, taskPromote:
		extra := relation(0)
		if state == remoteFailed {
			extra = relFirstImpliesThen
		}
		afterStart(conn, a, extra)
	case taskStop:
		switch {
		case state == remoteAlive:
			beforeStop(a, conn, relThenImpliesFirst)
		case state == remoteFailed:
			s.fenceNode(a.node, "resources are active but connection is unrecoverable", false)
		case conn.NextRole == status.RoleStopped:
			beforeStop(a, conn, relThenImpliesFirst)
		default:
			afterStart(conn, a, 0)
		}
	case taskDemote:
		if state == remoteResting || state == remoteUnknown {
			afterStart(conn, a, 0)
		}
	default:
		if a.intervalMS() > 0 {
			afterStart(conn, a, relFirstImpliesThen)
			return
		}
		if a.task == taskMonitor && state == remoteFailed {
			s.fenceNode(a.node, "resources are in unknown state and connection is unrecoverable", false)
		}
		if conn.CurrentNode() != nil && state == remoteStopped {
			beforeStop(a, conn, relUnrunnableFirstBlocks)
		} else {
			afterStart(conn, a, 0)
		}
	}
}

func (s *scheduler) orderInGuest(a *action, conn *rsc) {
	l := conn.launcher
	if l.Is(status.Failed) {
		s.fenceNode(a.node, "container failed", false)
	}
	switch task := migrationAsStop(a.task); task {
	case taskStart, taskPromote:
		afterStart(l, a, relFirstImpliesThen)
		afterStart(conn, a, 0)
	case taskStop, taskDemote:
		if !l.Is(status.Failed) {
			beforeStop(a, conn, 0)
		}
	default:
		if a.intervalMS() == 0 {
			afterStart(conn, a, 0)
			return
		}
		switch task {
		case taskMonitor, taskStopped, taskStarted, taskNotify, taskNotified, taskPromoted, taskDemoted:
			afterStart(conn, a, relFirstImpliesThen)
		}
	}
}

// router is the cluster node that reaches the action's remote node.
func (s *scheduler) router(a *action) *node {
	if a.task == taskFence || a.node == nil || !a.node.Remote || a.node.Connection == nil {
		return nil
	}
	r := s.of[a.node.Connection]
	began, ended := r.CurrentNode(), r.node()
	switch {
	case began == nil:
		return ended
	case ended == nil, began == ended:
		return began
	}
	task := a.task
	if task == taskNotify {
		task = a.meta.get("notify_operation")
	}
	partial := r.launcher == nil && r.MigrationTarget != nil
	switch task {
	case taskCancel, taskStop, taskDemote, taskMigrateFrom, taskMigrateTo:
		if !partial {
			return began
		}
	}
	return ended
}
