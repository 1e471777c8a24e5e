// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/attrs"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/opdigest"
	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/transition/graph"
)

// A Run carries one graph out.
type Run struct {
	CIB     *etree.Element // is changed
	Graph   *graph.Graph
	Cluster *status.Cluster // that the graph was made of
	Now     time.Time
	// Failures are operations that fail: RSC_OP_INTERVAL@NODE=RC.
	Failures []string

	// Tell is called for each thing that is done, Complain for what is wrong
	// with the failures asked for; both may be nil.
	Tell     func(Item)
	Complain func(string)

	confirmed map[int]bool
	failed    map[int]bool
	abort     int
	history   histories
}

// Execute carries the graph out. It is false where actions could never run.
func (r *Run) Execute() (complete bool) {
	r.confirmed, r.failed = make(map[int]bool, len(r.Graph.Synapses)), map[int]bool{}
	r.history = histories{cib: r.CIB}
	left := slices.Clone(r.Graph.Synapses)
	skipped := false
	for progress := true; progress; {
		progress, skipped = false, false
		waiting := left[:0]
		for _, s := range left {
			if !r.ready(s) {
				waiting = append(waiting, s)
				continue
			}
			if r.blocked(s) {
				waiting = append(waiting, s)
				skipped = true
				continue
			}
			progress = true
			for _, a := range s.Actions {
				r.carryOut(a)
				r.confirmed[a.ID] = true
			}
		}
		left = waiting
	}
	return len(left) == 0 || skipped || r.abort > 0
}

// ready tells whether the inputs of a synapse are done; one of INFINITY takes
// failed ones too.
func (r *Run) ready(s *graph.Synapse) bool {
	for _, in := range s.Inputs {
		if !r.confirmed[in.ActionID] || r.failed[in.ActionID] && s.Priority < int(status.Infinity) {
			return false
		}
	}
	return true
}

func (r *Run) blocked(s *graph.Synapse) bool {
	for _, a := range s.Actions {
		if a.Kind != graph.PseudoEvent && s.Priority < r.abort {
			return true
		}
	}
	return false
}

func (r *Run) tell(i Item) {
	if r.Tell != nil {
		r.Tell(i)
	}
}

func (r *Run) carryOut(a *graph.Action) {
	switch {
	case a.Kind == graph.PseudoEvent:
		r.tell(pseudoAction{a.OperationKey, a.OnNode})
	case a.Kind == graph.CrmEvent && a.Operation == "stonith":
		r.fence(a)
	case a.Kind == graph.CrmEvent && a.Primitive != nil:
		r.tell(clusterAction{a.Operation, a.Primitive.ID, a.OnNode})
	case a.Kind == graph.CrmEvent:
		r.tell(clusterAction{a.Operation, "", a.OnNode})
	case a.Primitive != nil:
		r.operate(a)
	}
}

// fence takes a node down.
func (r *Run) fence(a *graph.Action) {
	op := a.Attr("CRM_meta_stonith_action")
	r.tell(fencing{a.OnNode, op})
	if op == "on" {
		return
	}
	n := r.history.node(a.OnNode, "")
	update(r.CIB, n.state, stateOf(false, "simulate_fencing_action")...)
	n.drop(r.CIB)
}

func dropHistory(cib, n *etree.Element) {
	for _, tag := range []string{"lrm", "transient_attributes"} {
		if document.Child(n, tag) != nil {
			updated(cib)
		}
		for e := document.Child(n, tag); e != nil; e = document.Child(n, tag) {
			n.RemoveChild(e)
		}
	}
}

// operate runs an agent's operation.
func (r *Run) operate(a *graph.Action) {
	p := a.Primitive
	name := p.ID
	if r.Cluster.FindResource(name, status.MatchHistory) == nil && p.LongID != "" && r.Cluster.FindResource(p.LongID, status.MatchHistory) != nil {
		name = p.LongID
	}
	if a.Operation == "delete" || a.Operation == "meta-data" {
		r.tell(agentAction{name, a.Operation, a.OnNode, 0})
		return
	}
	uuid := a.OnNodeUUID
	if a.RouterNode != "" {
		uuid = a.OnNode
	}
	target, _ := strconv.Atoi(a.Attr("CRM_meta_op_target_rc"))
	interval, _ := strconv.ParseUint(a.Attr("CRM_meta_interval"), 10, 32)
	n := r.history.node(a.OnNode, uuid)
	h, call := n.resource(name, p)
	r.tell(agentAction{name, a.Operation, a.OnNode, uint(interval)})
	rc := target
	if code, who, ok := r.failure(a, name, uint(interval)); ok {
		rc = code
		r.tell(pretence{a.ID, rc})
		r.failed[a.ID] = true
		r.abort = int(status.Infinity)
		fatal := a.Operation == "stop" || a.Operation == "start" && r.Graph.Attr("failed-start-offset") != "1"
		j := injector{now: r.Now, tell: r.tell}
		j.failure(n.state, who, a.Operation, uint(interval), rc, fatal)
	}
	Record(h, Op{
		Resource: p.ID, Task: a.Operation, IntervalMS: uint(interval), RC: rc, TargetRC: target, CallID: call,
		Node: a.OnNode, Params: parameters(a), At: r.Now, Reason: "User-injected result",
	})
	updated(r.CIB)
}

// parameters are the attributes of an action of which its record is made: of
// the meta-attributes only a few.
func parameters(a *graph.Action) map[string]string {
	params := map[string]string{}
	for _, list := range [][]graph.Attr{a.Attributes, a.Params} {
		for _, at := range list {
			if meta, is := strings.CutPrefix(at.Name, opdigest.MetaPrefix); !is || recordedMeta[meta] {
				params[at.Name] = at.Value
			}
		}
	}
	return params
}

// recordedMeta are the meta-attributes that show in a record.
var recordedMeta = map[string]bool{
	"interval": true, "timeout": true, "notify_type": true, "notify_operation": true, "migrate_source": true, "migrate_target": true,
}

// failure finds whether an operation is to fail.
func (r *Run) failure(a *graph.Action, name string, interval uint) (rc int, who string, ok bool) {
	for _, spec := range r.Failures {
		for _, rsc := range []string{name, a.Primitive.ID} {
			key := graph.OpKey(rsc, a.Operation, interval) + "@" + a.OnNode + "="
			if len(spec) >= len(key) && strings.EqualFold(spec[:len(key)], key) {
				if _, _, code, fields := splitSpec(spec); fields == 3 {
					return code, rsc, true
				}
				if r.Complain != nil {
					r.Complain(fmt.Sprintf("Invalid failed operation '%s' (result code must be integer)", spec))
				}
				break
			}
		}
	}
	return 0, "", false
}

// failureAttrs are the node attributes that count a failure.
func failureAttrs(n *etree.Element, rsc, task string, interval uint, fatal bool, at time.Time) []attrChange {
	suffix := rsc + "#" + task + "_" + strconv.FormatUint(uint64(interval), 10)
	value := "INFINITY"
	if !fatal {
		count := 0
		for p := range document.All(document.Child(n, "transient_attributes"), "nvpair") {
			if document.Get(p, "name") == "fail-count-"+suffix {
				count, _ = strconv.Atoi(document.Get(p, "value"))
			}
		}
		value = strconv.Itoa(count + 1)
	}
	id := document.ID(n)
	return []attrChange{
		{"fail-count-" + suffix, value, id},
		{"last-failure-" + suffix, strconv.FormatInt(at.Unix(), 10), id},
	}
}

func setAttr(n *etree.Element, name, value string) {
	id := document.ID(n)
	t := document.Child(n, "transient_attributes")
	if t == nil {
		t = document.Add(n, "transient_attributes", "id", id)
	}
	set := document.Child(t, "instance_attributes")
	if set == nil {
		set = document.Add(t, "instance_attributes", "id", id)
	}
	if p := document.ChildWith(set, "nvpair", "name", name); p != nil {
		document.Set(p, "value", value)
		return
	}
	document.Add(set, "nvpair", "id", attrs.SanitizeID(document.ID(set)+"-"+name), "name", name, "value", value)
}
