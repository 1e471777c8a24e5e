// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package pengine_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/simulate"
	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/transition/graph"
)

// A place is a resource, by the name in the history, on a node.
type place struct{ rsc, node string }

// A walk carries one graph out, one synapse after the other in any order that
// the graph allows, against a model of what is active where. The model knows
// nothing of the scheduler: it takes the first state, and then only what actions
// do. Before each action it asks the laws.
type walk struct {
	g       *graph.Graph
	root    *etree.Element  // changed as results would change it
	c       *status.Cluster // as the scheduler left it
	before  *status.Cluster // the input
	choose  func(n int) int // which of n synapses that are ready fires; below 0 ends
	fails   func(*graph.Action) bool
	laws    []law
	plan    *plan
	roles   map[place]status.Role
	first   map[place]status.Role // the state at the start
	unsure  map[place]bool        // an operation failed: it may be active or not
	gone    map[string]bool       // nodes fenced or shut down
	done    map[int]bool
	failed  map[int]bool
	joined  map[string]bool // remote nodes that were connected, with what the history has of them
	aborted bool
	trace   []string
	byName  map[string]*status.Resource
	byHist  map[string][]*status.Resource
}

// A law is what has to hold before every action of every legal execution.
type law struct {
	name  string
	check func(w *walk, a *graph.Action, r *status.Resource) string
}

// maxSteps bounds a walk.
const maxSteps = 10000

func newWalk(root *etree.Element, before *status.Cluster, res *sched.Result) *walk {
	w := &walk{
		g: res.Graph, root: root, c: res.Cluster, before: before, roles: map[place]status.Role{}, first: map[place]status.Role{},
		unsure: map[place]bool{}, gone: map[string]bool{}, joined: map[string]bool{}, done: map[int]bool{}, failed: map[int]bool{},
		byName: map[string]*status.Resource{}, byHist: map[string][]*status.Resource{}, laws: laws,
		choose: func(int) int { return 0 }, fails: func(*graph.Action) bool { return false },
	}
	for _, r := range primitives(w.c) {
		w.byName[r.ID] = r
		w.byHist[historyName(r)] = append(w.byHist[historyName(r)], r)
	}
	for _, r := range primitives(before) {
		for _, n := range r.ActiveOn {
			if !n.Online && !n.Unclean && !n.Remote {
				continue // gone for good
			}
			w.roles[place{historyName(r), n.Name}] = r.Role
			w.first[place{historyName(r), n.Name}] = r.Role
			if r.Any(status.Failed|status.Blocked|status.StartPending) || len(r.ActiveOn) > 1 || len(r.DanglingMigrations) > 0 {
				w.unsure[place{historyName(r), n.Name}] = true
			}
		}
	}
	w.plan = readPlan(w)
	return w
}

// run walks until nothing is ready. It returns the first law that is broken.
func (w *walk) run() error {
	for range maxSteps {
		var ready []*graph.Synapse
		for _, s := range w.g.Synapses {
			if !w.done[-s.ID-1] && w.ready(s) && !w.blocked(s) {
				ready = append(ready, s)
			}
		}
		if len(ready) == 0 {
			return w.finished()
		}
		i := w.choose(len(ready))
		if i < 0 {
			return nil
		}
		w.done[-ready[i].ID-1] = true
		for _, a := range ready[i].Actions {
			if err := w.step(a); err != nil {
				return err
			}
			w.done[a.ID] = true
		}
	}
	return fmt.Errorf("the graph does not end")
}

func (w *walk) finished() error {
	if w.aborted {
		return nil
	}
	// What is left must wait for something that is not in the graph, as
	// Pacemaker's graphs do where that cannot run, and not for itself. Loops
	// through a guest node and through a live migration are left: a configuration
	// may order a resource before the one that holds the guest it is to run on, and
	// Pacemaker lets that be.
	left := w.waiting()
	for more := true; more; {
		more = false
		for id, s := range left {
			waits := slices.ContainsFunc(s.Inputs, func(in graph.Input) bool { return left[in.ActionID] != nil })
			needed := false
			for _, o := range left {
				needed = needed || slices.ContainsFunc(o.Inputs, func(in graph.Input) bool { return in.ActionID == id })
			}
			if !waits || !needed {
				delete(left, id)
				more = true
			}
		}
	}
	var loop []string
	for _, s := range left {
		for _, a := range s.Actions {
			r := w.resource(a)
			if w.c.FindNode(a.OnNode).IsGuest() || r != nil && r.Is(status.IsConnection) && r.Launcher != nil || a.Operation == "migrate_to" {
				return nil
			}
			loop = append(loop, a.OperationKey)
		}
	}
	if len(loop) > 0 {
		slices.Sort(loop)
		return fmt.Errorf("law liveness: these wait for each other: %s", strings.Join(loop, " "))
	}
	return nil
}

// waiting gives the synapses that did not fire, by their actions.
func (w *walk) waiting() map[int]*graph.Synapse {
	left := map[int]*graph.Synapse{}
	for _, s := range w.g.Synapses {
		for _, a := range s.Actions {
			if !w.done[-s.ID-1] {
				left[a.ID] = s
			}
		}
	}
	return left
}

func (w *walk) ready(s *graph.Synapse) bool {
	for _, in := range s.Inputs {
		if !w.done[in.ActionID] || w.failed[in.ActionID] && s.Priority < int(status.Infinity) {
			return false
		}
	}
	return true
}

func (w *walk) blocked(s *graph.Synapse) bool {
	return w.aborted && s.Priority < int(status.Infinity) && slices.ContainsFunc(s.Actions, func(a *graph.Action) bool { return a.Kind != graph.PseudoEvent })
}

// resource finds what an action is about, nil where it is about no resource.
func (w *walk) resource(a *graph.Action) *status.Resource {
	if a.Primitive == nil {
		return nil
	}
	if r := w.byName[a.Primitive.LongID]; r != nil {
		return r
	}
	if r := w.byName[a.Primitive.ID]; r != nil {
		return r
	}
	if list := w.byHist[a.Primitive.ID]; len(list) > 0 {
		return list[0]
	}
	return nil
}

// step checks and does one action.
func (w *walk) step(a *graph.Action) error {
	w.trace = append(w.trace, strings.TrimSpace(fmt.Sprintf("%s %s %s", a.Kind, a.OperationKey, a.OnNode)))
	r := w.resource(a)
	for _, l := range w.laws {
		if why := l.check(w, a, r); why != "" {
			return fmt.Errorf("law %s: %s\nsteps:\n%s", l.name, why, strings.Join(w.trace, "\n"))
		}
	}
	bad := a.Kind == graph.RscOp && a.Attr("CRM_meta_op_target_rc") != "7" && w.fails(a)
	run := simulate.Run{CIB: w.root, Cluster: w.c, Now: aMoment, Graph: &graph.Graph{Attributes: w.g.Attributes, Synapses: []*graph.Synapse{{Actions: []*graph.Action{a}}}}}
	if bad {
		interval, _ := strconv.ParseUint(a.Attr("CRM_meta_interval"), 10, 32)
		run.Failures = []string{graph.OpKey(a.Primitive.ID, a.Operation, uint(interval)) + "@" + a.OnNode + "=1"}
		w.failed[a.ID], w.aborted = true, true
		w.trace[len(w.trace)-1] += " FAILS"
	}
	run.Execute()
	w.apply(a, r, bad)
	return nil
}

// apply changes the model.
func (w *walk) apply(a *graph.Action, r *status.Resource, bad bool) {
	switch {
	case a.Operation == "stonith" && a.Kind == graph.CrmEvent:
		if op := a.Attr("CRM_meta_stonith_action"); op != "on" {
			w.takeDown(a.OnNode)
		}
	case a.Operation == "stonith" && a.Kind == graph.PseudoEvent:
		// The guest went with what held it, in this graph or before.
		if n := w.c.FindNode(a.OnNode); n.IsGuest() && len(w.where(n.Connection.Launcher)) == 0 {
			w.emptyNode(a.OnNode)
		}
	case a.Operation == "clear_failcount", a.Operation == "cancel", a.Operation == "delete", a.Operation == "lrm_delete":
		w.clean(a)
	case a.Operation == "do_shutdown":
		w.takeDown(a.OnNode)
		if err := happen(w.root, simulate.Injections{Down: []string{a.OnNode}}); err != nil {
			panic(err)
		}
	case a.Kind == graph.RscOp && r != nil && a.Attr("CRM_meta_interval") == "":
		w.operate(a, r, bad)
	case a.Kind == graph.RscOp && r != nil:
		// Pacemaker's graphs monitor what moved away from a guest that restarts.
		if _, here := w.roles[place{historyName(r), a.OnNode}]; !here {
			w.unsure[place{historyName(r), a.OnNode}] = true
		}
	}
}

// clean does what a controller does to the status section, and a simulation does
// not.
func (w *walk) clean(a *graph.Action) {
	st := document.ChildWith(document.Child(w.root, "status"), "node_state", "uname", a.OnNode)
	rsc, _, _, err := graph.ParseOpKey(a.OperationKey)
	if err != nil || st == nil {
		return
	}
	if a.Primitive != nil {
		rsc = a.Primitive.ID
	}
	var drop []*etree.Element
	for e := range document.All(st, "") {
		id, name := document.ID(e), document.Get(e, "name")
		switch a.Operation {
		case "clear_failcount":
			if strings.HasPrefix(name, "fail-count-"+rsc+"#") || strings.HasPrefix(name, "last-failure-"+rsc+"#") || id == rsc+"_last_failure_0" {
				drop = append(drop, e)
			}
		case "cancel":
			interval, _ := strconv.ParseUint(a.Attr("CRM_meta_interval"), 10, 32)
			if id == graph.OpKey(rsc, a.Attr("CRM_meta_operation"), uint(interval)) {
				drop = append(drop, e)
			}
		default:
			if e.Tag == "lrm_resource" && id == rsc {
				drop = append(drop, e)
				delete(w.roles, place{rsc, a.OnNode})
			}
		}
	}
	for _, e := range drop {
		e.Parent().RemoveChild(e)
	}
}

func (w *walk) operate(a *graph.Action, r *status.Resource, bad bool) {
	p := place{historyName(r), a.OnNode}
	if bad {
		w.unsure[p] = true
		switch a.Operation {
		case "start":
			w.roles[p] = status.RoleStarted
		case "promote":
			w.roles[p] = status.RolePromoted
		case "migrate_to", "migrate_from":
			w.roles[place{p.rsc, a.Attr("CRM_meta_migrate_target")}] = status.RoleStarted
			w.unsure[place{p.rsc, a.Attr("CRM_meta_migrate_target")}] = true
			w.unsure[place{p.rsc, a.Attr("CRM_meta_migrate_source")}] = true
		}
		return
	}
	switch a.Operation {
	case "start":
		w.roles[p] = status.RoleStarted
		if r.Top(false).Is(status.Promotable) {
			w.roles[p] = status.RoleUnpromoted
		}
		delete(w.unsure, p)
		w.endInside(r)
		if r.Is(status.IsConnection) {
			w.joined[p.rsc] = true
			delete(w.gone, p.rsc)
		}
	case "migrate_to": // until the second half, it counts as active on both
		w.unsure[p] = true
		w.unsure[place{p.rsc, a.Attr("CRM_meta_migrate_target")}] = true
	case "migrate_from":
		delete(w.unsure, p)
		w.unsure[place{p.rsc, a.Attr("CRM_meta_migrate_source")}] = true // until its stop
		w.roles[p] = status.RoleStarted
		delete(w.roles, place{p.rsc, a.Attr("CRM_meta_migrate_source")})
	case "promote":
		w.roles[p] = status.RolePromoted
	case "demote":
		w.roles[p] = status.RoleUnpromoted
	case "stop":
		delete(w.roles, p)
		if !r.Is(status.IsConnection) { // a connection that failed twice is known from both nodes
			delete(w.unsure, p)
		}
		if len(w.where(r)) == 0 {
			w.endInside(r)
		}
	}
}

// endInside ends the guest nodes that run in a resource.
func (w *walk) endInside(r *status.Resource) {
	for _, n := range w.c.Nodes {
		if n.IsGuest() && n.Connection.Launcher == r {
			w.emptyNode(n.Name)
		}
	}
}

// takeDown ends a node, and the guests in what runs there.
func (w *walk) takeDown(node string) {
	for _, p := range w.placesOn(node) {
		for _, r := range w.byHist[p.rsc] {
			w.endInside(r)
		}
	}
	w.emptyNode(node)
	w.gone[node] = true
}

// emptyNode forgets all that ran on a node, in the model and in the document, as
// the controller does for remote nodes.
func (w *walk) emptyNode(node string) {
	for _, p := range w.placesOn(node) {
		delete(w.roles, p)
		delete(w.unsure, p)
	}
	st := document.ChildWith(document.Child(w.root, "status"), "node_state", "uname", node)
	for _, tag := range []string{"lrm", "transient_attributes"} {
		if e := document.Child(st, tag); e != nil {
			st.RemoveChild(e)
		}
	}
}

func (w *walk) placesOn(node string) []place {
	var out []place
	for p := range w.roles {
		if p.node == node {
			out = append(out, p)
		}
	}
	return out
}

// where lists the nodes on which a resource is active in the model.
func (w *walk) where(r *status.Resource) []string {
	var out []string
	for p := range w.roles {
		if p.rsc == historyName(r) {
			out = append(out, p.node)
		}
	}
	slices.Sort(out)
	return out
}

// agrees compares the model with the state that the document shows.
func (w *walk) agrees(after *status.Cluster) error {
	seen := map[place]bool{}
	for _, r := range primitives(after) {
		for _, n := range r.ActiveOn {
			p := place{historyName(r), n.Name}
			seen[p] = true
			if w.joined[n.Name] && n.IsRemote() {
				continue // its history speaks again
			}
			if _, has := w.roles[p]; !has && !w.unsure[p] && (n.Online || n.Unclean) {
				return fmt.Errorf("%s is active on %s, the model has it not\nsteps:\n%s", p.rsc, p.node, strings.Join(w.trace, "\n"))
			}
		}
	}
	for p := range w.roles {
		if n := w.c.FindNode(p.node); n.Remote && (n.Connection == nil || len(w.where(n.Connection)) == 0) {
			continue // nobody can tell
		}
		if !seen[p] && !w.unsure[p] {
			return fmt.Errorf("%s is not active on %s, the model has it there\nsteps:\n%s", p.rsc, p.node, strings.Join(w.trace, "\n"))
		}
	}
	return nil
}
