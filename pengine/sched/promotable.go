// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"

	"github.com/quorate/quorate/pengine/status"
)

// addPromotionScores adds promotion scores to node scores, once.
func (r *rsc) addPromotionScores() {
	if r.has(promotionAdded) {
		return
	}
	r.mark(promotionAdded)
	for _, k := range r.children {
		for _, a := range k.allowed.list() {
			if !available(a.node) {
				continue
			}
			v, _ := k.promotionScore(a.node)
			if v > 0 {
				a.add(v, r.s.cause(CausePromotion, "", nil))
			}
			k.Priority = max(k.Priority, v)
		}
	}
}

// promotionScore is how much an agent wants to be promoted on a node; set is
// false where it did not say.
func (r *rsc) promotionScore(n *node) (v score, set bool) {
	if len(r.children) > 0 {
		for _, k := range r.children {
			w, ok := k.promotionScore(n)
			v += w
			set = set || ok
		}
		return v, set
	}
	if !r.promotionScoreApplies(n) {
		return 0, false
	}
	name := r.HistoryID
	if name == "" {
		name = r.ID
	}
	text, ok := r.promotionAttr(n, name)
	if base := status.StripInstance(r.ID); !ok && !r.Is(status.Unique) && base != r.ID {
		text, ok = r.promotionAttr(n, base)
	}
	if !ok {
		return 0, false
	}
	v, _ = r.s.c.ParseScore(text, 0)
	return v, true
}

func (r *rsc) promotionAttr(n *node, name string) (string, bool) {
	return n.Attr("master-"+name, r.Meta["container-attribute-target"], func(l *status.Resource) *node {
		if r.has(unassigned) {
			return status.CurrentHost(l)
		}
		return r.s.of[l].node()
	})
}

func (r *rsc) promotionScoreApplies(n *node) bool {
	id := status.StripInstance(r.ID)
	a := r.allowed.get(n)
	allowed := a != nil && a.score >= 0
	if !r.Is(status.Unique) {
		var active *rsc
		known := false
		for _, k := range r.top().children {
			if f := r.s.of[k.Find(id, status.MatchClone)]; f != nil {
				if active == nil && f.activeOn(n) {
					active = f
				}
				known = known || f.Probed.Has(n)
			}
		}
		if active == r || active == nil && known {
			return allowed
		}
	}
	if len(r.ActiveOn) == 0 && r.Probed.Empty() {
		return allowed
	}
	return (r.Probed.Has(n) || r.activeOn(n)) && allowed
}

// setInstanceRoles decides which instances are promoted.
func (r *rsc) setInstanceRoles() {
	for _, a := range r.allowed.list() {
		a.count = 0
	}
	for _, k := range r.children {
		r.setInstancePriority(k)
	}
	r.sortPromotable()
	promoted := 0
	for _, k := range r.children {
		k.setRole(&promoted)
	}
}

func (r *rsc) currentUnpromoted() {
	if r.Role == status.RoleStarted {
		r.Role = status.RoleUnpromoted
	}
	for _, k := range r.children {
		k.currentUnpromoted()
	}
}

func (r *rsc) setInstancePriority(k *rsc) {
	if k.State(true) == status.RoleStarted {
		k.currentUnpromoted()
	}
	list := k.assignedNodes()
	if len(list) > 1 {
		r.s.errorf("cannot promote non-colocated child " + k.ID)
	}
	if len(list) != 1 {
		return
	}
	chosen := list[0].node
	next := k.State(false)
	switch next {
	case status.RoleStarted, status.RoleUnknown:
		v, set := k.promotionScore(chosen)
		if k.Priority = v; !set {
			k.Priority = -1
		}
	case status.RoleUnpromoted, status.RoleStopped:
		k.Priority = -infinity
	}
	for _, locations := range [][]*location{k.locations, r.locations} {
		for _, l := range slices.Backward(locations) {

			if l.role != status.RolePromoted {
				continue
			}
			for _, p := range l.nodes {
				if p.node == chosen {
					k.Priority = k.Priority.Add(p.score)
				}
			}
		}
	}
	for _, c := range k.thisWithColocations() {
		k.v.applyColocation(k, c.primary, c, true)
	}
	k.promotionPriority = k.Priority
	if next == status.RolePromoted {
		k.promotionPriority = infinity
	}
}

// sortPromotable orders instances by who is promoted first.
func (r *rsc) sortPromotable() {
	if r.has(promotionConstrained) {
		return
	}
	r.mark(promotionConstrained | updatingScores)
	for _, k := range r.children {
		if k.promotionPriority < 0 {
			continue
		}
		if to := k.assignedTo(); to != nil {
			if a := r.allowed.get(to.node); a != nil {
				a.add(k.promotionPriority, r.s.cause(CausePromotion, "", k))
			}
		}
	}
	for _, c := range r.withThisColocations() {
		if c.primaryRole == status.RolePromoted && c.influences(nil) {
			c.dependent.v.addColocatedScores(r, &r.allowed, c, float32(c.score)/float32(infinity), selectActive|selectNonNegative)
		}
	}
	r.requirePromotionTickets()
	for _, k := range r.children {
		to := k.assignedTo()
		switch {
		case !k.Is(status.Managed) && k.NextRole == status.RolePromoted:
			k.promotionPriority = infinity
		case to == nil:
			k.promotionPriority = -infinity
		case k.promotionPriority >= 0:
			if a := r.allowed.get(to.node); a != nil {
				k.promotionPriority = a.score
			}
		}
	}
	status.MergeSort(r.children, func(a, b *rsc) int {
		if a.promotionPriority != b.promotionPriority {
			return better(a.promotionPriority > b.promotionPriority)
		}
		if x, y := a.State(true), b.State(true); x != y {
			return better(x > y)
		}
		return compareInstances(a, b)
	})
	r.unmark(updatingScores)
}

// promotionPlace is where an instance can be promoted, nil for nowhere.
func (r *rsc) promotionPlace() *alloc {
	for _, k := range r.children {
		if k.promotionPlace() == nil {
			return nil
		}
	}
	to := r.assignedTo()
	switch {
	case to == nil:
		return nil
	case !r.Is(status.Managed):
		if r.State(true) != status.RolePromoted {
			return nil
		}
	case r.Priority < 0 || !available(to.node) || to.node.IsGuest() && r.s.of[to.node.Connection.Launcher].assignedTo() == nil:
		return nil
	}
	top := r.top()
	a := top.allowed.get(to.node)
	if a == nil || a.count >= top.PromotedNodeMax && r.Is(status.Managed) {
		return nil
	}
	return a
}

func (r *rsc) setRole(promoted *int) {
	top := r.top()
	r.s.showPromotion(r)
	var chosen *alloc
	if r.promotionPriority >= 0 && (*promoted < top.PromotedMax || !top.Is(status.Managed)) {
		chosen = r.promotionPlace()
	}
	frozen := r.Role < status.RolePromoted && !r.s.c.Quorate && r.s.c.Options.NoQuorum == status.NoQuorumFreeze
	if chosen == nil || frozen {
		r.nextUnpromoted()
		return
	}
	chosen.count++
	r.nextPromoted()
	*promoted++
}

func (r *rsc) nextUnpromoted() {
	if len(r.assignedNodes()) == 0 {
		r.SetNextRole(status.RoleStopped, "stopped instance")
	} else {
		r.SetNextRole(status.RoleUnpromoted, "unpromoted instance")
	}
	for _, k := range r.children {
		k.nextUnpromoted()
	}
}

func (r *rsc) nextPromoted() {
	if r.NextRole == status.RoleUnknown {
		r.SetNextRole(status.RolePromoted, "promoted instance")
	}
	for _, k := range r.children {
		k.nextPromoted()
	}
}

// roleChanges tells whether anything below is promoted or demoted.
func (r *rsc) roleChanges() (promoting, demoting bool) {
	for _, k := range r.children {
		p, d := k.roleChanges()
		promoting, demoting = promoting || p, demoting || d
	}
	if len(r.children) > 0 {
		return promoting, demoting
	}
	for _, a := range r.actions {
		if !a.is(optional) {
			promoting = promoting || a.task == taskPromote
			demoting = demoting || a.task == taskDemote
		}
	}
	return promoting, demoting
}

func (c clone) promotableActions() {
	r := c.rsc
	promoting, demoting := false, false
	for _, k := range r.children {
		k.v.createActions()
		p, d := k.roleChanges()
		promoting, demoting = promoting || p, demoting || d
	}
	promote := r.pseudoOp(taskPromote, !promoting, true)
	promoted := r.pseudoOp(taskPromoted, !promoting, true)
	promoted.priority = infinity
	r.promoteNotifications(promote, promoted)
	demote := r.pseudoOp(taskDemote, !demoting, true)
	demoted := r.pseudoOp(taskDemoted, !demoting, true)
	demoted.priority = infinity
	r.demoteNotifications(demote, demoted)
	for _, k := range r.children {
		k.Priority = r.Priority
	}
}

// orderPromotable orders the role changes of a clone's instances.
// orderRoleChanges orders what a whole promotable collective does.
func (r *rsc) orderRoleChanges() {
	for _, p := range [][2]string{
		{taskStopped, taskStart},
		{taskStopped, taskPromote},
		{taskDemoted, taskStop},
		{taskDemoted, taskStart},
		{taskDemoted, taskPromote},
		{taskStarted, taskPromote},
		{taskDemote, taskDemoted},
	} {
		orderTasks(r, p[0], r, p[1], relOrdered)
	}
}

func (r *rsc) orderPromotable() {
	r.orderRoleChanges()
	var last *rsc
	for _, k := range r.children {
		orderTasks(k, taskDemote, k, taskPromote, relOrdered)
		orderTasks(r, taskPromote, k, taskPromote, relOrdered)
		orderTasks(k, taskPromote, r, taskPromoted, relOrdered)
		if last != nil && r.Ordered {
			orderTasks(last, taskPromote, k, taskPromote, relOrdered)
		}
		orderTasks(r, taskDemote, k, taskDemote, relThenImpliesFirstGraphed)
		orderTasks(k, taskDemote, r, taskDemoted, relFirstImpliesThenGraphed)
		if last != nil && r.Ordered {
			orderTasks(k, taskDemote, last, taskDemote, relOrdered)
		}
		last = k
	}
}

// withPromotable applies a colocation with a role of a promotable clone.
func (c *colocation) withPromotable(dependent, primary *rsc) {
	var affected []*alloc
	for _, k := range primary.children {
		to := k.assignedTo()
		if to == nil || k.State(false) != c.primaryRole {
			continue
		}
		if c.score < infinity {
			value, known := nodeAttr(to.node, c.attr, primary)
			for _, a := range dependent.allowed.list() {
				if v, ok := nodeAttr(a.node, c.attr, dependent); sameAttr(value, known, v, ok) {
					a.add(c.score, c.cause(CauseColocation, primary))
				}
			}
		}
		affected = append(affected, to)
	}
	if c.score >= infinity && (c.dependentRole != status.RolePromoted || c.primaryRole != status.RolePromoted) {
		c.intersect(dependent, affected, true)
	}
}

// promotablePriority applies a colocation of roles to a promotion priority.
func (c *colocation) promotablePriority(dependent, primary *rsc) score {
	if compatible(dependent, primary, c.primaryRole, false, c.attr) != nil {
		dependent.Priority = dependent.Priority.Add(c.score)
		return c.score
	}
	if c.score >= infinity {
		dependent.Priority = -infinity
		return -infinity
	}
	return 0
}
