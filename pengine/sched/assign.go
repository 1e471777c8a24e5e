// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"github.com/quorate/quorate/pengine/status"
)

// assignResources gives each resource its place.
func (s *scheduler) assignResources() {
	if s.c.Options.Placement != "default" {
		s.sortResources()
	}
	s.showCapacities("Original")
	if s.c.HaveRemoteNodes {
		for _, r := range s.rscs {
			if r.Is(status.IsConnection) {
				r.v.assign(r.MigrationTarget, true)
			}
		}
	}
	for _, r := range s.rscs {
		if !r.Is(status.IsConnection) {
			r.v.assign(nil, true)
		}
	}
	s.showCapacities("Remaining")
}

// placeBest chooses the best place.
func (r *rsc) placeBest(prefer *node, stopIfFail bool) {
	if free := r.banInsufficient(); prefer == nil {
		prefer = free
	}
	if !r.has(unassigned) {
		return
	}
	places := r.allowed.list()
	current := r.CurrentNode()
	r.s.sortPlaces(places, current)
	var best, chosen *alloc
	if len(places) > 0 {
		best = places[0]
	}
	if prefer != nil && best != nil {
		if chosen = r.allowed.get(prefer); chosen != nil && (chosen.score < best.score || !chosen.usable()) {
			chosen = nil
		}
	}
	if chosen == nil && best != nil {
		chosen = best
		uniqueClone := r.parent.isVariant(status.Clone) && r.parent.Is(status.Unique)
		if !uniqueClone && chosen.score > 0 && available(chosen.node) && current != nil && available(current) && current.Base >= 0 {
			for _, a := range places[1:] {
				if a.score != chosen.score {
					break
				}
				if a.node == current {
					chosen = a
				}
			}
		}
	}
	r.place(chosen, false, stopIfFail)
}

// place assigns the resource, and all below, to a place (nil: nowhere).
func (r *rsc) place(to *alloc, force, stopIfFail bool) (moved bool) {
	if len(r.children) > 0 {
		for _, k := range r.children {
			moved = k.place(to, force, stopIfFail) || moved
		}
		return moved
	}
	if !force && to != nil && (to.score < 0 || !to.usable() && !to.node.IsGuest()) {
		if stopIfFail {
			r.SetNextRole(status.RoleStopped, "node availability")
		}
		to = nil
	}
	moved = r.assigned.on() != to.on()
	r.unplace()
	r.unmark(unassigned)
	if to == nil {
		if stopIfFail {
			r.placedNowhere()
		}
		return moved
	}
	to.count++
	r.assigned = to.copy()
	r.s.placed[to.node.Index]++
	r.s.consume(to.node, r.Utilization)
	r.s.showUtilization(r, to.node)
	return moved
}

// placedNowhere makes the actions known so far fit.
func (r *rsc) placedNowhere() {
	r.SetNextRole(status.RoleStopped, "unable to assign")
	for _, a := range r.actions {
		switch a.task {
		case taskStop:
			a.clear(optional)
		case taskStart:
			a.clear(runnable)
		default:
			if v, has := a.meta.lookup("interval"); has && v != "0" && a.meta.get("op_target_rc") != "7" {
				a.clear(runnable)
			}
		}
	}
}

func (r *rsc) unplace() {
	r.mark(unassigned)
	for _, k := range r.children {
		k.unplace()
	}
	if len(r.children) > 0 || r.assigned == nil {
		return
	}
	n := r.assigned.node
	r.assigned = nil
	r.s.placed[n.Index]--
	r.s.release(n, r.Utilization)
}
