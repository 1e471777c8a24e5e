// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"
	"strconv"

	"github.com/quorate/quorate/pengine/status"
)

// clone is the variant of instances of one thing on several nodes.
type clone struct{ primitive }

func (c clone) assign(prefer *node, stopIfFail bool) *alloc {
	r := c.rsc
	if !r.has(unassigned) || r.has(assigning) {
		return nil
	}
	r.mark(assigning)
	if r.Is(status.Promotable) {
		r.addPromotionScores()
	}
	for _, col := range r.thisWithColocations() {
		col.primary.v.assign(prefer, stopIfFail)
	}
	for _, col := range r.withThisColocations() {
		col.addDependentScores(r)
	}
	r.s.showScores(r, "pcmk__clone_assign")
	sortInstances(r.children)
	r.s.assignInstances(r, r.children, r.CloneMax, r.CloneNodeMax)
	if r.Is(status.Promotable) {
		r.setInstanceRoles()
	}
	r.unmark(unassigned | assigning)
	return nil
}

func (c clone) createActions() {
	c.s.instanceActions(c.rsc, c.children)
	if c.Is(status.Promotable) {
		c.promotableActions()
	}
}

func (c clone) internalConstraints() {
	r := c.rsc
	orderTasks(r, taskStopped, r, taskStart, relOrdered)
	orderTasks(r, taskStart, r, taskStarted, relUnrunnableFirstBlocks)
	orderTasks(r, taskStop, r, taskStopped, relUnrunnableFirstBlocks)
	if r.Is(status.Promotable) {
		orderTasks(r, taskDemoted, r, taskStop, relOrdered)
		orderTasks(r, taskStarted, r, taskPromote, relUnrunnableFirstBlocks)
	}
	if r.Ordered {
		sortByNumber(r.children)
	}
	for i, k := range r.children {
		k.v.internalConstraints()
		orderTasks(r, taskStart, k, taskStart, relUnrunnableFirstBlocks|relThenImpliesFirstGraphed)
		orderTasks(k, taskStart, r, taskStarted, relFirstImpliesThenGraphed)
		orderTasks(r, taskStop, k, taskStop, relThenImpliesFirstGraphed)
		orderTasks(k, taskStop, r, taskStopped, relFirstImpliesThenGraphed)
		if !r.Ordered {
			continue
		}
		for _, later := range r.children[i+1:] {
			orderTasks(k, taskStart, later, taskStart, relOrdered)
			orderTasks(later, taskStop, k, taskStop, relOrdered)
		}
	}
	if r.Is(status.Promotable) {
		r.orderPromotable()
	}
}

// interleaves tells whether a colocation is of instances one by one.
func (s *scheduler) interleaves(c *colocation) bool {
	if c.dependent.Variant <= status.Group || !status.IsTrue(c.dependent.Meta["interleave"]) {
		return false
	}
	if c.dependent.maxPerNode() != c.primary.maxPerNode() {
		s.errorf("cannot interleave " + c.dependent.ID + " and " + c.primary.ID + " because they do not support the same number of instances per node")
		return false
	}
	return true
}

func (r *rsc) maxPerNode() int {
	switch {
	case r.Variant == status.Clone:
		return r.CloneNodeMax
	case r.bundle != nil:
		return r.bundle.perHost()
	}
	return 1
}

func (c clone) applyColocation(dependent, primary *rsc, col *colocation, _ bool) score {
	if primary.has(unassigned) {
		return 0
	}
	if primary.Is(status.Promotable) && col.primaryRole != status.RoleUnknown {
		if dependent.has(unassigned) {
			col.withPromotable(dependent, primary)
			return 0
		}
		if col.dependentRole == status.RolePromoted {
			return col.promotablePriority(dependent, primary)
		}
	}
	if c.s.interleaves(col) {
		if k := compatible(dependent, primary, status.RoleUnknown, false, ""); k != nil {
			return dependent.v.applyColocation(dependent, k, col, true)
		}
		if col.score >= infinity {
			dependent.place(nil, true, true)
			dependent.noteUnplaced(CauseElsewhere, col.id, primary)
		}
		return 0
	}
	if col.score >= infinity {
		var nodes []*alloc
		for _, k := range primary.children {
			if a := k.assignedTo(); a != nil && !k.anyFlag(status.Blocked) {
				nodes = append(nodes, a)
			}
		}
		col.intersect(dependent, nodes, false)
		return 0
	}
	var sum score
	for _, k := range primary.children {
		sum = sum.Add(k.v.applyColocation(dependent, k, col, false))
	}
	return sum
}

func (c clone) collectWithThis(orig *rsc, list *[]*colocation) {
	addColocations(list, c.withThis, true)
	if c.parent != nil {
		c.parent.v.collectWithThis(orig, list)
	}
}

func (c clone) collectThisWith(orig *rsc, list *[]*colocation) {
	addColocations(list, c.thisWith, false)
	if c.parent != nil {
		c.parent.v.collectThisWith(orig, list)
	}
}

func (c clone) actionFlags(a *action, n *node) actionFlags {
	return collectiveFlags(a, a.rsc.children, n)
}

func (c clone) updateOrdered(first, then *action, n *node, flags, filter actionFlags, rel relation) changed {
	return c.s.updateInstances(first, then, n, flags, filter, rel)
}

func (c clone) applyLocation(l *location) {
	c.applyOwnLocation(l)
	for _, k := range c.children {
		k.v.applyLocation(l)
	}
}

func (c clone) addToGraph() {
	for _, v := range slices.Backward(c.actions) {
		c.v.actionFlags(v, nil)
	}
	c.createNotifications()
	for _, k := range c.children {
		k.v.addToGraph()
	}
	c.ownActionsToGraph()
}

func (c clone) createProbe(n *node) bool {
	r := c.rsc
	if r.Is(status.ExclusiveProbes) {
		if a := r.allowed.get(n); a == nil || a.probe != status.ProbeExclusive {
			r.allowed[n.Index] = nil
			return false
		}
	}
	sortByNumber(r.children)
	if r.Is(status.Unique) {
		return probeAll(r.children, n)
	}
	var probed *rsc
	for _, k := range r.children {
		if k.probedOn(n) {
			probed = k
			break
		}
	}
	for _, k := range r.children {
		if probed == nil && k.assignedTo().on() == n {
			probed = k
		}
	}
	if probed == nil {
		probed = r.children[0]
	}
	return probed.v.createProbe(n)
}

func (r *rsc) probedOn(n *node) bool {
	for _, k := range r.children {
		if k.probedOn(n) {
			return true
		}
	}
	return len(r.children) == 0 && r.Probed.Has(n)
}

func (c clone) graphMeta(attrs *attrSet) {
	attrs.set("CRM_meta_globally_unique", strconv.FormatBool(c.Is(status.Unique)))
	attrs.set("CRM_meta_notify", strconv.FormatBool(c.Is(status.Notify)))
	attrs.set("CRM_meta_clone_max", strconv.Itoa(c.CloneMax))
	attrs.set("CRM_meta_clone_node_max", strconv.Itoa(c.CloneNodeMax))
	if c.Is(status.Promotable) {
		attrs.set("CRM_meta_promoted_max", strconv.Itoa(c.PromotedMax))
		attrs.set("CRM_meta_promoted_node_max", strconv.Itoa(c.PromotedNodeMax))
		attrs.set("CRM_meta_master_max", strconv.Itoa(c.PromotedMax))
		attrs.set("CRM_meta_master_node_max", strconv.Itoa(c.PromotedNodeMax))
	}
}

func (c clone) shutdownLock() {}

// instanceNumber is the number at the end of an instance's id.
func instanceNumber(id string) int {
	i := len(id)
	for i > 0 && id[i-1] >= '0' && id[i-1] <= '9' {
		i--
	}
	if i == len(id) {
		return 0
	}
	n, err := strconv.Atoi(id[i:])
	if err != nil {
		return 0
	}
	return n
}

func sortByNumber(list []*rsc) {
	slices.SortStableFunc(list, func(a, b *rsc) int { return a.number - b.number })
}

func sortInstances(list []*rsc) { status.MergeSort(list, compareInstances) }
