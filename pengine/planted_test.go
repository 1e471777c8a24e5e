// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package pengine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/transition/graph"
)

// planted describes one fault that a graph is given, and the law that has to
// notice it.
type planted struct {
	law                                     string
	options, resources, constraints, states string
	fault                                   func(g *graph.Graph)
}

// running writes the history of what is active.
func running(pairs ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(pairs); i += 2 {
		fmt.Fprintf(&b, `<lrm_resource id="%[1]s" class="ocf" provider="pacemaker" type="Dummy"><lrm_rsc_op id="%[1]s_last_0" operation_key="%[1]s_%[2]s_0" operation="%[2]s" `+
			`transition-key="1:1:0:x" transition-magic="0:0;1:1:0:x" call-id="2" rc-code="0" op-status="0" interval="0"/></lrm_resource>`, pairs[i], pairs[i+1])
	}
	return b.String()
}

// first lets an action run at once.
func first(key string) func(g *graph.Graph) {
	return func(g *graph.Graph) {
		for i, s := range g.Synapses {
			if s.Actions[0].OperationKey == key {
				s.Inputs = nil
				g.Synapses = slices.Insert(slices.Delete(g.Synapses, i, i+1), 0, s)
				return
			}
		}
		panic("no action " + key)
	}
}

// extra adds an operation of a resource on a node, before all others.
func extra(rsc, task, node string) func(g *graph.Graph) {
	return func(g *graph.Graph) {
		g.Synapses = slices.Insert(g.Synapses, 0, &graph.Synapse{ID: 1000, Actions: []*graph.Action{{
			Kind: graph.RscOp, ID: 1000, Operation: task, OperationKey: rsc + "_" + task + "_0", OnNode: node, OnNodeUUID: strings.TrimPrefix(node, "node"),
			Primitive: &graph.Primitive{ID: rsc, Class: "ocf", Provider: "pacemaker", Type: "Dummy"},
		}}})
	}
}

const (
	plainA = `<primitive id="a" class="ocf" provider="pacemaker" type="Dummy"/>`
	plainB = `<primitive id="b" class="ocf" provider="pacemaker" type="Dummy"/>`
	bAfter = `<rsc_order id="o" first="a" then="b" kind="Mandatory"/>`
)

// TestLawsNoticeFaults: each law is broken by a graph with a fault of its kind.
func TestLawsNoticeFaults(t *testing.T) {
	for name, p := range map[string]planted{
		"an unmanaged resource is stopped": {
			law: "managed", resources: strings.Replace(plainA, "/>", `><meta_attributes id="m"><nvpair id="m1" name="is-managed" value="false"/></meta_attributes></primitive>`, 1),
			states: running("a", "start"), fault: extra("a", "stop", "node1"),
		},
		"something starts on a standby node":             {law: "node", resources: plainA, fault: extra("a", "start", "node3")},
		"something starts on a node that awaits fencing": {law: "node", resources: plainA, fault: extra("a", "start", "node4")},
		"something starts where it is banned": {
			law: "ban", resources: plainA,
			constraints: `<rsc_location id="l" rsc="a" node="node2" score="-INFINITY"/>`, fault: extra("a", "start", "node2"),
		},
		"a start does not wait for the stop elsewhere": {
			law: "once", resources: plainA, states: running("a", "start"),
			constraints: `<rsc_location id="l" rsc="a" node="node1" score="-INFINITY"/>`, fault: first("a_start_0"),
		},
		"something starts a second time": {law: "once", resources: plainA, states: running("a", "start"), fault: extra("a", "start", "node1")},
		"a clone has too many instances": {
			law: "limit", states: running("a", "start"), fault: extra("a", "start", "node2"),
			resources: `<clone id="c"><meta_attributes id="m"><nvpair id="m1" name="clone-max" value="1"/></meta_attributes>` + plainA + `</clone>`,
		},
		"something is promoted that is not active": {
			law: "role", fault: extra("a", "promote", "node1"),
			resources: `<clone id="c"><meta_attributes id="m"><nvpair id="m1" name="promotable" value="true"/></meta_attributes>` + plainA + `</clone>`,
		},
		"what comes after starts first":    {law: "order", resources: plainA + plainB, constraints: bAfter, fault: first("b_start_0")},
		"what comes before stops first":    {law: "order", options: `<nvpair id="o2" name="stop-all-resources" value="true"/>`, resources: plainA + plainB, constraints: bAfter, states: running("a", "start", "b", "start"), fault: first("a_stop_0")},
		"a member of a group starts first": {law: "order", resources: `<group id="g">` + plainA + plainB + `</group>`, fault: first("b_start_0")},
		"something starts without what it must be with": {
			law: "colocation", resources: plainA + plainB, constraints: `<rsc_colocation id="l" rsc="b" with-rsc="a" score="INFINITY"/><rsc_location id="l2" rsc="a" node="node1" score="100"/>`,
			fault: extra("b", "start", "node2"),
		},
		"something starts where it must not be with": {
			law: "apart", resources: plainA + plainB, states: running("a", "start"),
			constraints: `<rsc_colocation id="l" rsc="b" with-rsc="a" score="-INFINITY"/>`, fault: extra("b", "start", "node1"),
		},
		"something starts without its ticket": {law: "ticket", resources: plainA, constraints: `<rsc_ticket id="t" rsc="a" ticket="T"/>`, fault: extra("a", "start", "node1")},
		"something starts without quorum":     {law: "quorum", resources: plainA, options: `<nvpair id="q" name="no-quorum-policy" value="stop"/>`, fault: extra("a", "start", "node1")},
		"a node is overloaded": {
			law: "capacity", options: `<nvpair id="p" name="placement-strategy" value="utilization"/>`, fault: extra("a", "start", "node2"),
			resources: strings.Replace(plainA, "/>", `><utilization id="u"><nvpair id="u1" name="cpu" value="9"/></utilization></primitive>`, 1),
		},
		"two actions wait for each other": {law: "liveness", resources: plainA + plainB, fault: func(g *graph.Graph) {
			s := g.Synapses
			s[0].Inputs = append(s[0].Inputs, graph.Input{ActionID: s[1].Actions[0].ID})
			s[1].Inputs = append(s[1].Inputs, graph.Input{ActionID: s[0].Actions[0].ID})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			quorum := 1
			if p.law == "quorum" {
				quorum = 0
			}
			var nodes, states strings.Builder
			for i := 1; i <= 4; i++ {
				standby := ""
				if i == 3 {
					standby = pairs("instance_attributes", "s", "standby", "on")
				}
				fmt.Fprintf(&nodes, `<node id="%d" uname="node%d">%s%s</node>`, i, i, standby, pairs("utilization", fmt.Sprintf("u%d", i), "cpu", "8"))
				lrm := ""
				if i == 1 {
					lrm = `<lrm id="1"><lrm_resources>` + p.states + `</lrm_resources></lrm>`
				}
				fmt.Fprintf(&states, `<node_state id="%d" uname="node%d" in_ccm="%t" crmd="online" join="member" expected="member">%s</node_state>`, i, i, i != 4, lrm)
			}
			root := parse(t, fmt.Sprintf(`<cib have-quorum="%d" dc-uuid="1"><configuration><crm_config><cluster_property_set id="o">%s<nvpair id="o1" name="enable-startup-probes" value="false"/></cluster_property_set></crm_config>`+
				`<nodes>%s</nodes><resources><primitive id="fence" class="stonith" type="fence_dummy"/>%s</resources><constraints>%s</constraints></configuration><status>%s</status></cib>`,
				quorum, p.options, nodes.String(), p.resources, p.constraints, states.String()))
			res := schedule(t, document.Clone(root))
			if err := newWalk(document.Clone(root), unpack(t, root), res).run(); err != nil {
				t.Fatalf("the graph without a fault: %v", err)
			}
			res = schedule(t, document.Clone(root))
			p.fault(res.Graph)
			err := newWalk(root, unpack(t, root), res).run()
			if err == nil || !strings.HasPrefix(err.Error(), "law "+p.law+":") {
				t.Fatalf("law %s does not notice: %v", p.law, err)
			}
		})
	}
}

// TestTheModelNoticesALie: what the document shows and the model does not have is
// an error, and so is the reverse.
func TestTheModelNoticesALie(t *testing.T) {
	const text = `<cib have-quorum="1" dc-uuid="1"><configuration><crm_config><cluster_property_set id="o"><nvpair id="o1" name="fencing-enabled" value="false"/></cluster_property_set></crm_config>` +
		`<nodes><node id="1" uname="node1"/></nodes><resources>` + plainA + `</resources></configuration>` +
		`<status><node_state id="1" uname="node1" in_ccm="true" crmd="online" join="member" expected="member"/></status></cib>`
	root := parse(t, text)
	w := newWalk(root, unpack(t, root), schedule(t, root))
	if err := w.run(); err != nil {
		t.Fatal(err)
	}
	if err := w.agrees(unpack(t, root)); err != nil {
		t.Fatal(err)
	}
	if err := w.agrees(unpack(t, parse(t, text))); err == nil {
		t.Error("the model has a resource that the document has not")
	}
	delete(w.roles, place{"a", "node1"})
	if err := w.agrees(unpack(t, root)); err == nil {
		t.Error("the document has a resource that the model has not")
	}
}
