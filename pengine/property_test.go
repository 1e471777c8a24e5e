// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package pengine_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/transition/graph"
)

// TestMain gives rapid the same seed each time, so that a run says something of
// the change that it is run for; -rapid.seed, and more -rapid.checks, look further.
func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.seed"); f != nil && f.Value.String() == f.DefValue {
		if err := f.Value.Set("20261120"); err != nil {
			panic(err)
		}
	}
	os.Exit(m.Run())
}

// atLeast raises the number of rapid's checks for one test.
func atLeast(t *testing.T, n int) {
	f := flag.Lookup("rapid.checks")
	if before := f.Value.String(); before == f.DefValue && !testing.Short() {
		if err := f.Value.Set(strconv.Itoa(n)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = f.Value.Set(before) })
	}
}

var aMoment = time.Unix(1_800_000_000, 0).UTC()

func parse(t interface{ Fatal(...any) }, text string) *etree.Element {
	root, err := document.Parse([]byte(text))
	if err != nil {
		t.Fatal(err, text)
	}
	return root
}

func schedule(t interface{ Fatal(...any) }, root *etree.Element) *sched.Result {
	r, err := sched.Schedule(sched.Input{CIB: root, Now: aMoment, TransitionID: 1})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// maxRounds bounds how often a cluster is troubled and brought to rest again.
const maxRounds = 3

// TestEveryLegalExecutionKeepsTheLaws makes small clusters, carries their
// transitions out in random orders that the graph allows, with failures and
// interruptions, troubles them, and starts anew. The laws are asked before every
// action, so they hold in every prefix.
func TestEveryLegalExecutionKeepsTheLaws(t *testing.T) {
	atLeast(t, 1000)
	rapid.Check(t, func(t *rapid.T) {
		root := drawWorld(t)
		history := ""
		for round := range rapid.IntRange(1, maxRounds).Draw(t, "rounds") {
			if round > 0 {
				for range rapid.IntRange(1, 3).Draw(t, "troubles") {
					history += trouble(t, root) + "\n"
				}
			}
			input := string(document.Format(root))
			if err := randomWalk(t, root, round); err != nil {
				if file := os.Getenv("PROPERTY_KEEP"); file != "" {
					os.WriteFile(file, []byte(input), 0o600)
				}
				t.Fatalf("%v\nafter:\n%s\n%s", err, history, input)
			}
		}
	})
}

func randomWalk(t *rapid.T, root *etree.Element, round int) error {
	res := schedule(t, root)
	before, err := status.Unpack(root, status.Settings{Now: aMoment})
	if err != nil {
		return err
	}
	w := newWalk(root, before, res)
	ends := -1
	if one(t, 4, "interrupted") {
		ends = rapid.IntRange(0, len(res.Graph.Synapses)).Draw(t, "after")
	}
	failing := one(t, 3, "failing")
	w.choose = func(n int) int {
		if ends == 0 {
			return -1
		}
		ends--
		return rapid.IntRange(0, n-1).Draw(t, "next")
	}
	w.fails = func(*graph.Action) bool { return failing && one(t, 8, "fails") }
	if err := w.run(); err != nil {
		return err
	}
	if why := w.atRest(); why != "" && ends < 0 {
		return fmt.Errorf("law %s\nsteps:\n%s", why, strings.Join(w.trace, "\n"))
	}
	return w.agrees(unpack(t, root))
}

// maxRest bounds the transitions until a cluster rests: one, and more where nodes
// come up on the way whose probes, or whose resources, come next.
const maxRest = 3

// TestAClusterComesToRest: once its transitions are carried out, nothing is left
// to do. What must keep apart is left out: the first of two does not know where
// the other ends up, and some of these never rest with Pacemaker, nor here. So
// are graphs with actions that wait for something that cannot run, and resources
// that do not stick to their places: what was placed in view of what was to come
// may be placed anew in view of what came.
func TestAClusterComesToRest(t *testing.T) {
	atLeast(t, 1000)
	rapid.Check(t, func(t *rapid.T) {
		root := drawWorld(t)
		for e := range document.All(root, "rsc_colocation") {
			if strings.HasPrefix(document.Get(e, "score"), "-") {
				t.Skip("something must keep apart")
			}
		}
		setPair(document.At(root, "configuration", "rsc_defaults"), "meta_attributes", "defaults", "resource-stickiness", "1000")
		first := string(document.Format(root))
		var last *graph.Graph
		for range maxRest {
			w := newWalk(root, unpack(t, root), schedule(t, root))
			if last = w.g; idle(last) {
				return
			}
			if err := w.run(); err != nil {
				t.Fatalf("%v\n%s", err, first)
			}
			if len(w.waiting()) > 0 {
				return
			}
		}
		if last = schedule(t, root).Graph; !idle(last) {
			t.Fatalf("something is left to do\n%s\n%s", first, graph.Marshal(last))
		}
	})
}

// idle tells whether a graph does nothing; points in the order may remain.
func idle(g *graph.Graph) bool {
	for _, s := range g.Synapses {
		for _, a := range s.Actions {
			if a.Kind != graph.PseudoEvent {
				return false
			}
		}
	}
	return true
}

// TestSameInputSameBytes: the same input gives the same graph, scores and words,
// and the input is not changed.
func TestSameInputSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root := drawWorld(t)
		for range rapid.IntRange(0, 2).Draw(t, "rounds") {
			w := newWalk(root, unpack(t, root), schedule(t, root))
			if err := w.run(); err != nil {
				t.Skip("TestEveryLegalExecutionKeepsTheLaws is about that")
			}
			trouble(t, root)
		}
		text := document.Format(root)
		first := outcome(t, root)
		for range 3 {
			if again := outcome(t, parse(t, string(text))); again != first {
				t.Fatalf("two decisions on one input differ\n%s\n%s\n%s", first, again, text)
			}
		}
		if !bytes.Equal(text, document.Format(root)) {
			t.Fatalf("scheduling changed its input\n%s", text)
		}
	})
}

func unpack(t interface{ Fatal(...any) }, root *etree.Element) *status.Cluster {
	c, err := status.Unpack(root, status.Settings{Now: aMoment})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// outcome writes all that a decision consists of.
func outcome(t *rapid.T, root *etree.Element) string {
	r, err := sched.Schedule(sched.Input{CIB: root, Now: aMoment, Scores: true, Utilization: true, TransitionID: 1})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.Write(graph.Marshal(r.Graph))
	for _, l := range r.Scores {
		fmt.Fprintf(&b, "%+v\n", l)
	}
	for _, c := range r.Changes {
		fmt.Fprintf(&b, "%+v\n", c)
	}
	fmt.Fprintln(&b, r.Fence, r.RecheckBy, r.Errors, r.Warnings, r.Dot)
	return b.String()
}
