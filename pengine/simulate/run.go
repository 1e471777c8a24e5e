// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
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

	lines     []string
	confirmed map[int]bool
	failed    map[int]bool
	abort     int
}

// An Outcome is what a run did.
type Outcome struct {
	Lines    []string // in words, in the order of execution
	Complete bool     // false where actions could never run
}

// Execute carries the graph out.
func (r *Run) Execute() Outcome {
	r.confirmed, r.failed = map[int]bool{}, map[int]bool{}
	fired := map[int]bool{}
	skipped := false
	for progress := true; progress; {
		progress, skipped = false, false
		for _, s := range r.Graph.Synapses {
			if fired[s.ID] || !r.ready(s) {
				continue
			}
			if r.blocked(s) {
				skipped = true
				continue
			}
			fired[s.ID], progress = true, true
			for _, a := range s.Actions {
				r.carryOut(a)
				r.confirmed[a.ID] = true
			}
		}
	}
	return Outcome{Lines: r.lines, Complete: len(fired) == len(r.Graph.Synapses) || skipped || r.abort > 0}
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

func (r *Run) printf(format string, args ...any) {
	r.lines = append(r.lines, fmt.Sprintf(format, args...))
}

func (r *Run) carryOut(a *graph.Action) {
	switch {
	case a.Kind == graph.PseudoEvent:
		line := "Pseudo action:   " + a.OperationKey
		if a.OnNode != "" {
			line += " on " + a.OnNode
		}
		r.printf("%s", line)
	case a.Kind == graph.CrmEvent && a.Operation == "stonith":
		r.fence(a)
	case a.Kind == graph.CrmEvent && a.Primitive != nil:
		r.printf("Cluster action:  %s for %s on %s", a.Operation, a.Primitive.ID, a.OnNode)
	case a.Kind == graph.CrmEvent:
		r.printf("Cluster action:  %s on %s", a.Operation, a.OnNode)
	case a.Primitive != nil:
		r.operate(a)
	}
}

// fence takes a node down.
func (r *Run) fence(a *graph.Action) {
	op := a.Attr("CRM_meta_stonith_action")
	r.printf("Fencing %s (%s)", a.OnNode, op)
	if op == "on" {
		return
	}
	n := NodeState(r.CIB, a.OnNode, "")
	setState(n, false)
	dropHistory(n)
}

func dropHistory(n *etree.Element) {
	for _, tag := range []string{"lrm", "transient_attributes"} {
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
		r.printf("Resource action: %-15s %s on %s", name, a.Operation, a.OnNode)
		return
	}
	uuid := a.OnNodeUUID
	if a.RouterNode != "" {
		uuid = a.OnNode
	}
	target, _ := strconv.Atoi(a.Attr("CRM_meta_op_target_rc"))
	interval, _ := strconv.ParseUint(a.Attr("CRM_meta_interval"), 10, 32)
	n := NodeState(r.CIB, a.OnNode, uuid)
	h := history(n, name, p)
	if interval > 0 {
		r.printf("Resource action: %-15s %s=%d on %s", name, a.Operation, interval, a.OnNode)
	} else {
		r.printf("Resource action: %-15s %s on %s", name, a.Operation, a.OnNode)
	}
	rc := target
	if code, who, ok := r.failure(a, name, uint(interval)); ok {
		rc = code
		r.printf("Pretending action %d failed with rc=%d", a.ID, rc)
		r.failed[a.ID] = true
		r.abort = int(status.Infinity)
		fatal := a.Operation == "stop" || a.Operation == "start" && r.Graph.Attr("failed-start-offset") != "1"
		r.addFailure(n, who, a.Operation, uint(interval), rc, fatal)
	}
	params := map[string]string{}
	for _, list := range [][]graph.Attr{a.Attributes, a.Params} {
		for _, at := range list {
			params[at.Name] = at.Value
		}
	}
	Record(h, Op{
		Resource: p.ID, Task: a.Operation, IntervalMS: uint(interval), RC: rc, TargetRC: target, CallID: nextCall(h),
		Node: a.OnNode, Params: params, At: r.Now, Reason: "User-injected result",
	})
}

// failure finds whether an operation is to fail.
func (r *Run) failure(a *graph.Action, name string, interval uint) (rc int, who string, ok bool) {
	for _, spec := range r.Failures {
		for _, rsc := range []string{name, a.Primitive.ID} {
			key := graph.OpKey(rsc, a.Operation, interval) + "@" + a.OnNode + "="
			if len(spec) > len(key) && strings.EqualFold(spec[:len(key)], key) {
				if code, err := strconv.Atoi(spec[len(key):]); err == nil {
					return code, rsc, true
				}
			}
		}
	}
	return 0, "", false
}

// addFailure counts a failure as the node attributes do.
func (r *Run) addFailure(n *etree.Element, rsc, task string, interval uint, rc int, fatal bool) {
	if rc == 0 || rc == 7 && interval == 0 {
		return
	}
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
	for _, at := range [][2]string{{"fail-count-" + suffix, value}, {"last-failure-" + suffix, strconv.FormatInt(r.Now.Unix(), 10)}} {
		setAttr(n, at[0], at[1])
		r.printf("Injecting attribute %s=%s into %s '%s'", at[0], at[1], document.Path(n), document.ID(n))
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
	document.Add(set, "nvpair", "id", id+"-"+name, "name", name, "value", value)
}
