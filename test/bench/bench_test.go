// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package bench_test

import (
	"os"
	"testing"
	"time"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/simulate"
	"github.com/quorate/quorate/test/bench"
)

// aMoment is the time of all decisions.
var aMoment = time.Unix(1, 0)

// text generates a case's CIB.
func text(b *testing.B, c bench.Case) []byte {
	b.Helper()
	t, err := os.ReadFile(c.Generate(b, "../.."))
	if err != nil {
		b.Fatal(err)
	}
	return t
}

// BenchmarkSchedule is the decision alone.
func BenchmarkSchedule(b *testing.B) {
	for _, c := range bench.Cases {
		b.Run(c.Name, func(b *testing.B) {
			root, err := document.Parse(text(b, c))
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				r, err := sched.Schedule(sched.Input{CIB: root, Now: aMoment, Sanitized: true})
				if err != nil || len(r.Graph.Synapses) == 0 {
					b.Fatalf("no decision: %v", err)
				}
			}
		})
	}
}

// BenchmarkSimulate is all that crm_simulate --simulate does but for printing:
// reading, status, decision, execution, status.
func BenchmarkSimulate(b *testing.B) {
	for _, c := range bench.Cases {
		b.Run(c.Name, func(b *testing.B) {
			t := text(b, c)
			b.ReportAllocs()
			for b.Loop() {
				root, err := document.Parse(t)
				if err != nil {
					b.Fatal(err)
				}
				r, err := simulate.Simulate(root, simulate.Options{Now: aMoment, Clock: aMoment, Simulate: true, Pending: true, Sanitized: true})
				if err != nil || !r.Complete || len(r.Result.Graph.Synapses) == 0 {
					b.Fatalf("not carried out: %v", err)
				}
			}
		})
	}
}
