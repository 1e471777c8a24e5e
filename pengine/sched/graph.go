// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/transition/graph"
)

// makeGraph turns actions and relations into the graph.
func (s *scheduler) makeGraph() {
	o := &s.c.Options
	startOffset := "1"
	if o.StartFailureIsFatal {
		startOffset = "INFINITY"
	}
	s.graph = &graph.Graph{Attributes: []graph.Attr{
		{Name: "cluster-delay", Value: o.Get("cluster-delay")},
		{Name: "fencing-timeout", Value: o.Get("fencing-timeout")},
		{Name: "failed-stop-offset", Value: "INFINITY"},
		{Name: "failed-start-offset", Value: startOffset},
		{Name: "batch-limit", Value: o.Get("batch-limit")},
		{Name: "transition_id", Value: strconv.Itoa(max(1, s.in.TransitionID))},
	}}
	if limit, ok := status.ParseAmount(o.Get("migration-limit")); ok && limit > 0 {
		s.graph.Attributes = append(s.graph.Attributes, graph.Attr{Name: "migration-limit", Value: o.Get("migration-limit")})
	}
	if !s.c.RecheckBy.IsZero() {
		s.graph.Attributes = append(s.graph.Attributes, graph.Attr{Name: "recheck-by", Value: strconv.FormatInt(s.c.RecheckBy.Unix(), 10)})
	}
	for _, r := range s.rscs {
		if r.bundle != nil {
			r.bundle.settleHosts()
		}
		r.v.addToGraph()
	}
	if len(s.maintenanceNodes()) > 0 {
		s.pseudoAction(taskMaintenance).set(alwaysInGraph)
	}
	for _, v := range slices.Backward(s.actions) {
		s.toGraph(v)
	}
}

func (p primitive) addToGraph() { p.ownActionsToGraph() }

func (r *rsc) ownActionsToGraph() {
	for _, v := range slices.Backward(r.actions) {
		r.s.toGraph(v)
	}
	for _, k := range r.children {
		k.v.addToGraph()
	}
}

func (s *scheduler) maintenanceNodes() []graph.MaintenanceNode {
	var out []graph.MaintenanceNode
	for _, n := range s.nodes {
		if n.Remote && n.Maintenance != n.RemoteMaintenance {
			out = append(out, graph.MaintenanceNode{Node: string(n.ID), InMaintenance: n.Maintenance})
		}
	}
	return out
}

// wanted tells whether an action is to be carried out.
func (a *action) wanted() bool {
	if !a.is(runnable) || a.is(optional) && !a.is(alwaysInGraph) {
		return false
	}
	if a.rsc != nil && !a.rsc.Is(status.Managed) && a.task != taskMonitor {
		if v, has := a.meta.lookup("interval"); !has || v == "0" {
			return false
		}
	}
	if a.is(pseudo) || a.task == taskFence || a.task == taskShutdown {
		return true
	}
	n := a.node
	switch {
	case n == nil:
		return false
	case a.is(onDC), n.IsGuest() && !n.RemoteReset:
		return true
	}
	return n.Online && !n.Unclean
}

// wantedInput tells whether an action has to wait for the input; relations that
// turn out void are cleared.
func (s *scheduler) wantedInput(a *action, in *related) bool {
	if in.graph {
		return true
	}
	b := in.action
	const onlyOrder = relThenImpliesFirstGraphed | relFirstImpliesThenGraphed | relOrdered
	switch {
	case in.rel == 0:
		return false
	case !b.is(runnable) && (in.rel&^onlyOrder == 0 || in.rel.is(relMinRunnable) || in.rel.is(relUnmigratableThenBlocks)):
		return false
	case in.rel.is(relIfFirstUnmigratable) && b.is(migratable):
		return false
	case in.rel == relOrdered && b.is(migratable) && strings.HasSuffix(b.key, "_stop_0"):
		return false
	case in.rel == relIfOnSameNodeOrTarget:
		on := a.node
		if a.rsc != nil && a.task == taskMigrateTo {
			if b.node != a.rsc.node() || b.node == nil {
				in.rel = 0
				return false
			}
			return true
		}
		if b.node != on || on == nil || b.is(optional) {
			in.rel = 0
			return false
		}
	case in.rel == relIfRequiredOnSameNode:
		if b.node != nil && a.node != nil && b.node != a.node || b.is(optional) {
			in.rel = 0
			return false
		}
	case b.rsc != nil && b.rsc != a.rsc && b.rsc.Is(status.Failed) && !b.rsc.Is(status.Managed) && strings.HasSuffix(b.key, "_stop_0") && a.rsc.isVariant(status.Clone):
		return false
	case b.is(optional) && b.flags&(alwaysInGraph|inGraph) == 0 && !b.wanted():
		return false
	}
	return true
}

// hasLoop tells whether following inputs leads back.
func (s *scheduler) hasLoop(start, a *action, in *related) bool {
	if in.action.is(detectLoop) || !s.wantedInput(a, in) {
		return false
	}
	if in.action == start {
		return true
	}
	in.action.set(detectLoop)
	defer in.action.clear(detectLoop)
	for _, v := range slices.Backward(in.action.before) {
		if s.hasLoop(start, in.action, v) {
			return true
		}
	}
	return false
}

// deduplicate makes one input of several with the same action.
func (a *action) deduplicate() {
	if a.is(deduplicated) {
		return
	}
	a.set(deduplicated)
	slices.Reverse(a.before)
	slices.SortStableFunc(a.before, func(x, y *related) int { return x.action.id - y.action.id })
	out := a.before[:0]
	for _, in := range a.before {
		if n := len(out); n > 0 && out[n-1].action == in.action {
			out[n-1].rel |= in.rel
			out[n-1].graph = out[n-1].graph || in.graph
			continue
		}
		in.graph = false
		out = append(out, in)
	}
	a.before = out
}

func (s *scheduler) toGraph(a *action) {
	a.deduplicate()
	if a.is(inGraph) || !a.wanted() {
		return
	}
	a.set(inGraph)
	g := s.newGraphed()
	syn := &g.synapse
	syn.ID = len(s.graph.Synapses)
	prio := a.priority
	if a.rsc != nil {
		prio = max(prio, a.rsc.Priority)
	}
	syn.Priority = max(0, int(prio))
	s.graph.Synapses = append(s.graph.Synapses, syn)
	s.graphAction(a, &g.action)
	g.actions[0] = &g.action
	syn.Actions = g.actions[:]
	inputs := 0
	for _, in := range a.before {
		if s.wantedInput(a, in) {
			in.graph = true
			inputs++
		}
	}
	if inputs == 0 {
		return
	}
	syn.Inputs = make([]graph.Input, 0, inputs)
	for _, in := range a.before {
		if in.graph {
			syn.Inputs = append(syn.Inputs, s.graphInput(in.action))
		}
	}
}

// graphed is a synapse with its one action.
type graphed struct {
	synapse graph.Synapse
	action  graph.Action
	actions [1]*graph.Action
}

func (s *scheduler) newGraphed() *graphed {
	if len(s.graphedSlab) == 0 {
		s.graphedSlab = make([]graphed, slabSize)
	}
	g := &s.graphedSlab[0]
	s.graphedSlab = s.graphedSlab[1:]
	return g
}

// graphInput names an action for those that wait for it.
func (s *scheduler) graphInput(a *action) graph.Input {
	in := graph.Input{Kind: graph.RscOp, ActionID: a.id, Operation: a.task, OperationKey: a.key}
	switch {
	case a.task == taskFence && a.is(pseudo):
		in.Kind = graph.PseudoEvent
	case a.task == taskFence, a.task == taskShutdown, a.task == taskClear, a.task == taskLRMDelete:
		in.Kind = graph.CrmEvent
	case a.is(pseudo):
		in.Kind = graph.PseudoEvent
	}
	if a.rsc != nil && a.rsc.HistoryID != "" {
		in.OperationKey, in.InternalKey = a.historyKey(), a.key
	}
	if a.shownOnNode() {
		in.OnNode, in.OnNodeUUID = a.node.Name, string(a.node.ID)
		if r := s.router(a); r != nil {
			in.RouterNode = r.Name
		}
	}
	return in
}

// shownOnNode tells whether the graph says on which node the action is.
func (a *action) shownOnNode() bool {
	return a.node != nil && (!a.is(pseudo) || a.task == taskFence || a.task == taskShutdown || a.task == taskClear || a.task == taskLRMDelete)
}

// graphAction writes an action with all its details.
func (s *scheduler) graphAction(a *action, g *graph.Action) {
	in := s.graphInput(a)
	*g = graph.Action{
		Kind: in.Kind, ID: in.ActionID, Operation: in.Operation, OperationKey: in.OperationKey,
		InternalKey: in.InternalKey, OnNode: in.OnNode, OnNodeUUID: in.OnNodeUUID, RouterNode: in.RouterNode,
	}
	switch {
	case a.task == taskLRMDelete:
		g.Mode = "cib"
	case a.is(pseudo) && a.task == taskMaintenance:
		g.MaintenanceNodes = s.maintenanceNodes()
		for _, m := range g.MaintenanceNodes {
			g.Maintenance = append(g.Maintenance, m.Node)
		}
	}
	if a.rsc != nil && !a.is(pseudo) {
		s.graphPrimitive(a, g)
	}
	s.graphAttributes(a, g)
	if a.shownOnNode() {
		s.graphDowned(a, g)
	}
}

// historyKey is the action's key with the name that the history has.
func (a *action) historyKey() string {
	if a.task == taskNotify {
		return graph.NotifyKey(a.rsc.HistoryID, a.meta.get("notify_type"), a.meta.get("notify_operation"))
	}
	task := a.task
	if a.cancelTask != "" {
		task = a.cancelTask
	}
	return graph.OpKey(a.rsc.HistoryID, task, a.intervalMS())
}

func (s *scheduler) graphPrimitive(a *action, g *graph.Action) {
	r := a.rsc
	if r.LockNode != nil && a.node == r.LockNode && (!a.node.Shutdown || a.task == taskStop) {
		g.ShutdownLock = strconv.FormatInt(r.LockTime.Unix(), 10)
	}
	if r.graphed != nil {
		g.Primitive = r.graphed
		return
	}
	p := &graph.Primitive{ID: r.ID, Class: r.Meta["class"], Provider: r.Meta["provider"], Type: r.Meta["type"]}
	switch {
	case r.Is(status.Removed) && r.HistoryID != "":
		p.ID, p.LongID = r.HistoryID, r.ID
	case !r.Is(status.Unique):
		p.ID, p.LongID = r.XMLID(), r.ID
		if r.HistoryID != "" && r.HistoryID != p.ID {
			p.LongID = r.HistoryID
		}
	}
	g.Primitive, r.graphed = p, p
}

// graphAttributes gathers what the agent gets.
func (s *scheduler) graphAttributes(a *action, g *graph.Action) {
	attrs := &s.attrs
	attrs.list = attrs.list[:0]
	if s.in.FeatureSet != "" {
		attrs.add("crm_feature_set", s.in.FeatureSet)
	}
	for _, k := range keysOf(a.extra) {
		attrs.add(k, a.extra[k])
	}
	if r := a.rsc; r != nil && (a.node != nil || r.Variant == status.Primitive) {
		s.graphParams(a, g)
	}
	if a.shownOnNode() {
		a.meta.set("on_node", g.OnNode)
		a.meta.set("on_node_uuid", g.OnNodeUUID)
	}
	attrs.addMeta(&a.meta)
	for r := a.rsc; r != nil; r = r.parent {
		r.v.graphMeta(attrs)
	}
	if a.rsc != nil {
		s.guestMeta(a, attrs)
	}
	g.Attributes = make([]graph.Attr, 0, len(attrs.list))
	for _, at := range attrs.list {
		if attributeName(at.Name) {
			g.Attributes = append(g.Attributes, at)
		}
	}
}

// graphParams adds the resource's parameters.
func (s *scheduler) graphParams(a *action, g *graph.Action) {
	r := a.rsc
	params := s.c.Params(r.Resource, a.node)
	for _, k := range keysOf(params) {
		v := params[k]
		if addr := ""; k == "addr" && v == "#uname" {
			if addr = s.c.BundleAddress(r.Resource); addr != "" {
				v = addr
			} else if base, ok := s.c.Params(r.Resource, nil)["addr"]; ok {
				v = base
			}
		}
		switch {
		case attributeName(k):
			s.attrs.add(k, v)
		case k != "":
			g.Params = append(g.Params, graph.Attr{Name: k, Value: v})
		}
	}
}

// attributeName tells whether a parameter can be an attribute of an element; the
// others become elements of their own.
func attributeName(k string) bool {
	for i, c := range k {
		letter := c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0xc0 && c <= 0x24f && c != 0xd7 && c != 0xf7
		if !letter && (i == 0 || c != '-' && c != '.' && (c < '0' || c > '9')) {
			return false
		}
	}
	return k != ""
}

// guestMeta tells an agent in a guest which machine is below.
func (s *scheduler) guestMeta(a *action, attrs *attrSet) {
	if !a.node.IsGuest() {
		return
	}
	l := s.of[a.node.Connection.Launcher]
	task := a.task
	if isNotify(task) {
		task = a.meta.get("notify_operation")
	}
	var host *node
	switch task {
	case taskStop, taskStopped, taskDemote, taskDemoted:
		host = l.CurrentNode()
	case taskStart, taskStarted, taskMonitor, taskPromote, taskPromoted:
		host = l.node()
	}
	if host == nil {
		return
	}
	if t, has := a.rsc.Meta["container-attribute-target"]; has {
		attrs.add("CRM_meta_container_attribute_target", t)
	}
	attrs.add("CRM_meta_physical_host", host.Name)
}

// graphDowned lists the nodes that an action takes down.
func (s *scheduler) graphDowned(a *action, g *graph.Action) {
	switch {
	case a.task == taskShutdown:
		g.Downed = []graph.Downed{{Node: string(a.node.ID)}}
	case a.task == taskFence:
		if op := a.meta.get("stonith_action"); op != "off" && op != "reboot" {
			return
		}
		g.Downed = []graph.Downed{{Node: string(a.node.ID)}}
		for _, r := range a.node.Running {
			if r.Is(status.IsConnection) && r.Launcher != nil {
				if n := s.findNode(r.ID); n != nil {
					g.Downed = append(g.Downed, graph.Downed{Node: string(n.ID)})
				}
			}
		}
	case a.rsc != nil && a.rsc.Is(status.IsConnection) && a.task == taskStop:
		for _, in := range a.before {
			if in.action.rsc == a.rsc && in.action.task == taskMigrateFrom {
				return
			}
		}
		g.Downed = []graph.Downed{{Node: a.rsc.ID}}
	}
}
