// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/pengine/status"
)

// applyHealth makes locations of the nodes' health.
func (s *scheduler) applyHealth() {
	o := &s.c.Options
	if o.HealthStrategy == "none" {
		return
	}
	var base score
	if o.HealthStrategy == "progressive" {
		base, _ = s.c.ParseScore(o.Get("node-health-base"), 0)
	}
	for _, n := range s.nodes {
		health := s.c.HealthScore(n, base)
		if health == 0 {
			continue
		}
		for _, r := range s.rscs {
			if health < 0 && status.IsTrue(r.Meta["allow-unhealthy-nodes"]) {
				continue
			}
			s.newLocation(o.HealthStrategy, r, "", []place{{n, health}}).kind = CauseHealth
		}
	}
}

// applyNodeCriteria applies all that speaks for or against nodes on its own.
func (s *scheduler) applyNodeCriteria() {
	if s.c.Options.ShutdownLock {
		for _, r := range s.rscs {
			r.v.shutdownLock()
		}
	}
	for _, l := range slices.Backward(s.locations) {
		l.rsc.v.applyLocation(l)
	}
	for _, r := range s.rscs {
		r.applyStickiness()
	}
	for _, n := range s.nodes {
		failures := n.HasFailCounts()
		for _, r := range s.rscs {
			if failures {
				r.applyThreshold(n)
			}
			r.applyExclusive(n)
		}
	}
}

func (r *rsc) applyStickiness() {
	for _, k := range r.children {
		k.applyStickiness()
	}
	if len(r.children) > 0 || !r.Is(status.Managed) || r.Stickiness < 1 || len(r.ActiveOn) != 1 {
		return
	}
	n := r.ActiveOn[0]
	if !r.s.c.Options.SymmetricCluster && r.allowed.get(n) == nil {
		return
	}
	r.ban(n, r.Stickiness, r.s.cause(CauseStickiness, "", nil))
}

// applyThreshold bans a resource from where it failed too often.
func (r *rsc) applyThreshold(n *node) {
	for _, k := range r.children {
		k.applyThreshold(n)
	}
	if len(r.children) > 0 || len(r.findTask(taskClear, n, true)) > 0 {
		return
	}
	if f := r.thresholdReached(n); f != nil {
		f.ban(n, -infinity, r.s.cause(CauseFailCount, "", r))
	}
}

// thresholdReached gives what is to be banned from the node, nil for nothing.
func (r *rsc) thresholdReached(n *node) *rsc {
	if r.MigrationThreshold == 0 || r.Is(status.IgnoreFailure) {
		return nil
	}
	count, _ := r.s.c.FailCount(n, r.Resource, status.FailEffective|status.FailLaunched, nil)
	if count <= 0 || count < r.MigrationThreshold {
		return nil
	}
	if r.Is(status.Unique) {
		return r
	}
	return r.top()
}

func (r *rsc) applyExclusive(n *node) {
	if !r.Is(status.ExclusiveProbes) && !r.top().Is(status.ExclusiveProbes) {
		return
	}
	for _, k := range r.children {
		k.applyExclusive(n)
	}
	if a := r.allowed.get(n); a != nil && a.probe != status.ProbeExclusive {
		a.set(-infinity, r.s.cause(CauseDiscovery, "", nil))
	}
}

// lockToShutdown keeps a resource off other nodes while its own one restarts.
func (r *rsc) lockToShutdown() {
	if r.Any(status.FenceDevice | status.IsConnection) {
		return
	}
	if r.LockNode != nil {
		if len(r.ActiveOn) > 0 {
			r.act(taskLRMDelete, r.LockNode, false)
			r.LockNode, r.LockTime = nil, time.Time{}
		}
	} else if len(r.ActiveOn) == 1 {
		if n := r.ActiveOn[0]; n.Shutdown && !n.Unclean {
			r.LockNode, r.LockTime = n, r.s.shutdownTime(n)
		}
	}
	if r.LockNode == nil {
		return
	}
	if ms := r.s.c.Options.ShutdownLockLimitMS; ms > 0 {
		r.s.c.Recheck(r.LockTime.Add(time.Duration(seconds(ms)+1) * time.Second))
	}
	for _, n := range r.s.nodes {
		if n != r.LockNode {
			r.ban(n, -infinity, r.s.cause(CauseLock, r.LockNode.Name, nil))
		}
	}
}

func (s *scheduler) shutdownTime(n *node) time.Time {
	v, err := strconv.ParseInt(strings.TrimSpace(n.Attrs["shutdown"]), 10, 64)
	if err != nil || v == 0 {
		return s.c.Now
	}
	return time.Unix(v, 0)
}
