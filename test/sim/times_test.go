// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"testing"
	"time"

	"github.com/quorate/quorate/internal/sim"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/totem"
)

// lan is a quiet local network.
var lan = sim.Faults{MinDelay: 100 * time.Microsecond, MaxDelay: 300 * time.Microsecond}

// formed makes n nodes with the default configuration, started within the given
// time, and gives the time from the last start to one ring.
func formed(t *testing.T, seed uint64, n int, within time.Duration) (*cluster, time.Duration) {
	t.Helper()
	c := newCluster(seed, n, totem.DefaultConfig(1, n))
	c.net.SetFaults(lan)
	last := time.Duration(0)
	for i, n := range c.nodes {
		at := c.w.Between(0, within)
		if i == 0 {
			at = 0
		}
		last = max(last, at)
		c.w.After(at, func() { n.start(false) })
	}
	c.w.Run(last, nil)
	if !c.w.Run(10*time.Second, c.whole) {
		t.Fatalf("seed %d: no ring after 10 s: %s", seed, c.describe())
	}
	return c, c.w.Now()
}

func done(t *testing.T, c *cluster) {
	t.Helper()
	c.check.finish()
	for _, f := range c.check.faults {
		t.Error(f)
	}
}

func TestFreshNodesFormOneRingWithinHalfASecond(t *testing.T) {
	worst := time.Duration(0)
	for seed := range uint64(50) {
		c, took := formed(t, seed, 3, 300*time.Millisecond)
		worst = max(worst, took)
		if took > 500*time.Millisecond {
			t.Errorf("seed %d: one ring %v after the first start", seed, took)
		}
		done(t, c)
	}
	t.Logf("three nodes started within 300 ms: one ring at most %v after the first start", worst)
}

// survivors runs until the nodes but the given one are on a ring without it.
func survivors(c *cluster, but *node) func() bool {
	return func() bool {
		for _, n := range c.nodes {
			if n != but && (n.state != totem.Operational || len(n.membs) != len(c.nodes)-1) {
				return false
			}
		}
		return true
	}
}

func TestSilentDeathWithEvidenceCostsNoConsensusTimeout(t *testing.T) {
	const silence = 800 * time.Millisecond // the link layer's verdict
	worst := time.Duration(0)
	for seed := range uint64(50) {
		c, _ := formed(t, seed, 3, 0)
		c.w.Run(c.w.Now()+c.w.Between(time.Second, 2*time.Second), nil)
		victim := c.nodes[c.w.Rand().IntN(3)]
		died := c.w.Now()
		victim.crash()
		for _, n := range c.nodes {
			if n != victim {
				n.host.After(silence+c.w.Between(0, 100*time.Millisecond), func() { n.step(&totem.SuspectDown{Nodes: []messaging.NodeID{victim.id}}) })
			}
		}
		if !c.w.Run(died+10*time.Second, survivors(c, victim)) {
			t.Fatalf("seed %d: %s", seed, c.describe())
		}
		took := c.w.Now() - died
		worst = max(worst, took)
		if took > silence+150*time.Millisecond {
			t.Errorf("seed %d: new ring %v after the death", seed, took)
		}
		done(t, c)
	}
	t.Logf("links silent for 800 to 900 ms: new ring at most %v after the death", worst)
}

func TestSilentDeathWithLateEvidenceIsFoundByTheToken(t *testing.T) {
	for seed := range uint64(20) {
		c, _ := formed(t, seed, 3, 0)
		c.w.Run(c.w.Now()+time.Second, nil)
		victim := c.nodes[c.w.Rand().IntN(3)]
		died := c.w.Now()
		victim.crash()
		cfg := c.cfg
		// Evidence comes in gather, after the token is lost.
		for _, n := range c.nodes {
			if n != victim {
				n.host.After(cfg.Token+cfg.Token/5, func() { n.step(&totem.SuspectDown{Nodes: []messaging.NodeID{victim.id}}) })
			}
		}
		if !c.w.Run(died+10*time.Second, survivors(c, victim)) {
			t.Fatalf("seed %d: %s", seed, c.describe())
		}
		if took := c.w.Now() - died; took > cfg.Token+cfg.Token/5+50*time.Millisecond {
			t.Errorf("seed %d: new ring %v after the death", seed, took)
		}
		done(t, c)
	}
}

func TestSilentDeathWithoutEvidenceTakesTokenAndConsensus(t *testing.T) {
	worst := time.Duration(0)
	for seed := range uint64(20) {
		c, _ := formed(t, seed, 3, 0)
		c.w.Run(c.w.Now()+time.Second, nil)
		victim := c.nodes[c.w.Rand().IntN(3)]
		died := c.w.Now()
		victim.crash()
		if !c.w.Run(died+10*time.Second, survivors(c, victim)) {
			t.Fatalf("seed %d: %s", seed, c.describe())
		}
		took := c.w.Now() - died
		worst = max(worst, took)
		bound := totem.TokenFor(3)*22/10 + 100*time.Millisecond
		if took > bound {
			t.Errorf("seed %d: new ring %v after the death, bound %v", seed, took, bound)
		}
		done(t, c)
	}
	t.Logf("without evidence: new ring at most %v after the death", worst)
}

func TestCleanLeaveTakesMilliseconds(t *testing.T) {
	worst := time.Duration(0)
	for seed := range uint64(50) {
		c, _ := formed(t, seed, 3, 0)
		c.w.Run(c.w.Now()+c.w.Between(time.Second, 2*time.Second), nil)
		leaver := c.nodes[c.w.Rand().IntN(3)]
		left := c.w.Now()
		leaver.leave()
		if !c.w.Run(left+5*time.Second, survivors(c, leaver)) {
			t.Fatalf("seed %d: %s", seed, c.describe())
		}
		worst = max(worst, c.w.Now()-left)
		done(t, c)
	}
	if worst > 20*time.Millisecond {
		t.Errorf("new ring %v after a clean leave", worst)
	}
	t.Logf("clean leave: new ring at most %v after it", worst)
}

func TestRejoinAndMergeTakeMilliseconds(t *testing.T) {
	for seed := range uint64(30) {
		c, _ := formed(t, seed, 3, 0)
		n := c.nodes[seed%3]
		n.leave()
		c.w.Run(c.w.Now()+time.Second, nil)
		back := c.w.Now()
		n.start(false)
		if !c.w.Run(back+5*time.Second, c.whole) || c.w.Now()-back > 60*time.Millisecond {
			t.Errorf("seed %d: member again after %v", seed, c.w.Now()-back)
		}
		c.net.Partition([]int{0, 1, 1})
		c.w.Run(c.w.Now()+10*time.Second, nil)
		if c.whole() {
			t.Fatalf("seed %d: still one ring in a partition", seed)
		}
		c.net.Heal()
		healed := c.w.Now()
		if !c.w.Run(healed+5*time.Second, c.whole) || c.w.Now()-healed > 300*time.Millisecond {
			t.Errorf("seed %d: merged after %v", seed, c.w.Now()-healed)
		}
		done(t, c)
	}
}

// An idle ring turns once in a hold interval; besides there are merge detects.
// The first JOIN is lost: the links have not met yet. When they do, a word from
// them is enough.
func TestLinksThatMeetLateCostNoRingOfOne(t *testing.T) {
	c := newCluster(1, 3, totem.DefaultConfig(1, 3))
	c.net.SetFaults(lan)
	c.net.Partition([]int{0, 1, 2})
	for _, n := range c.nodes {
		n.start(false)
	}
	c.w.Run(20*time.Millisecond, nil)
	c.net.Heal()
	for _, n := range c.nodes {
		for _, o := range c.nodes {
			if n != o {
				n.step(&totem.SuspectCleared{Node: o.id})
			}
		}
	}
	if !c.w.Run(time.Second, c.whole) || c.w.Now() > 30*time.Millisecond || len(c.check.rings) != 1 {
		t.Errorf("%v: %d rings: %s", c.w.Now(), len(c.check.rings), c.describe())
	}
	done(t, c)
}

func TestIdleRingIsQuiet(t *testing.T) {
	for n := 1; n <= 5; n++ {
		c, _ := formed(t, 1, n, 0)
		c.w.Run(c.w.Now()+3*time.Second, nil)
		sent, steps := c.net.Sent, c.w.Steps()
		c.w.Run(c.w.Now()+10*time.Second, nil)
		hold := c.nodes[0].core.Stats()
		turns := uint64(10*time.Second/(190*time.Millisecond)) + 2
		merges := uint64(10*5*(n-1)) + 10
		if got := c.net.Sent - sent; got > turns*uint64(n)+merges {
			t.Errorf("%d nodes: %d packets in 10 s", n, got)
		}
		if got := c.w.Steps() - steps; got > 600*uint64(n) {
			t.Errorf("%d nodes: %d events in 10 s", n, got)
		}
		if hold.TokenRetransmits > 0 {
			t.Errorf("%d nodes: an idle ring sends tokens again: %+v", n, hold)
		}
	}
}

// A token that was sent again, or that the network doubled, moves nothing: the
// ring is as quiet as without.
func TestDuplicatesDoNotDisturbAnIdleRing(t *testing.T) {
	c, _ := formed(t, 1, 3, 0)
	f := lan
	f.Duplicate = 0.5
	c.net.SetFaults(f)
	c.w.Run(c.w.Now()+3*time.Second, nil)
	var before [3]totem.Stats
	for i, n := range c.nodes {
		before[i] = n.core.Stats()
	}
	c.w.Run(c.w.Now()+20*time.Second, nil)
	for i, n := range c.nodes {
		st := n.core.Stats()
		tokens, want := st.TokensReceived-before[i].TokensReceived, uint64(20*time.Second/(203*time.Millisecond))
		if st.TokensDuplicate == 0 || st.TokenRetransmits != before[i].TokenRetransmits || tokens < want-3 || tokens > want+3 {
			t.Errorf("node %d: %d tokens in 20 s, want %d; %d duplicates, %d sent again", n.id, tokens, want, st.TokensDuplicate, st.TokenRetransmits-before[i].TokenRetransmits)
		}
	}
	done(t, c)
}

// Large rings on a network that loses one packet in a thousand.
func TestManyNodesFormARing(t *testing.T) {
	for _, nodes := range []int{32, 64, 128} {
		if testing.Short() && nodes > 32 {
			continue
		}
		cfg := totem.DefaultConfig(1, nodes)
		c := newCluster(1, nodes, cfg)
		f := lan
		f.Loss = 0.001
		c.net.SetFaults(f)
		for _, n := range c.nodes {
			c.w.After(c.w.Between(0, 500*time.Millisecond), func() { n.start(false) })
		}
		c.w.Run(500*time.Millisecond, nil)
		bound := 3 * cfg.Token * 12 / 10
		ok := c.w.Run(bound, c.whole)
		t.Logf("%d nodes: %v, %d packets, %d rings", nodes, c.w.Now(), c.net.Sent, len(c.check.rings))
		if !ok {
			t.Errorf("%d nodes: no ring after %v", nodes, bound)
		}
		done(t, c)
	}
}
