// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package pengine_test

import (
	"os"
	"path/filepath"
	"testing"

	"pgregory.net/rapid"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/simulate"
	"github.com/quorate/quorate/transition/graph"
)

// maxFuzzed keeps inputs small enough that each try is quick.
const maxFuzzed = 1 << 16

// FuzzSchedule feeds the scheduler with broken clusters: it must not panic, and
// what it decides must be a graph that can be read back.
func FuzzSchedule(f *testing.F) {
	seeds, err := filepath.Glob("testdata/fuzz-seeds/*.xml")
	if err != nil {
		f.Fatal(err)
	}
	scenarios, err := filepath.Glob("testdata/scenarios/*/cib.xml")
	if err != nil {
		f.Fatal(err)
	}
	seeds = append(seeds, scenarios...)
	for _, name := range seeds {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		if len(text) > maxFuzzed {
			return
		}
		root, err := document.Parse(text)
		if err != nil {
			return
		}
		r, err := sched.Schedule(sched.Input{CIB: root, Now: aMoment, Scores: true, Utilization: true})
		if err != nil {
			return
		}
		if _, err := graph.Parse(graph.Marshal(r.Graph)); err != nil {
			t.Fatalf("the graph cannot be read back: %v", err)
		}
		if _, err := simulate.Simulate(root, simulate.Options{Now: aMoment, Simulate: true}); err != nil {
			t.Fatalf("decided but not carried out: %v", err)
		}
	})
}

// FuzzWorlds lets the fuzzer choose what a random cluster, its troubles and its
// damages are made of.
func FuzzWorlds(f *testing.F) {
	f.Fuzz(rapid.MakeFuzz(func(t *rapid.T) {
		root := drawWorld(t)
		for range rapid.IntRange(0, 3).Draw(t, "troubles") {
			trouble(t, root)
		}
		for range rapid.IntRange(0, 6).Draw(t, "damages") {
			damage(t, root)
		}
		r, err := sched.Schedule(sched.Input{CIB: root, Now: aMoment, Scores: true, Utilization: true, Trace: true})
		if err != nil {
			return
		}
		if _, err := graph.Parse(graph.Marshal(r.Graph)); err != nil {
			t.Fatalf("the graph cannot be read back: %v", err)
		}
	}))
}
