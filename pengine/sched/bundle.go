// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"

	"github.com/quorate/quorate/pengine/status"
)

// bundle is a bundle while it is scheduled.
type bundle struct {
	most     int  // nodes
	child    *rsc // the clone inside, or nil
	replicas []*replica
}

// replica is one copy of a bundle.
type replica struct {
	*status.BundleReplica
	container, ip, remote, child *rsc
}

// bundleVariant is the variant of containers with what runs in them.
type bundleVariant struct{ primitive }

func (s *scheduler) wrapBundle(r *rsc) {
	b := r.Resource.Bundle
	r.bundle = &bundle{most: b.PerHost, child: s.of[b.Child]}
	for _, rep := range b.Replicas {
		w := &replica{BundleReplica: rep, container: s.of[rep.Container], ip: s.of[rep.IP], remote: s.of[rep.Remote], child: s.of[rep.Child]}
		if w.remote != nil {
			w.remote.mark(nestingAllowed)
		}
		r.bundle.replicas = append(r.bundle.replicas, w)
	}
}

func (b *bundle) containers() []*rsc {
	out := make([]*rsc, 0, len(b.replicas))
	for _, rep := range b.replicas {
		out = append(out, rep.container)
	}
	return out
}

func (b *bundle) perHost() int { return b.most }

// outer are the resources of a replica that run on the host.
func (rep *replica) outer() []*rsc {
	return slices.DeleteFunc([]*rsc{rep.ip, rep.container, rep.remote}, func(r *rsc) bool { return r == nil })
}

// bundleOf is the bundle that holds the resource, or nil.
func (r *rsc) bundleOf() *bundle {
	for r.parent != nil {
		r = r.parent
	}
	return r.bundle
}

// inContainer is what runs inside the container.
func (r *rsc) inContainer() *rsc {
	if b := r.bundleOf(); b != nil {
		for _, rep := range b.replicas {
			if rep.container == r {
				return rep.child
			}
		}
	}
	return nil
}

// inBundle tells whether the node is a container and the resource belongs to the
// clone that runs inside a bundle.
func (r *rsc) inBundle(n *node) bool {
	b := r.bundleOf()
	return b != nil && b.child != nil && r.top() == b.child && n.Connection != nil && n.Connection.InBundle()
}

// maxBundleDepth bounds how often the assignment of bundles leads to that of
// others, or of the same: what is inside one may be colocated with the bundle
// itself. Pacemaker has no such bound, and crashes.
const maxBundleDepth = 200

func (b bundleVariant) assign(prefer *node, stopIfFail bool) *alloc {
	r, s := b.rsc, b.s
	if s.bundleDepth >= maxBundleDepth {
		s.errorf("breaking an endless loop of colocations at bundle " + r.ID)
		return nil
	}
	s.bundleDepth++
	defer func() { s.bundleDepth-- }()
	r.mark(assigning)
	s.showScores(r, "pcmk__bundle_assign")
	containers := r.bundle.containers()
	sortInstances(containers)
	s.assignInstances(r, containers, len(r.bundle.replicas), r.bundle.most)
	for _, rep := range r.bundle.replicas {
		s.assignReplica(rep, prefer, stopIfFail)
	}
	if k := r.bundle.child; k != nil {
		for _, a := range k.allowed.list() {
			if r.Resource.Bundle.HasNode(a.node) {
				a.set(0, s.cause(CauseContainer, "", r))
			} else {
				a.set(-infinity, s.cause(CauseContainer, "", r))
			}
		}
		k.v.assign(prefer, stopIfFail)
	}
	r.unmark(assigning | unassigned)
	return nil
}

// settleHosts notes where containers will be in the end; what was given a place
// may have lost it.
func (b *bundle) settleHosts() {
	for _, rep := range b.replicas {
		rep.Host = rep.container.node()
	}
}

// assignReplica places what goes with a container.
func (s *scheduler) assignReplica(rep *replica, prefer *node, stopIfFail bool) {
	if rep.ip != nil {
		rep.ip.v.assign(prefer, stopIfFail)
	}
	host := rep.container.node()
	rep.Host = host
	if rep.remote != nil {
		if host != nil && host.Remote && s.of[host.Connection] != nil {
			s.newColocation(colocation{
				id: "#replica-remote-with-host-remote", score: infinity, dependent: rep.remote,
				primary: s.of[host.Connection], influence: true,
			})
		}
		rep.remote.v.assign(prefer, stopIfFail)
	}
	if rep.child == nil {
		return
	}
	for _, a := range rep.child.allowed.list() {
		if a.node != rep.Node {
			a.set(-infinity, s.cause(CauseContainer, "", rep.container))
		} else if rep.child.thresholdReached(a.node) == nil {
			a.set(infinity, s.cause(CauseContainer, "", rep.container))
		}
	}
	rep.child.parent.mark(assigning)
	rep.child.v.assign(rep.Node, stopIfFail)
	rep.child.parent.unmark(assigning)
}

func (b bundleVariant) createActions() {
	r := b.rsc
	for _, rep := range r.bundle.replicas {
		for _, k := range rep.outer() {
			k.v.createActions()
		}
	}
	b.s.instanceActions(r, r.bundle.containers())
	k := r.bundle.child
	if k == nil {
		return
	}
	k.v.createActions()
	if k.Is(status.Promotable) {
		for _, p := range [][2]string{{taskPromote, taskPromoted}, {taskDemote, taskDemoted}} {
			r.pseudoOp(p[0], true, true)
			r.pseudoOp(p[1], true, true).priority = infinity
		}
	}
}

func (b bundleVariant) internalConstraints() {
	r := b.rsc
	for _, rep := range r.bundle.replicas {
		b.replicaConstraints(rep)
	}
	k := r.bundle.child
	if k == nil {
		return
	}
	through := func(tasks ...[2]string) {
		for _, t := range tasks {
			orderTasks(r, t[0], k, t[0], relThenImpliesFirstGraphed)
			orderTasks(k, t[1], r, t[1], relFirstImpliesThenGraphed)
		}
	}
	through([2]string{taskStart, taskStarted}, [2]string{taskStop, taskStopped})
	k.v.internalConstraints()
	if k.Is(status.Promotable) {
		r.orderRoleChanges()
		through([2]string{taskDemote, taskDemoted}, [2]string{taskPromote, taskPromoted})
	}
}

func (b bundleVariant) replicaConstraints(rep *replica) {
	r, c := b.rsc, rep.container
	c.v.internalConstraints()
	orderTasks(r, taskStart, c, taskStart, relUnrunnableFirstBlocks|relThenImpliesFirstGraphed)
	if rep.child != nil {
		orderTasks(r, taskStop, rep.child, taskStop, relThenImpliesFirstGraphed)
	}
	orderTasks(r, taskStop, c, taskStop, relThenImpliesFirstGraphed)
	orderTasks(c, taskStart, r, taskStarted, relFirstImpliesThenGraphed)
	orderTasks(c, taskStop, r, taskStopped, relFirstImpliesThenGraphed)
	if rep.ip != nil {
		rep.ip.v.internalConstraints()
		orderTasks(rep.ip, taskStart, c, taskStart, relUnrunnableFirstBlocks|relGuestAllowed)
		orderTasks(c, taskStop, rep.ip, taskStop, relThenImpliesFirst|relGuestAllowed)
		b.s.newColocation(colocation{id: "#ip-with-container", score: infinity, dependent: rep.ip, primary: c, influence: true})
	}
	if rep.remote != nil {
		rep.remote.v.internalConstraints()
	}
}

// compatibleContainer finds the container that goes with the dependent.
func compatibleContainer(dependent, primary *rsc) *rsc {
	host := func(n *node) *node {
		if n != nil && n.IsGuest() && n.Connection.InBundle() {
			return dependent.s.of[n.Connection.Launcher].assignedTo().on()
		}
		return n
	}
	on := func(n *node) *rsc {
		for _, c := range primary.bundle.containers() {
			if n != nil && c.matches(n, status.RoleUnknown, false, "") {
				return c
			}
		}
		return nil
	}
	if n := host(dependent.assignedTo().on()); n != nil {
		return on(n)
	}
	places := dependent.allowed.list()
	dependent.s.sortPlaces(places, nil)
	for _, a := range places {
		if c := on(host(a.node)); c != nil {
			return c
		}
	}
	return nil
}

func (b bundleVariant) applyColocation(dependent, primary *rsc, col *colocation, _ bool) score {
	if primary.has(unassigned) {
		return 0
	}
	if col.dependent.Variant > status.Group {
		if c := compatibleContainer(dependent, primary); c != nil {
			return dependent.v.applyColocation(dependent, c, col, true)
		}
		if col.score >= infinity {
			dependent.place(nil, true, true)
			dependent.noteUnplaced(CauseElsewhere, col.id, primary)
		}
		return 0
	}
	var sum score
	var hosts []*alloc
	for _, rep := range primary.bundle.replicas {
		c := rep.container
		if col.score < infinity {
			sum = sum.Add(c.v.applyColocation(dependent, c, col, false))
			continue
		}
		to := c.assignedTo()
		if to == nil || c.anyFlag(status.Blocked) ||
			col.primaryRole >= status.RolePromoted && (rep.child == nil || rep.child.NextRole < status.RolePromoted) {
			continue
		}
		hosts = append([]*alloc{to}, hosts...)
	}
	if col.score >= infinity {
		col.intersect(dependent, hosts, false)
	}
	return sum
}

// seesColocations tells whether the bundle's colocations are those of orig too.
func (b bundleVariant) seesColocations(orig *rsc) bool {
	r := b.rsc
	if orig == r || orig.Is(status.ReplicaContainer) {
		return true
	}
	k := r.bundle.child
	if k == nil || !k.Is(status.Promotable) || orig.top() != k {
		return false
	}
	if orig == k {
		return k.has(promotionConstrained)
	}
	return !orig.has(unassigned)
}

func (b bundleVariant) collectWithThis(orig *rsc, list *[]*colocation) {
	if b.seesColocations(orig) {
		addColocations(list, b.withThis, true)
	}
}

func (b bundleVariant) collectThisWith(orig *rsc, list *[]*colocation) {
	if b.seesColocations(orig) {
		addColocations(list, b.thisWith, false)
	}
}
