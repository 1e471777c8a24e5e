// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"testing"

	"github.com/quorate/quorate/pengine/status"
)

// TestTraceCostsNothing checks that causes are not even made where nobody asked.
func TestTraceCostsNothing(t *testing.T) {
	r := &rsc{Resource: &status.Resource{}, s: &scheduler{}}
	c := &colocation{id: "c", dependent: r}
	a := &alloc{node: &node{}}
	step := func() {
		a.add(1, r.s.cause(CauseLocation, "l", r))
		a.set(1, c.cause(CauseElsewhere, r))
	}
	if n := testing.AllocsPerRun(100, step); n > 0 {
		t.Errorf("%v allocations for causes that nobody asked for", n)
	}
	if r.s.in.Trace = true; testing.AllocsPerRun(1, step) == 0 || a.why == nil {
		t.Error("nothing was remembered although somebody asked")
	}
}

func BenchmarkCauseNotAsked(b *testing.B) {
	r := &rsc{Resource: &status.Resource{}, s: &scheduler{}}
	a := &alloc{node: &node{}}
	b.ReportAllocs()
	for b.Loop() {
		a.add(1, r.s.cause(CauseLocation, "l", r))
	}
}
