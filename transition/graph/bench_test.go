// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package graph

import (
	"fmt"
	"testing"
)

// large is a graph like that of the first start of many resources: a probe on
// each node, then a start.
func large(resources, nodes int) *Graph {
	g := &Graph{Attributes: []Attr{{"cluster-delay", "60s"}, {"transition_id", "1"}}}
	id := 0
	add := func(r int, op string, node int, in []Input) Input {
		id++
		name := fmt.Sprintf("rsc%d", r)
		a := &Action{
			Kind: RscOp, ID: id, Operation: op, OperationKey: OpKey(name, op, 0),
			OnNode: fmt.Sprintf("node%d", node), OnNodeUUID: fmt.Sprint(node),
			Primitive:  &Primitive{ID: name, Class: "ocf", Provider: "pacemaker", Type: "Dummy"},
			Attributes: []Attr{{"CRM_meta_on_node", "node"}, {"CRM_meta_on_node_uuid", "1"}, {"CRM_meta_timeout", "20000"}, {"state", "/run/a & b"}},
		}
		g.Synapses = append(g.Synapses, &Synapse{ID: id - 1, Actions: []*Action{a}, Inputs: in})
		return Input{ActionID: id, Kind: RscOp, Operation: op, OperationKey: a.OperationKey, OnNode: a.OnNode, OnNodeUUID: a.OnNodeUUID}
	}
	for r := range resources {
		var probes []Input
		for n := range nodes {
			probes = append(probes, add(r, "monitor", n, nil))
		}
		add(r, "start", r%nodes, probes)
	}
	return g
}

func BenchmarkMarshal(b *testing.B) {
	g := large(500, 16)
	b.ReportAllocs()
	for b.Loop() {
		b.SetBytes(int64(len(Marshal(g))))
	}
}

func BenchmarkParse(b *testing.B) {
	text := Marshal(large(500, 16))
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(text); err != nil {
			b.Fatal(err)
		}
	}
}
