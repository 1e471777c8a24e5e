// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package pengine_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/simulate"
)

// generator writes synthetic CIBs; it lies beside the module, if at all.
const generator = "../../shared/bench/gen-cib"

// A benchCase is a synthetic cluster: gen-cib's arguments.
type benchCase struct{ name, args string }

// benchCases are the clusters that are measured, by growing work for a peer.
var benchCases = []benchCase{
	{"16Nodes100Clones", "--nodes 16 --clones 100"},
	{"16Nodes100Promotable", "--nodes 16 --promotable 100"},
	{"16Nodes500Primitives", "--nodes 16 --primitives 500"},
	{"16Nodes500PrimitivesConstraints", "--nodes 16 --primitives 500 --colocations 250 --orders 250"},
	{"16Nodes2000PrimitivesRunning", "--nodes 16 --primitives 2000 --state running"},
	{"32Nodes200GroupsRunning", "--nodes 32 --groups 200 --group-size 5 --state running"},
	{"3Nodes5000Primitives", "--nodes 3 --primitives 5000"},
	{"16Nodes2000Primitives", "--nodes 16 --primitives 2000"},
	{"32Nodes200Groups", "--nodes 32 --groups 200 --group-size 5"},
	{"16Nodes1000Clones", "--nodes 16 --clones 1000"},
}

// generate writes the case's CIB into a file of the benchmark's own.
func (c benchCase) generate(b *testing.B) (path string, text []byte) {
	b.Helper()
	if _, err := os.Stat(generator); err != nil {
		b.Skipf("no generator of CIBs beside the module: %v", err)
	}
	text, err := exec.CommandContext(b.Context(), "python3", append([]string{generator}, strings.Fields(c.args)...)...).Output()
	if err != nil {
		b.Skipf("the generator of CIBs does not run: %v", err)
	}
	path = filepath.Join(b.TempDir(), "cib.xml")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		b.Fatal(err)
	}
	return path, text
}

// BenchmarkSchedule is the decision alone.
func BenchmarkSchedule(b *testing.B) {
	for _, c := range benchCases {
		b.Run(c.name, func(b *testing.B) {
			_, text := c.generate(b)
			root, err := document.Parse(text)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				r, err := sched.Schedule(sched.Input{CIB: root, Now: time.Unix(1, 0), Sanitized: true})
				if err != nil || len(r.Graph.Synapses) == 0 && !strings.Contains(c.args, "running") {
					b.Fatalf("no decision: %v", err)
				}
			}
		})
	}
}

// BenchmarkSimulate is all that crm_simulate --simulate does: reading, status,
// decision, execution, status.
func BenchmarkSimulate(b *testing.B) {
	for _, c := range benchCases {
		b.Run(c.name, func(b *testing.B) {
			_, text := c.generate(b)
			b.ReportAllocs()
			for b.Loop() {
				root, err := document.Parse(text)
				if err != nil {
					b.Fatal(err)
				}
				r, err := simulate.Simulate(root, simulate.Options{Now: time.Unix(1, 0), Simulate: true, Pending: true, Sanitized: true})
				if err != nil || !r.Complete {
					b.Fatalf("not carried out: %v", err)
				}
			}
		})
	}
}
