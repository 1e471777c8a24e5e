// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/explain"
	"github.com/quorate/quorate/pengine/sched"
)

// drawScenario makes a random cluster of a few resources, some of them active.
func drawScenario(t *rapid.T) *scenario {
	s := &scenario{nodeAttrs: map[string]string{}, transient: map[string]string{}, ops: map[string]string{}}
	pick := func(name string, of ...string) string { return rapid.SampledFrom(of).Draw(t, name) }
	for i := 1; i <= 3; i++ {
		s.nodeAttrs[fmt.Sprintf("node%d", i)] = pick("attr", "", "", "", "standby=on", "site=a")
	}
	s.down = pick("down", "", "", "node3")
	s.options = pick("options", "", "", "stop-all-resources=true", "maintenance-mode=true", "symmetric-cluster=false")
	s.noQuorum = rapid.IntRange(0, 9).Draw(t, "quorum") == 0
	var ids []string
	for i := range rapid.IntRange(1, 4).Draw(t, "resources") {
		id := fmt.Sprintf("r%d", i)
		ids = append(ids, id)
		meta := pick("meta", "", "", "resource-stickiness=100", "target-role=Stopped", "migration-threshold=1", "is-managed=false")
		parts := []string{id}
		switch pick("kind", "primitive", "primitive", "group", "clone") {
		case "primitive":
			s.rsc += dummy(id, meta)
		case "group":
			parts = []string{id + "a", id + "b"}
			s.rsc += fmt.Sprintf(`<group id="%s">%s%s</group>`, id, dummy(id+"a", meta), dummy(id+"b", ""))
		case "clone":
			parts = []string{id + "c"}
			s.rsc += fmt.Sprintf(`<clone id="%s"><meta_attributes id="%s-cm">%s</meta_attributes>%s</clone>`, id, id, nvpairs(id+"-cm", pick("max", "", "clone-max=1", "clone-max=2")), dummy(id+"c", meta))
		}
		if on := pick("on", "", "node1", "node2"); on != "" {
			for _, p := range parts {
				s.running += " " + p + "@" + on
				if rapid.IntRange(0, 5).Draw(t, "failed") == 0 {
					s.ops[p+"@"+on] = done(p, "monitor", "10000", on, 4, 7, 0)
					s.transient[on] += fmt.Sprintf(" fail-count-%s#monitor_10000=1", p)
				}
			}
		}
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "constraints") {
		a, b := pick("a", ids...), pick("b", ids...)
		score := pick("score", "-INFINITY", "-50", "50", "INFINITY")
		switch kind := pick("constraint", "location", "location", "colocation", "order"); {
		case kind == "location":
			s.cons += fmt.Sprintf(`<rsc_location id="c%d" rsc="%s" node="%s" score="%s"/>`, i, a, pick("node", "node1", "node2", "node3"), score)
		case a >= b:
		case kind == "colocation":
			s.cons += fmt.Sprintf(`<rsc_colocation id="c%d" rsc="%s" with-rsc="%s" score="%s"/>`, i, a, b, score)
		default:
			s.cons += fmt.Sprintf(`<rsc_order id="c%d" first="%s" then="%s"/>`, i, a, b)
		}
	}
	return s
}

// TestAnswersHoldInSmallClusters asks everything about random small clusters:
// each answer has a cause, and each change that is offered does what it says.
func TestAnswersHoldInSmallClusters(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		s := drawScenario(r)
		in := sched.Input{CIB: s.cib(t), Now: aMoment, TransitionID: 1}
		before := string(document.Compact(in.CIB))
		e, err := explain.New(in)
		if err != nil {
			r.Fatal(err)
		}
		for _, q := range questions(t, in) {
			a, err := e.Ask(q.Question)
			if err != nil {
				r.Fatal(err)
			}
			if len(a.Causes) == 0 {
				r.Fatalf("%s@%s: no cause\n%s\n%s", q.Resource, q.Node, a.Text(), before)
			}
			for _, c := range a.Changes {
				if why := replay(t, in, c); why != "" {
					r.Fatalf("%s@%s: %v does not hold: %s\n%s\n%s", q.Resource, q.Node, c.Effect, why, a.Text(), before)
				}
			}
			if strings.TrimSpace(a.Outcome) == "" {
				r.Fatalf("%s@%s: no outcome", q.Resource, q.Node)
			}
		}
		if string(document.Compact(in.CIB)) != before {
			r.Fatal("the questions changed the input")
		}
	})
}
