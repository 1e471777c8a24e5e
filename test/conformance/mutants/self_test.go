// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package mutants

import (
	"bytes"
	"os"
	"strings"
	"testing"
	"time"
)

// ownHunt compares our program with a stand-in on the mutator's own state.
func ownHunt(t *testing.T, real crmSimulate) *hunt {
	t.Helper()
	text, err := os.ReadFile("../mutate/testdata/cluster.xml")
	if err != nil {
		t.Fatal(err)
	}
	b := &base{Name: "own", text: text, date: theDate, now: time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC)}
	return &hunt{real: real, ours: ours, bases: []*base{b}, tmp: scratch(t), keep: t.TempDir(), differ: map[string]int{}, most: 4, rounds: 2}
}

const ownSeeds = 20

func TestAProgramIsEqualToItself(t *testing.T) {
	h := ownHunt(t, ours)
	for seed := range uint64(ownSeeds) {
		h.try(seed, 0)
	}
	if h.tried < ownSeeds || h.equal != h.tried || h.all != h.tried || h.varying+h.crashed > 0 {
		t.Errorf("%d tried, %d equal, %d in all, %d varying, %d crashed", h.tried, h.equal, h.all, h.varying, h.crashed)
	}
}

// otherwise is our program with part of what it prints changed.
func otherwise(from, to string) crmSimulate {
	return func(args []string, out *bytes.Buffer) int {
		code := ours(args, out)
		text := strings.ReplaceAll(out.String(), from, to)
		out.Reset()
		out.WriteString(text)
		return code
	}
}

func TestADifferenceIsSeenWhereItIs(t *testing.T) {
	for _, c := range []struct {
		from, to, kind string
		equal          bool
	}{
		{"Start ", "Launch ", "decisions", false},
		{"Pseudo action", "No action", "summary", true},
		{"allocation score", "another score", "scores", true},
	} {
		h := ownHunt(t, otherwise(c.from, c.to))
		for seed := range uint64(ownSeeds) {
			h.try(seed, 0)
		}
		if h.differ[c.kind] == 0 || h.all == h.tried || (h.equal == h.tried) != c.equal {
			t.Errorf("%s for %s: %d tried, %d equal, %d in all, %v", c.to, c.from, h.tried, h.equal, h.all, h.differ)
		}
		if files, err := os.ReadDir(h.keep); err != nil || len(files) == 0 || len(h.lines) == 0 {
			t.Errorf("%s for %s: nothing is kept of it: %v", c.to, c.from, err)
		}
	}
}

func TestACrashIsNoDifference(t *testing.T) {
	h := ownHunt(t, func([]string, *bytes.Buffer) int { return 139 })
	h.try(1, 0)
	if h.crashed != 1 || h.tried != 0 {
		t.Errorf("%d crashed, %d tried", h.crashed, h.tried)
	}
}

func TestARefusalIsNoDifference(t *testing.T) {
	h := ownHunt(t, func([]string, *bytes.Buffer) int { return codeInvalid })
	h.try(1, 0)
	if h.refused != 1 || h.lenient != 1 || h.tried != 0 {
		t.Errorf("%d refused, %d by one alone, %d tried", h.refused, h.lenient, h.tried)
	}
}
