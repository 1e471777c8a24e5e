// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"

	"github.com/quorate/quorate/pengine/status"
)

// A CauseKind is the kind of thing that a score comes from.
type CauseKind string

// The kinds of cause.
const (
	CauseLocation   CauseKind = "location"       // ID is the constraint's or its rule's
	CauseHealth     CauseKind = "health"         // node health; ID is the strategy
	CauseStickiness CauseKind = "stickiness"     // the resource runs there
	CauseFailCount  CauseKind = "fail-count"     // it reached migration-threshold; With names the resource
	CauseDiscovery  CauseKind = "discovery"      // resource-discovery is exclusive to other nodes
	CauseLock       CauseKind = "shutdown-lock"  // With names the node
	CauseColocation CauseKind = "colocation"     // the resource's own one, with With
	CauseElsewhere  CauseKind = "colocated"      // its partner With is to run elsewhere, or nowhere
	CauseDependent  CauseKind = "dependent"      // the wishes of With, which is colocated with the resource
	CauseTargetRole CauseKind = "target-role"    // the resource is to be stopped; ID says why
	CauseTicket     CauseKind = "ticket"         // ID is the ticket's
	CausePromotion  CauseKind = "promotion"      // a promotion score
	CauseCapacity   CauseKind = "utilization"    // not enough is left
	CauseInstances  CauseKind = "instance-limit" // no more instances of With are allowed, there or at all
	CauseRemote     CauseKind = "remote"         // what runs on cluster nodes only
	CauseContainer  CauseKind = "container"      // the container that it runs in; With names it
	CauseHistory    CauseKind = "history"        // what the history of operations demands; ID says what
	CauseNode       CauseKind = "node"           // the node itself may run nothing
	CauseOrder      CauseKind = "order"          // With, which has to be first, has no instance there
)

// A Cause is what a score comes from.
type Cause struct {
	Kind CauseKind
	ID   string // of the constraint, rule, ticket…
	With string // the other resource (or the node of a shutdown lock)
}

// A Contribution is one step on the way to a score: Score is added to it, or
// where Set is true takes its place.
type Contribution struct {
	Cause
	Score score
	Set   bool
}

// trail remembers what made one score, the newest first. Copies of a score share
// what they have in common. It is empty where nobody asked.
type trail struct {
	previous *trail
	step     Contribution
}

// cause makes a cause where one is to be remembered, else nil.
func (s *scheduler) cause(kind CauseKind, id string, with *rsc) *Cause {
	if !s.in.Trace {
		return nil
	}
	return newCause(kind, id, with)
}

func newCause(kind CauseKind, id string, with *rsc) *Cause {
	c := &Cause{Kind: kind, ID: id}
	if with != nil {
		c.With = with.ID
	}
	return c
}

// cause is a cause of a score that a colocation makes.
func (c *colocation) cause(kind CauseKind, with *rsc) *Cause {
	return c.dependent.s.cause(kind, c.id, with)
}

// note adds a step to the trail.
func (a *alloc) note(v score, c *Cause, set bool) {
	a.why = &trail{previous: a.why, step: Contribution{Cause: *c, Score: v, Set: set}}
}

// traceAllowed remembers what the status knew already of a place.
func traceAllowed(a *alloc, from *status.Allowed) {
	if a.node.Base != 0 {
		a.note(a.node.Base, &Cause{Kind: CauseNode}, false)
	}
	for _, w := range from.Why {
		a.note(w.Score, &Cause{Kind: CauseHistory, ID: w.Text}, false)
	}
}

// loss is a flag that an action lost because of another one, or of a colocation
// with another resource.
type loss struct {
	flag  actionFlags
	cause *action
	with  string
}

// noteUnplaced remembers why a resource, and all below, lost its place again.
func (r *rsc) noteUnplaced(kind CauseKind, id string, with *rsc) {
	if !r.s.in.Trace {
		return
	}
	for _, k := range r.children {
		k.noteUnplaced(kind, id, with)
	}
	if r.s.unplaced == nil {
		r.s.unplaced = map[*rsc]Cause{}
	}
	if _, has := r.s.unplaced[r]; !has {
		r.s.unplaced[r] = *newCause(kind, id, with)
	}
}

// maxLosses bounds what is remembered of one action.
const maxLosses = 16

func (s *scheduler) noteLoss(a *action, l loss) {
	if s.losses == nil {
		s.losses = map[*action][]loss{}
	}
	if list := s.losses[a]; len(list) < maxLosses && !slices.Contains(list, l) {
		s.losses[a] = append(list, l)
	}
}

// A PlaceTrace is a node as a place for a resource, as it was when the resource
// was assigned.
type PlaceTrace struct {
	Node      string
	Score     score
	Available bool // the node can run something now
	Steps     []Contribution
}

// A LossTrace is why an action is required (Flag "optional" was lost), cannot run
// ("runnable") or cannot be part of a live migration ("migratable").
type LossTrace struct {
	Flag           string
	Resource, Task string // the action that caused it
	Node           string
}

// An ActionTrace is an action of a resource.
type ActionTrace struct {
	Task, Node                 string
	Required, Runnable, Pseudo bool
	Reason                     string
	Losses                     []LossTrace
}

// A ResourceTrace is all that is known of the decision on one resource.
type ResourceTrace struct {
	Resource    *status.Resource
	Parent      string // "" for none
	Assigned    string // node, "" for none
	NextRoleWhy string
	Promotion   score // of an instance of a promotable clone
	Places      []PlaceTrace
	Actions     []ActionTrace
	Reloading   bool
	// Unplaced is why it had to give its place up again, nil where it had not.
	Unplaced *Cause
}

// Trace tells of each resource and what is below it, in the order of the
// configuration, where Input.Trace was set.
func (r *Result) Trace() []ResourceTrace {
	if r.s == nil || !r.s.in.Trace {
		return nil
	}
	var out []ResourceTrace
	var walk func(*rsc)
	walk = func(x *rsc) {
		out = append(out, x.trace())
		for _, k := range x.children {
			walk(k)
		}
	}
	for _, x := range r.s.c.Resources {
		walk(r.s.of[x])
	}
	return out
}

func (r *rsc) trace() ResourceTrace {
	t := ResourceTrace{Resource: r.Resource, NextRoleWhy: r.NextRoleWhy, Promotion: r.promotionPriority, Reloading: r.has(reloading)}
	if r.parent != nil {
		t.Parent = r.parent.ID
	}
	if r.assigned != nil {
		t.Assigned = r.assigned.node.Name
	}
	if c, has := r.s.unplaced[r]; has && r.assigned == nil {
		t.Unplaced = &c
	}
	for _, a := range r.allowed.list() {
		p := PlaceTrace{Node: a.node.Name, Score: a.score, Available: available(a.node)}
		for w := a.why; w != nil; w = w.previous {
			p.Steps = append(p.Steps, w.step)
		}
		slices.Reverse(p.Steps)
		t.Places = append(t.Places, p)
	}
	for _, a := range r.actions {
		t.Actions = append(t.Actions, a.trace())
	}
	return t
}

func (a *action) trace() ActionTrace {
	t := ActionTrace{Task: a.task, Required: !a.is(optional), Runnable: a.is(runnable), Pseudo: a.is(pseudo), Reason: a.reason}
	if a.node != nil {
		t.Node = a.node.Name
	}
	for _, l := range a.s.losses[a] {
		x := LossTrace{Flag: map[actionFlags]string{optional: "optional", runnable: "runnable", migratable: "migratable"}[l.flag], Resource: l.with}
		if c := l.cause; c != nil {
			x.Task = c.task
			if c.rsc != nil {
				x.Resource = c.rsc.ID
			}
			if c.node != nil {
				x.Node = c.node.Name
			}
		}
		t.Losses = append(t.Losses, x)
	}
	return t
}
