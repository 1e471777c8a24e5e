// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"flag"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/transition"
)

var (
	simSeed  = flag.Uint64("sim.seed", 0, "run this seed alone, with its log")
	simSeeds = flag.Int("sim.seeds", 60, "number of random clusters")
)

// TestRandomFaultsNeverMakeAResourceActiveTwice breaks clusters at random. The
// checker outside sees each start and stop and each death as they happen. When
// the faults end, every cluster must come to rest with everything running.
func TestRandomFaultsNeverMakeAResourceActiveTwice(t *testing.T) {
	if *simSeed != 0 {
		randomCluster(t, *simSeed)
		return
	}
	for seed := range uint64(*simSeeds) {
		randomCluster(t, 1000+seed)
	}
}

func randomCluster(t *testing.T, seed uint64) {
	t.Helper()
	n := 3 + int(seed%3)
	c := newCluster(t, seed, n, fencing3())
	c.verbose = *simSeed != 0
	c.fenceOK = func(string) bool { return c.rng.IntN(5) > 0 }
	for i := range c.nodes {
		c.boot(i)
		c.runFor(c.jitter(300 * time.Millisecond))
	}
	for range 12 {
		c.runFor(c.jitter(4 * time.Second))
		c.fault()
	}
	c.tracef("faults end")
	clear(c.failures)
	c.fenceOK = func(string) bool { return true }
	c.heal()
	for i, n := range c.nodes {
		if !n.up {
			c.boot(i)
		} else if !n.crm {
			n.startCRM()
		}
	}
	cleaned := time.Duration(0)
	limit := 5 * time.Minute
	c.waitFor("rest", limit, func() bool {
		for i, n := range c.nodes {
			if !n.up || !n.crm { // fenced, or left after its fencing: an operator starts it
				if !n.up {
					c.boot(i)
				} else {
					c.crash(i)
				}
			}
		}
		if d := c.dc(); d != nil && c.idle() && c.now > cleaned+20*time.Second {
			cleaned = c.now // an operator forgets the failures
			d.do(func(now Time) { d.core.Cleanup(now, Token(1<<41+c.seq), crmd.CleanupRequest{FailuresOnly: true}) })
			return false
		}
		return c.idle() && c.allRunning()
	})
	c.runFor(30 * time.Second)
	if !c.idle() || !c.allRunning() {
		c.fatalf("the cluster does not stay at rest")
	}
	c.historiesAreTrue()
}

// historiesAreTrue checks that the CIB has of each node what the node itself
// knows: a result that was lost on the way would be believed for ever.
func (c *cluster) historiesAreTrue() {
	for _, n := range c.nodes {
		own, state := runs(n.core.lrm.node.LRM()), n.core.ownState()
		if state == nil {
			c.fatalf("%s has no state", n.name)
		}
		lrm := document.Child(state, "lrm")
		if lrm == nil {
			lrm = document.New("lrm")
		}
		if diff := cmp.Diff(own, runs(lrm)); diff != "" {
			c.fatalf("%s knows (-) and the CIB has (+)\n%s", n.name, diff)
		}
	}
}

// fault breaks one thing, or mends one.
func (c *cluster) fault() {
	i := c.rng.IntN(len(c.nodes))
	n := c.nodes[i]
	switch c.rng.IntN(12) {
	case 0, 1:
		c.crash(i)
	case 2:
		if !n.up {
			c.boot(i)
		}
	case 3:
		c.killCRM(i, 50*time.Millisecond+c.jitter(5*time.Second))
	case 4:
		part := map[int]int{}
		for j := range c.nodes {
			part[j] = c.rng.IntN(2)
		}
		c.split(part)
	case 5:
		c.heal()
	case 6:
		for _, r := range all {
			if n.up && n.lrm.active[r] {
				c.tracef("%s dies on %s", r, n.name)
				delete(n.lrm.active, r)
				c.check.stop(r, n.name)
				break
			}
		}
	case 7:
		c.failures[all[c.rng.IntN(3)]+" start "+n.name] = 1
	case 9, 10:
		if n.up && n.crm {
			n.lrm.restart()
		}
	case 11:
		if d := c.dc(); d != nil && d.m != nil && d.m.Over() == nil {
			c.tracef("transition engine of %s dies", d.name)
			d.m = nil
			d.mGen++
			d.later("te", 0, func(t Time) { d.core.TransitionLost(t, transition.ErrClosed) })
		}
	case 8:
		if n.up && n.crm {
			c.tracef("%s is to shut down", n.name)
			n.do(func(now Time) { n.core.RequestShutdown(now, Token(1<<40+c.seq)) })
		}
	}
}
