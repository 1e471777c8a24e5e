// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"os"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// patience is how many seeds may fail before a run ends: one where only the
// first is of interest.
func patience() uint64 {
	if os.Getenv("QUORATE_SIM_FAILFAST") != "" {
		return 1
	}
	return 5
}

const (
	defaultSeeds = 5000
	shortSeeds   = 200
	replayEvery  = 25 // each so manyth seed runs twice
)

func seeds(t *testing.T) (first, count uint64) {
	count = defaultSeeds
	if testing.Short() {
		count = shortSeeds
	}
	read := func(name string, to *uint64) {
		if v := os.Getenv(name); v != "" {
			n, err := strconv.ParseUint(v, 10, 64)
			if err != nil {
				t.Fatalf("%s=%q: want a number", name, v)
			}
			*to = n
		}
	}
	read("QUORATE_SIM_SEEDS", &count)
	read("QUORATE_SIM_FIRST", &first)
	return first, count
}

// TestRings runs many seeds; QUORATE_SIM_SEEDS sets how many, QUORATE_SIM_FIRST
// the first of them, QUORATE_SIM_TRACE prints everything that happens.
func TestRings(t *testing.T) {
	first, count := seeds(t)
	var next, steps, delivered, rings, bad atomic.Uint64
	next.Store(first)
	var mu sync.Mutex
	checks := map[string]uint64{}
	cover := newCoverage()
	var slowest struct {
		seed  uint64
		after time.Duration
		many  int // seeds beyond a second
	}
	var wg sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for {
				seed := next.Add(1) - 1
				if seed >= first+count || bad.Load() >= patience() {
					return
				}
				res := newScenario(seed).run()
				steps.Add(res.steps)
				delivered.Add(uint64(res.delivered))
				rings.Add(uint64(res.rings))
				mu.Lock()
				cover.add(res.cover)
				if res.settled > slowest.after {
					slowest.seed, slowest.after = seed, res.settled
				}
				if res.settled > time.Second {
					slowest.many++
				}
				for rule, n := range res.checks {
					checks[rule] += n
				}
				mu.Unlock()
				if len(res.faults) > 0 {
					bad.Add(1)
					report(t, seed, res)
				}
				if seed%replayEvery == 0 {
					if again := newScenario(seed).run(); again.hash != res.hash {
						bad.Add(1)
						t.Errorf("seed %d is not deterministic: %x and %x", seed, res.hash, again.hash)
					}
				}
			}
		})
	}
	wg.Wait()
	t.Logf("%d seeds, %d events, %d messages, %d rings", count, steps.Load(), delivered.Load(), rings.Load())
	t.Logf("%d seeds took more than a second to one ring after the faults, at most %v (seed %d)", slowest.many, slowest.after, slowest.seed)
	for _, rule := range rules {
		if checks[rule] == 0 && onlyOptions == "" && (count >= defaultSeeds || count >= shortSeeds && !slices.Contains(rare, rule)) {
			t.Errorf("rule %q had nothing to check", rule)
		}
	}
	for _, what := range demanded() {
		if cover.counts[what] == 0 && count >= defaultSeeds {
			t.Errorf("never came across: %s", what)
		}
	}
}

// rules are those that must have had something to check in a long run.
var rules = []string{
	"no creation", "no duplication", "fifo", "one ring for a message", "message in its configuration",
	"sender is a member", "transitional sender comes along", "member of my configuration", "alternation",
	"transitional members", "left list", "joined list", "ring of the change", "ring ids grow",
	"one member list for a ring id", "total order", "virtual synchrony", "transitional agreement",
	"self delivery", "synchronisation first", "one ring after the faults", "everything is sent and released", "liveness", "bounded work", "bounded state", "ring number durable",
	"groups agree", "group changes once", "sender is in the group", "virtual synchrony of groups", "synchronisation completes",
	"one quorate side", "members agree on quorum", "wait for all", "two_node", "auto_tie_breaker", "last_man_standing", "allow_downscale", "expected_votes_tracking", "expected votes are kept", "requests keep quorum", "lease",
	"one side has the device's vote", "the device decides", "only where the device decides it is waited for", "one quorate side for long", "all together are quorate", "window", "requests end", "ring numbers are written seldom", "replay", "sealed packets", "links go down",
}

// rare are the rules of single options: they need more seeds than a short run has.
var rare = []string{
	"two_node", "auto_tie_breaker", "last_man_standing", "allow_downscale", "expected_votes_tracking", "requests keep quorum", "lease",
	"one side has the device's vote", "the device decides", "only where the device decides it is waited for",
}

func report(t *testing.T, seed uint64, res result) {
	t.Errorf("%v", newScenario(seed))
	for _, f := range res.faults {
		if len(f) > 1000 {
			f = f[:1000] + "…"
		}
		t.Errorf("  %s", f)
	}
	t.Errorf("replay: QUORATE_SIM_FIRST=%d QUORATE_SIM_SEEDS=1 QUORATE_SIM_TRACE=1 go test ./test/sim -run TestRings", seed)
}

// seedsThatFailed are those of which each found something once: faults of the
// ring, of the groups, or of a checker.
var seedsThatFailed = []uint64{
	17, 62, // a word that a node was deaf outlived its deafness: no merge
	87, 231, 354, // clients of two sides saw other messages between the same views of a group
	115402, 121280, 123540, 125802, 126792, 200338, 203904, // members of a ring disagreed on quorum
	131824, // many requests and a narrow window
}

// TestSeedsThatFailed plays them again. What a seed plays changes with the
// scenarios, so that each of these faults has a test of its own, too.
func TestSeedsThatFailed(t *testing.T) {
	for _, seed := range seedsThatFailed {
		if res := newScenario(seed).run(); len(res.faults) > 0 {
			report(t, seed, res)
		}
	}
}
