// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"fmt"
	"strconv"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/transition/graph"
)

// naive is a policy engine that is small enough to be read: it fences lost
// nodes, probes, and keeps each primitive on one node.
func naive(root *etree.Element, _ time.Time) (*graph.Graph, pengine.Reply) {
	s := &naiveRun{root: root, g: &graph.Graph{Attributes: []graph.Attr{{Name: "cluster-delay", Value: "60s"}}}, fence: map[string]int{}}
	s.run()
	return s.g, pengine.Reply{Actions: s.ids}
}

type naiveRun struct {
	root  *etree.Element
	g     *graph.Graph
	ids   int
	fence map[string]int // node → action id
	probe []int
}

func (s *naiveRun) option(name string) string {
	for nv := range document.All(document.Section(s.root, "crm_config"), "nvpair") {
		if document.Get(nv, "name") == name {
			return document.Get(nv, "value")
		}
	}
	return ""
}

func (s *naiveRun) add(a *graph.Action, inputs ...int) int {
	s.ids++
	a.ID = s.ids
	syn := &graph.Synapse{ID: s.ids, Actions: []*graph.Action{a}}
	for _, in := range inputs {
		if in != 0 {
			syn.Inputs = append(syn.Inputs, graph.Input{ActionID: in})
		}
	}
	s.g.Synapses = append(s.g.Synapses, syn)
	return s.ids
}

func (s *naiveRun) op(node *etree.Element, rsc, op string, every, targetRC int, inputs ...int) int {
	return s.add(&graph.Action{
		Kind: graph.RscOp, Operation: op, OperationKey: graph.OpKey(rsc, op, uint(every)),
		OnNode: document.Get(node, "uname"), OnNodeUUID: document.ID(node),
		Primitive: &graph.Primitive{ID: rsc, Class: "ocf", Provider: "pacemaker", Type: "Dummy"},
		Attributes: []graph.Attr{
			{Name: "CRM_meta_timeout", Value: "20000"}, {Name: "CRM_meta_interval", Value: strconv.Itoa(every)},
			{Name: "CRM_meta_op_target_rc", Value: strconv.Itoa(targetRC)}, {Name: "crm_feature_set", Value: "3.16.1"},
		},
	}, inputs...)
}

func (s *naiveRun) run() {
	if document.Get(s.root, "have-quorum") != "1" {
		s.stopAll()
		return
	}
	fencing := s.option("stonith-enabled") != "false"
	var online []*etree.Element
	blocked := false
	for ns := range document.Children(document.Section(s.root, "status"), "node_state") {
		up := document.Get(ns, "in_ccm") == "true" && document.Get(ns, "crmd") == "online"
		switch {
		case up && document.Get(ns, "join") == "member":
			online = append(online, ns)
		case up:
			blocked = true // it is joining
		case document.Get(ns, "expected") == "member" && fencing:
			s.fence[document.Get(ns, "uname")] = s.add(&graph.Action{
				Kind: graph.CrmEvent, Operation: "stonith", OperationKey: "stonith-" + document.Get(ns, "uname"),
				OnNode: document.Get(ns, "uname"), OnNodeUUID: document.ID(ns),
				Attributes: []graph.Attr{{Name: "CRM_meta_stonith_action", Value: "reboot"}},
				Downed:     []graph.Downed{{Node: document.ID(ns)}},
			})
		}
	}
	for p := range document.All(document.Section(s.root, "resources"), "primitive") {
		if document.Get(p, "class") != "stonith" {
			s.place(document.ID(p), online, blocked)
		}
	}
	s.shutdowns(online)
}

func attrOf(ns *etree.Element, name string) string {
	for nv := range document.All(ns, "nvpair") {
		if document.Get(nv, "name") == name {
			return document.Get(nv, "value")
		}
	}
	return ""
}

// history reads a resource's state on a node.
func historyOf(ns *etree.Element, rsc string) (known, active, failed, monitored, stuck bool) {
	r := document.ByID(ns, "lrm_resource", rsc)
	if r == nil {
		return
	}
	last := document.ByID(r, "lrm_rsc_op", rsc+"_last_0")
	if last == nil {
		return
	}
	known = document.Get(last, "op-status") != "-1" || document.Get(last, "operation") != "monitor"
	call, _ := strconv.Atoi(document.Get(last, "call-id"))
	rc := document.Get(last, "rc-code")
	switch document.Get(last, "operation") {
	case "stop":
		active = rc != "0"
		stuck = active && rc != "193"
	case "monitor":
		active = rc == "0"
	default:
		active = true
		failed = rc != "0" && rc != "193"
	}
	if m := document.ByID(r, "lrm_rsc_op", rsc+"_monitor_10000"); m != nil {
		c, _ := strconv.Atoi(document.Get(m, "call-id"))
		monitored = c > call
	}
	if f := document.ByID(r, "lrm_rsc_op", rsc+"_last_failure_0"); f != nil && document.Get(f, "operation") == "monitor" {
		if c, _ := strconv.Atoi(document.Get(f, "call-id")); c >= call && document.Get(f, "interval") != "0" {
			failed = true
		}
	}
	return
}

func (s *naiveRun) place(rsc string, online []*etree.Element, blocked bool) {
	var activeOn []*etree.Element
	var inputs []int
	var candidates []*etree.Element
	restart := false
	for ns := range document.Children(document.Section(s.root, "status"), "node_state") {
		_, active, failed, _, stuck := historyOf(ns, rsc)
		isOnline := false
		for _, o := range online {
			isOnline = isOnline || o == ns
		}
		if !isOnline {
			if active {
				if id := s.fence[document.Get(ns, "uname")]; id != 0 {
					inputs = append(inputs, id)
				} else if document.Get(ns, "in_ccm") == "true" || s.option("stonith-enabled") != "false" {
					blocked = true // it may be active on a node that is not down
				}
			}
			continue
		}
		if stuck {
			return // a failed stop: nothing may be done
		}
		if active {
			activeOn = append(activeOn, ns)
			restart = restart || failed || attrOf(ns, "shutdown") != ""
		}
	}
	for _, ns := range online {
		known, _, _, _, _ := historyOf(ns, rsc)
		if !known {
			inputs = append(inputs, s.op(ns, rsc, "monitor", 0, 7))
		}
		if attrOf(ns, "shutdown") == "" && attrOf(ns, "fail-count-"+rsc+"#start_0") != "INFINITY" {
			candidates = append(candidates, ns)
		}
	}
	for _, id := range s.fence {
		inputs = append(inputs, id)
	}
	if len(activeOn) == 1 && !restart {
		if _, _, _, monitored, _ := historyOf(activeOn[0], rsc); !monitored {
			s.op(activeOn[0], rsc, "monitor", 10000, 0)
		}
		return
	}
	for _, ns := range activeOn {
		inputs = append(inputs, s.op(ns, rsc, "stop", 0, 0))
	}
	if blocked || len(candidates) == 0 {
		return
	}
	at := candidates[int(rsc[len(rsc)-1])%len(candidates)]
	start := s.op(at, rsc, "start", 0, 0, inputs...)
	s.op(at, rsc, "monitor", 10000, 0, start)
}

func (s *naiveRun) shutdowns(online []*etree.Element) {
	for _, ns := range online {
		if attrOf(ns, "shutdown") == "" {
			continue
		}
		var inputs []int
		for _, syn := range s.g.Synapses {
			if a := syn.Actions[0]; a.OnNodeUUID == document.ID(ns) && a.Kind == graph.RscOp {
				inputs = append(inputs, a.ID)
			}
		}
		s.add(&graph.Action{
			Kind: graph.CrmEvent, Operation: "do_shutdown", OperationKey: "do_shutdown-" + document.Get(ns, "uname"),
			OnNode: document.Get(ns, "uname"), OnNodeUUID: document.ID(ns), Downed: []graph.Downed{{Node: document.ID(ns)}},
		}, inputs...)
	}
}

func (s *naiveRun) stopAll() {
	for ns := range document.Children(document.Section(s.root, "status"), "node_state") {
		if document.Get(ns, "crmd") != "online" || document.Get(ns, "join") != "member" {
			continue
		}
		for p := range document.All(document.Section(s.root, "resources"), "primitive") {
			if _, active, _, _, stuck := historyOf(ns, document.ID(p)); active && !stuck {
				s.op(ns, document.ID(p), "stop", 0, 0)
			}
		}
	}
}

// real is the project's own policy engine.
func real(root *etree.Element, now time.Time) (*graph.Graph, pengine.Reply) {
	res, err := sched.Schedule(sched.Input{CIB: root, Now: now})
	if err != nil {
		panic(fmt.Sprintf("scheduler: %v", err))
	}
	return res.Graph, pengine.Reply{Actions: len(res.Graph.Synapses), RecheckBy: res.RecheckBy, Warnings: res.Warnings, Errors: res.Errors}
}
