// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/internal/terse"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/simulate"
	"github.com/quorate/quorate/transition/graph"
)

// moment is the time of all decisions: 2027-01-15 08:00:00 UTC.
var moment = time.Unix(1_800_000_000, 0).UTC()

// real names the scheduler that the scripts are compared with, where given: a
// crm_simulate of the version whose feature set the graphs have.
const real = "QUORATE_REAL_SIMULATE"

// TestScripts runs the decisions in testdata: a terse CIB in, and out what is
// asked for: changes, scores (of the resources named), utilization, graph (the
// actions with what they wait for, and attrs), errors, recheck; invalid tells of a CIB that
// no schema allows. Where QUORATE_REAL_SIMULATE
// names a crm_simulate, its graph is compared as well.
func TestScripts(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			root, err := terse.CIB(d.Input)
			if err != nil {
				d.Fatalf(t, "%v", err)
			}
			if !d.HasArg("invalid") {
				compare(t, d, document.Clone(root))
			}
			res, err := sched.Schedule(sched.Input{CIB: root, Now: moment, Scores: true, Utilization: true, TransitionID: 1})
			if err != nil {
				d.Fatalf(t, "%v", err)
			}
			var b strings.Builder
			for _, arg := range d.CmdArgs {
				switch arg.Key {
				case "changes":
					for _, line := range simulate.Summary(res.Changes) {
						fmt.Fprintln(&b, strings.Join(strings.Fields(line), " "))
					}
				case "scores":
					writeScores(&b, res, arg.Vals)
				case "utilization":
					for _, l := range res.Scores {
						if l.Kind == sched.LineCapacity || l.Kind == sched.LineUtilization {
							fmt.Fprintln(&b, strings.Join(strings.Fields(fmt.Sprint(l.Where, " ", l.Resource, " ", l.Node, " ", l.Values)), " "))
						}
					}
				case "graph":
					var attrs []string
					for _, a := range d.CmdArgs {
						if a.Key == "attrs" {
							attrs = a.Vals
						}
					}
					writeGraph(&b, res.Graph, arg.Vals, attrs)
				case "errors":
					fmt.Fprintln(&b, strings.Join(res.Errors, "\n"))
				case "attrs": // goes with graph
				case "invalid": // no schema allows it: the real one would refuse
				case "recheck":
					fmt.Fprintln(&b, "recheck by", res.RecheckBy.UTC().Format(time.DateTime))
				default:
					d.Fatalf(t, "nothing is known of %s", arg.Key)
				}
			}
			return b.String()
		})
	})
}

// writeScores writes the last scores of resources, and how promotion stands.
func writeScores(b *strings.Builder, res *sched.Result, names []string) {
	for _, l := range res.Scores {
		if !slices.Contains(names, l.Resource) {
			continue
		}
		switch l.Kind {
		case sched.LineScore:
			fmt.Fprintf(b, "%s: %s on %s: %s\n", strings.TrimPrefix(l.Where, "pcmk__"), l.Resource, l.Node, l.Score)
		case sched.LinePromotion:
			fmt.Fprintf(b, "promotion: %s on %s: %s\n", l.Resource, l.Node, l.Score)
		}
	}
}

// writeGraph writes actions with what they wait for; words limit it to the
// actions whose key has one of them. attrs are attributes to show.
func writeGraph(b *strings.Builder, g *graph.Graph, words, attrs []string) {
	name := map[int]string{}
	for _, s := range g.Synapses {
		for _, a := range s.Actions {
			name[a.ID] = strings.TrimSuffix(a.OperationKey+"@"+a.OnNode, "@")
		}
	}
	for _, s := range g.Synapses {
		for _, a := range s.Actions {
			if len(words) > 0 && !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(a.OperationKey, w) }) {
				continue
			}
			var in []string
			for _, i := range s.Inputs {
				if n := name[i.ActionID]; n != "" {
					in = append(in, n)
				} else {
					in = append(in, "("+i.OperationKey+")")
				}
			}
			b.WriteString(name[a.ID])
			if a.Kind == graph.PseudoEvent {
				b.WriteString(" (pseudo)")
			}
			for _, k := range attrs {
				if v := a.Attr(k); v != "" {
					b.WriteString(" " + k + "=" + v)
				}
			}
			if len(in) > 0 {
				b.WriteString(" <- " + strings.Join(in, " "))
			}
			b.WriteString("\n")
		}
	}
}

// compare asks the real scheduler for its graph.
func compare(t *testing.T, d *datadriven.TestData, root *etree.Element) {
	bin := os.Getenv(real)
	if bin == "" {
		return
	}
	dir := t.TempDir()
	file, out := filepath.Join(dir, "cib.xml"), filepath.Join(dir, "graph.xml")
	if err := os.WriteFile(file, document.Format(root), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-x", file, "-S", "-t", moment.Format(time.RFC3339), "-G", out)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s\n%s", d.Pos, err, text, document.Format(root))
	}
	text, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	res, err := sched.Schedule(sched.Input{CIB: root, Now: moment, TransitionID: 1, FeatureSet: document.Get(root, "crm_feature_set")})
	if err != nil {
		t.Fatal(err)
	}
	want, err1 := document.Parse(text)
	have, err2 := document.Parse(graph.Marshal(res.Graph))
	if err1 != nil || err2 != nil {
		t.Fatal(err1, err2)
	}
	if !document.Equal(want, have) {
		t.Errorf("%s: the real scheduler's graph differs\n%s\n%s\n%s", d.Pos, document.Format(root), text, graph.Marshal(res.Graph))
	}
}
