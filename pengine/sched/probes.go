// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"
	"strings"

	"github.com/quorate/quorate/pengine/status"
)

// scheduleActions makes the actions that bring each resource where it was
// assigned.
func (s *scheduler) scheduleActions() {
	s.checkParams()
	if s.c.Options.StartupProbes {
		s.scheduleProbes()
	}
	if s.c.Options.StopRemovedResources {
		for _, r := range s.rscs {
			s.clearRemoved(r)
		}
	}
	for _, r := range s.rscs {
		r.v.createActions()
	}
}

// clearRemoved clears the fail counts of a removed resource.
func (s *scheduler) clearRemoved(r *rsc) {
	if !r.Is(status.Removed) {
		return
	}
	for _, n := range s.nodes {
		if !n.Online {
			continue
		}
		if count, _ := s.c.FailCount(n, r.Resource, status.FailEffective, nil); count == 0 {
			continue
		}
		a := s.clearFailCount(r, n)
		s.addOrdering(ordering{firstAction: a, then: r, thenKey: r.key(taskStop), rel: relOrdered})
	}
}

func (s *scheduler) scheduleProbes() {
	for _, n := range s.nodes {
		switch {
		case !n.Online:
			if s.failedRemote(n) {
				s.fenceNode(n, "the connection is unrecoverable", false)
			}
		case n.Unclean || n.NoProbes:
		default:
			probeAll(s.rscs, n)
		}
	}
}

func probeAll(list []*rsc, n *node) bool {
	any := false
	for _, r := range list {
		any = r.v.createProbe(n) || any
	}
	return any
}

func (p primitive) createProbe(n *node) bool {
	r, s := p.rsc, p.s
	if n.Remote && (r.Is(status.FenceDevice) || r.Is(status.IsConnection) || n.IsGuest() && r.guestConnection() != nil) {
		return false
	}
	if len(r.children) > 0 {
		return probeAll(r.children, n)
	}
	top := r.top()
	switch {
	case !s.c.Options.StartupProbes, r.launcher != nil && !r.Is(status.IsConnection), r.Is(status.Removed), r.Probed.Has(n):
		return false
	}
	a := r.allowed.get(n)
	exclusive := r.Is(status.ExclusiveProbes) || top.Is(status.ExclusiveProbes)
	if exclusive && (a == nil || a.probe != status.ProbeExclusive) || a != nil && a.probe == status.ProbeNever ||
		a == nil && n.BaseProbe == status.ProbeNever {
		return false
	}
	if n.IsGuest() && !r.guestProbe(n, top) {
		return false
	}
	r.probe(n, top)
	return true
}

// guestProbe tells whether a guest node can be asked; else it orders the start
// after what has to happen to the guest.
func (r *rsc) guestProbe(n *node, top *rsc) bool {
	guest := r.s.of[n.Connection.Launcher]
	if guest.Role == status.RoleStopped {
		if guest.assigned != nil && !guest.Probed.Has(guest.node()) {
			orderTasks(guest, taskMonitor, top, taskStart, relOrdered)
		}
		return false
	}
	moves := guest.Role > status.RoleStopped && guest.assigned != nil && !guest.activeOn(guest.node())
	if n.RemoteReset || n.Unclean || guest.Is(status.Failed) || guest.NextRole == status.RoleStopped || moves {
		orderTasks(guest, taskStop, top, taskStart, relOrdered)
		return false
	}
	return true
}

// probe makes a probe and orders starts after it.
func (r *rsc) probe(n *node, top *rsc) {
	a := r.act(taskMonitor, n, false)
	a.clear(optional)
	r.orderVsUnfencing(n, a, relOrdered)
	if !r.activeOn(n) {
		a.meta.set("op_target_rc", "7")
	} else if r.Role == status.RolePromoted {
		a.meta.set("op_target_rc", "8")
	}
	if top.Variant != status.Clone {
		top = r
	}
	rel := relOrdered
	if !a.is(runnable) && len(top.ActiveOn) == 0 {
		rel |= relUnrunnableFirstBlocks
	}
	r.s.addOrdering(ordering{first: r, firstAction: a, then: top, thenKey: top.key(taskStart), rel: rel})
	r.s.addOrdering(ordering{first: r, firstAction: a, then: top, thenKey: r.key(taskReload), rel: relOrdered})
}

// orderProbes orders probes before what must not happen while they are open.
func (s *scheduler) orderProbes() {
	for _, r := range s.rscs {
		s.orderProbesOf(r)
	}
	s.probesBeforeStops()
}

func (s *scheduler) orderProbesOf(r *rsc) {
	if r.Variant != status.Primitive {
		for _, k := range r.children {
			s.orderProbesOf(k)
		}
		return
	}
	for _, probe := range r.findTask(taskMonitor, nil, false) {
		for _, after := range slices.Backward(probe.after) {

			probeBeforeStarts(probe, after)
			s.walk++
			probeBeforeRestarts(probe, after.action, s.walk)
		}
	}
}

func probeBeforeStarts(probe *action, after *related) {
	b := after.action
	if b.rsc == nil || b.rsc.Variant <= status.Group || probe.is(runnable) || after.rel.is(relUnrunnableFirstBlocks) || probe.rsc.top() != b.rsc || b.task != taskStart {
		return
	}
	for _, v := range slices.Backward(b.after) {
		then := v.action
		if then.rsc == nil || len(then.rsc.ActiveOn) > 0 || then.rsc.top() != b.rsc || then.task != taskStart {
			continue
		}
		order(probe, then, relOrdered|relUnrunnableFirstBlocks)
	}
}

// probeBeforeRestarts orders a probe before the stop of what would be restarted
// because of what the probe may find.
func probeBeforeRestarts(probe, after *action, walk int) {
	if probe.rsc == nil || probe.rsc.Variant != status.Primitive || probe.task != taskMonitor || after.walk == walk {
		return
	}
	after.walk = walk
	r := after.rsc
	if r.isVariant(status.Primitive) && r != probe.rsc {
		task := ""
		switch after.task {
		case taskStart:
			task = taskStop
		case taskPromote:
			task = taskDemote
		}
		if task != "" {
			for _, then := range r.findTask(task, nil, false) {
				if !then.is(pseudo) {
					order(probe, then, relOrdered)
				}
			}
		}
	}
	interleave := false
	var goesWith *rsc
	if r != nil && r.Variant > status.Group {
		if interleave = status.IsTrue(r.Meta["interleave"]); interleave {
			goesWith = compatible(probe.rsc, r, status.RoleUnknown, false, "")
		}
	}
	for _, w := range slices.Backward(after.after) {

		if !w.rel.is(relFirstImpliesThen) {
			if r == nil || r.Variant < status.Group || probe.rsc.parent == r || w.action.rsc == nil {
				continue
			}
			chained := w.action.rsc
			if chained.Variant > status.Group || r != chained.parent {
				continue
			}
			if r.Variant > status.Group && interleave && (goesWith == nil || goesWith != chained) {
				continue
			}
		}
		probeBeforeRestarts(probe, w.action, walk)
	}
}

// probesBeforeStops lets what is ordered after a stop wait for probes too.
func (s *scheduler) probesBeforeStops() {
	for _, o := range s.orderings {
		if o.rel == 0 || o.first == nil || o.first == o.then || o.thenAction == nil && o.thenKey == "" {
			continue
		}
		if o.firstAction != nil && o.firstAction.task != taskStop || o.firstAction == nil && !strings.HasSuffix(o.firstKey, "_stop_0") {
			continue
		}
		if o.then != nil && o.first.launcher == o.then {
			if o.thenAction != nil && o.thenAction.task == taskStop || o.thenAction == nil && strings.HasSuffix(o.thenKey, "_stop_0") {
				continue
			}
		}
		rel := relOrdered | o.rel&(relIfFirstUnmigratable|relIfOnSameNode)
		if o.rel == relIfRequiredOnSameNode || o.rel == relIfOnSameNodeOrTarget {
			rel = o.rel
		}
		probes := o.first.findTask(taskMonitor, nil, false)
		var thens []*action
		if o.thenAction != nil {
			thens = []*action{o.thenAction}
		} else if o.then != nil {
			thens = o.then.find(o.thenKey, nil)
		}
		for _, p := range probes {
			for _, t := range thens {
				if probeNeeded(p, t) {
					order(p, t, rel)
				}
			}
		}
	}
}

func probeNeeded(probe, then *action) bool {
	if then.task == taskFence && probe.node == then.node && then.meta.get("stonith_action") == "on" {
		return false
	}
	return then.task != taskShutdown || probe.node == nil || then.node == nil || probe.node == then.node
}
