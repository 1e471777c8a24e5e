// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package fsa

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
)

// The whole table is kept as text, so that a change of it is seen in review.
func TestTable(t *testing.T) {
	datadriven.RunTest(t, "testdata/table", func(_ *testing.T, _ *datadriven.TestData) string {
		var b strings.Builder
		for _, s := range States() {
			for _, in := range Inputs() {
				if next, ok := Next(s, in); ok && next != s {
					fmt.Fprintf(&b, "%-20s %-18s %s\n", s, in, next)
				}
			}
		}
		return b.String()
	})
}

func TestNothingLeavesTheEnd(t *testing.T) {
	for _, s := range []State{Terminate, Halt} {
		for _, in := range Inputs() {
			if next, _ := Next(s, in); next != s {
				t.Errorf("%s leaves %s for %s", in, s, next)
			}
		}
	}
}

func TestEveryStateIsReachableAndCanStop(t *testing.T) {
	reached := map[State]bool{Starting: true}
	for range States() {
		for s := range reached {
			for _, in := range Inputs() {
				next, _ := Next(s, in)
				reached[next] = true
			}
		}
	}
	for _, s := range States() {
		if !reached[s] {
			t.Errorf("%s cannot be reached", s)
		}
		if next, _ := Next(s, InTerminate); next != Terminate && s != Halt {
			t.Errorf("%s does not end by %s", s, InTerminate)
		}
	}
}

func TestOnlyAWonElectionMakesADC(t *testing.T) {
	for _, s := range States() {
		for _, in := range Inputs() {
			next, _ := Next(s, in)
			if next.IsDC() && !s.IsDC() && in != InElectionDC {
				t.Errorf("%s becomes DC state %s by %s", s, next, in)
			}
		}
	}
	if !slices.Contains(States(), Idle) {
		t.Error("S_IDLE is not listed")
	}
}
