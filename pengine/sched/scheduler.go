// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/transition/graph"
)

type (
	node  = status.Node
	score = status.Score
)

const infinity = status.Infinity

// scheduler is one decision while it is made.
type scheduler struct {
	in         Input
	c          *status.Cluster
	nodes      []*node // sorted by name
	rscs       []*rsc  // top ones, in the order of assignment
	of         map[*status.Resource]*rsc
	placed     []int               // resources placed on each node
	capacity   []map[string]string // what is left of each node's utilization
	actions    []*action           // in the order of creation
	singletons map[string]*action  // those of no resource, by key
	metas      map[metaKey]*opMeta // as configured, of actions so far
	plainNames bool                // no two nodes go by one name, and there are no guests
	orderings  []*ordering         // to be applied to actions
	locations  []*location         // in the order of unpacking
	scores     []Line
	notes      []string
	graph      *graph.Graph
	attrs      attrSet // of the action that is being written

	// What is allocated many at a time.
	relatedSlab  []related
	orderingSlab []ordering
	actionSlab   []action
	graphedSlab  []graphed
	updates      int
	bundleDepth  int                // how many assignments of bundles are under way
	walk         int                // number of the walk through relations that is under way
	losses       map[*action][]loss // where Input.Trace is set
	unplaced     map[*rsc]Cause     // likewise
}

// schedFlags are properties of a resource that only matter while scheduling.
type schedFlags uint

const (
	unassigned schedFlags = 1 << iota
	assigning
	updatingScores
	restarting
	stopUnexpected
	reloading
	promotionAdded
	promotionConstrained
	nestingAllowed // a connection whose container may run on a remote node
)

// rsc is a resource while it is scheduled.
type rsc struct {
	*status.Resource
	s        *scheduler
	v        variant
	parent   *rsc
	children []*rsc
	launcher *rsc
	launched []*rsc
	sf       schedFlags
	allowed  table
	assigned *alloc
	actions  []*action // in the order of creation
	graphed  *graph.Primitive
	number   int       // of an instance
	keys     []taskKey // of actions without interval, as far as asked for

	thisWith, withThis []*colocation
	locations          []*location // in the order of unpacking
	tickets            []*ticketRef
	promotionPriority  score
	notify             *notifications
	bundle             *bundle
}

func (r *rsc) has(f schedFlags) bool { return r.sf&f == f }
func (r *rsc) mark(f schedFlags)     { r.sf |= f }
func (r *rsc) unmark(f schedFlags)   { r.sf &^= f }

func newScheduler(c *status.Cluster, in Input) *scheduler {
	s := &scheduler{
		in: in, c: c, nodes: c.Nodes, of: map[*status.Resource]*rsc{}, singletons: map[string]*action{}, metas: map[metaKey]*opMeta{},
		placed: make([]int, len(c.Nodes)), capacity: make([]map[string]string, len(c.Nodes)),
	}
	for i, n := range c.Nodes {
		s.capacity[i] = make(map[string]string, len(n.Utilization))
		maps.Copy(s.capacity[i], n.Utilization)
	}
	s.plainNames = plainNames(c.Nodes)
	for _, r := range c.Resources {
		s.rscs = append(s.rscs, s.wrap(r, nil))
	}
	for _, r := range s.of { // any order: each resource on its own
		if r.Launcher != nil {
			r.launcher = s.of[r.Launcher]
		}
		for _, l := range r.Launched {
			r.launched = append(r.launched, s.of[l])
		}
	}
	return s
}

// plainNames tells whether each node is the only one with its name as an
// attribute.
func plainNames(nodes []*node) bool {
	seen := make(map[string]bool, len(nodes))
	for _, n := range nodes {
		name := strings.ToLower(n.Name)
		if n.IsGuest() || seen[name] || n.Attrs[status.AttrName] != n.Name {
			return false
		}
		seen[name] = true
	}
	return true
}

// wrap makes the scheduler's view of a resource and all below it.
func (s *scheduler) wrap(r *status.Resource, parent *rsc) *rsc {
	w := &rsc{Resource: r, s: s, parent: parent, sf: unassigned, number: instanceNumber(r.ID), allowed: newTable(s.nodes, &r.Allowed, s.in.Trace)}
	s.of[r] = w
	switch r.Variant {
	case status.Primitive:
		w.v = primitive{w}
	case status.Group:
		w.v = group{primitive{w}}
	case status.Clone:
		w.v = clone{primitive{w}}
	case status.BundleVariant:
		w.v = bundleVariant{primitive{w}}
	}
	for _, k := range r.Children {
		w.children = append(w.children, s.wrap(k, w))
	}
	if r.Bundle != nil {
		s.wrapBundle(w)
	}
	return w
}

// variant is what differs between kinds of resource.
type variant interface {
	// assign chooses a node (or nodes, for the parts).
	assign(prefer *node, stopIfFail bool) *alloc
	createActions()
	// createProbe asks what the resource's state on a node is.
	createProbe(n *node) bool
	internalConstraints()
	// applyColocation applies a colocation of dependent with primary. The method
	// is the dependent's where forDependent is set, else the primary's.
	applyColocation(dependent, primary *rsc, c *colocation, forDependent bool) score
	// colocated adds what has to be on the same node.
	colocated(orig *rsc, list []*rsc) []*rsc
	collectWithThis(orig *rsc, list *[]*colocation)
	collectThisWith(orig *rsc, list *[]*colocation)
	addColocatedScores(target *rsc, nodes *table, c *colocation, factor float32, flags selectFlags)
	applyLocation(l *location)
	actionFlags(a *action, n *node) actionFlags
	updateOrdered(first, then *action, n *node, flags, filter actionFlags, rel relation) changed
	addToGraph()
	graphMeta(attrs *attrSet)
	addUtilization(orig *rsc, all []*rsc, sum map[string]string)
	shutdownLock()
	changes() []Change
}

// top is the outermost resource below a bundle.
func (r *rsc) top() *rsc {
	for r.parent != nil && r.parent.Variant != status.BundleVariant {
		r = r.parent
	}
	return r
}

// isParent tells whether p holds r.
func (r *rsc) isParent(p *rsc) bool {
	if r == nil || p == nil {
		return false
	}
	for x := r.parent; x != nil; x = x.parent {
		if x == p {
			return true
		}
	}
	return false
}

func (r *rsc) isVariant(v status.Variant) bool { return r != nil && r.Variant == v }

func (r *rsc) isAnonymousClone() bool { return r != nil && r.IsAnonymousClone() }

// assignedNodes lists where the parts of the resource are to run.
func (r *rsc) assignedNodes() []*alloc {
	if len(r.children) == 0 {
		if r.assigned == nil {
			return nil
		}
		return []*alloc{r.assigned}
	}
	var out []*alloc
	for _, k := range r.children {
	next:
		for _, a := range k.assignedNodes() {
			for _, o := range out {
				if o.node == a.node {
					continue next
				}
			}
			out = append(out, a)
		}
	}
	return out
}

// assignedTo is the one node to which the resource is assigned, nil where there
// is none or there are several.
func (r *rsc) assignedTo() *alloc {
	if list := r.assignedNodes(); len(list) == 1 {
		return list[0]
	}
	return nil
}

// currentOne is the one node on which the resource is active, nil where there is
// none or there are several.
func (r *rsc) currentOne() *node {
	if list := r.Nodes(false); len(list) == 1 {
		return list[0]
	}
	return nil
}

// node is the node assigned.
func (r *rsc) node() *node { return r.assigned.on() }

func (r *rsc) activeOn(n *node) bool {
	return slices.Contains(r.ActiveOn, n)
}

// anyFlag tells whether the resource or anything below has the flag.
func (r *rsc) anyFlag(f status.Flags) bool {
	if r.Is(f) {
		return true
	}
	for _, k := range r.children {
		if k.anyFlag(f) {
			return true
		}
	}
	return false
}

// ban adds a score on a node (nil: on all), to the resource and all below.
func (r *rsc) ban(n *node, v score, why *Cause) {
	if n != nil {
		r.addScore(n, v, why)
		return
	}
	for _, o := range r.s.nodes {
		r.addScore(o, v, why)
	}
	if v == -infinity && r.assigned != nil {
		r.assigned = nil
	}
}

func (r *rsc) addScore(n *node, v score, why *Cause) {
	for _, k := range r.children {
		k.addScore(n, v, why)
	}
	a := r.allowed[n.Index]
	if a == nil {
		a = &alloc{node: n, score: n.Base, probe: n.BaseProbe}
		r.allowed[n.Index] = a
	}
	a.add(v, why)
}

func (s *scheduler) findNode(name string) *node { return s.c.FindNode(name) }
