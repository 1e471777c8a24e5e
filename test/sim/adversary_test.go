// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/sim"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/totem"
)

// An adversary loses exactly the packets that he chooses, counted from the
// moment at which a ring of three with messages under way is disturbed. Chance
// hits the few packets of a recovery too seldom.
type adversary struct {
	disturb disturbance
	lost    []int
	late    time.Duration // not lost, but so late; 0: lost
}

// A disturbance is what happens to a ring of so many nodes when the adversary
// begins: nothing but its formation, nothing at all, or a change of the ring.
type disturbance struct {
	nodes int
	what  string
}

var disturbances = []disturbance{
	{3, "form"},
	{3, "steady"},
	{3, "crash 1"},
	{3, "crash 3"},
	{3, "restart 1"},
	{3, "restart 2"},
	{3, "leave 2"},
	{3, "merge"},
	{3, "flap"},
	{2, "form"},
	{2, "steady"},
	{2, "crash 2"},
	{2, "restart 1"},
	{2, "leave 2"},
	{2, "merge"},
	{2, "flap"},
}

func (a adversary) String() string {
	return fmt.Sprintf("%d nodes, %s, losing packets %v, late %v", a.disturb.nodes, a.disturb.what, a.lost, a.late)
}

// play gives the faults that were found, and how many packets the adversary saw
// until all was over.
func (a adversary) play() ([]string, int) {
	n := a.disturb.nodes
	cfg := totem.DefaultConfig(1, n)
	cfg.Token, cfg.MTU, cfg.MaxMessages = 300*time.Millisecond, 300, 3
	c := newCluster(7, n, cfg)
	c.maxSteps = 100_000
	c.net.SetFaults(sim.Faults{MinDelay: 200 * time.Microsecond, MaxDelay: 200 * time.Microsecond})
	var seen *int
	if a.disturb.what == "form" {
		seen = a.begin(c)
	}
	for _, n := range c.nodes {
		n.start(false)
	}
	if !c.w.Run(c.w.Now()+5*time.Second, func() bool { return c.failed() || c.whole() }) || c.failed() {
		return []string{"no ring to begin with"}, 0
	}
	if a.disturb.what == "merge" {
		c.net.Partition([]int{0, 1, 1}[:n])
		c.w.Run(c.w.Now()+2*time.Second, c.failed)
		c.net.Heal()
	}
	for i, n := range c.nodes {
		for range 2 + i {
			n.submit(200)
		}
		c.w.Run(c.w.Now()+300*time.Microsecond, c.failed)
	}
	if a.disturb.what != "form" {
		seen = a.begin(c)
	}
	for i, n := range c.nodes {
		n.submit(150 + i) // packets that are under way at the blow count too
	}
	c.w.Run(c.w.Now()+2*time.Millisecond, c.failed)
	a.strike(c)
	settled := func() bool { return c.failed() || (c.whole() && c.drained()) }
	c.w.Run(c.w.Now()+time.Millisecond, c.failed)
	ok := c.w.Run(c.w.Now()+10*time.Second, settled)
	c.check.expect("one ring after the faults", ok, "%s", c.describe())
	c.check.finish()
	if ok {
		c.check.everythingArrived()
	}
	return c.check.faults, *seen
}

// begin counts packets from here on and takes its own.
func (a adversary) begin(c *cluster) *int {
	seen, next := 0, 0
	c.net.Drop = func(from, to int, packet []byte) bool {
		seen++
		if next == len(a.lost) || a.lost[next] != seen-1 {
			return false
		}
		next++
		if a.late > 0 {
			c.w.After(a.late, func() { c.nodes[to].host.Do(func() { c.net.Recv(from, to, packet) }) })
		}
		return true
	}
	return &seen
}

func (a adversary) strike(c *cluster) {
	suspects := func(dead int) {
		for _, n := range c.nodes {
			if n.index != dead {
				n.host.After(time.Millisecond, func() { n.step(&totem.SuspectDown{Nodes: []messaging.NodeID{c.nodes[dead].id}}) })
			}
		}
	}
	what := a.disturb.what
	switch what {
	case "crash 1", "crash 2", "crash 3":
		i := int(what[6] - '1')
		c.nodes[i].crash()
		suspects(i)
	case "restart 1", "restart 2":
		n := c.nodes[what[8]-'1']
		n.crash()
		n.start(false)
	case "leave 2":
		c.nodes[1].leave()
	case "flap":
		n := c.nodes[1]
		c.nodes[0].step(&totem.SuspectDown{Nodes: []messaging.NodeID{n.id}})
	}
}

// drained tells whether nothing waits any more.
func (c *cluster) drained() bool {
	for _, n := range c.nodes {
		if !n.host.Up() {
			continue
		}
		if st := n.core.Stats(); st.QueuedMessages > 0 || st.Unreleased > 0 {
			return false
		}
	}
	return true
}

// depth is how many of a hundred triples are lost; all singles and pairs are.
func depth(t *testing.T) int {
	percent := 5
	if testing.Short() {
		percent = 1
	}
	if v := os.Getenv("QUORATE_SIM_DEPTH"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 0 || n > 100 {
			t.Fatalf("QUORATE_SIM_DEPTH=%q: want a percentage", v)
		}
		percent = n
	}
	return percent
}

// A siege is the losses of one disturbance.
type siege struct {
	t       *testing.T
	d       disturbance
	percent int
	// singles, pairs and triples count runs in which these were lost.
	singles, pairs, triples, late, bad atomic.Int64
}

// lose plays one run and gives how many packets it had until all was settled.
func (s *siege) lose(count *atomic.Int64, late time.Duration, lost ...int) int {
	count.Add(1)
	a := adversary{s.d, lost, late}
	faults, packets := a.play()
	if len(faults) > 0 {
		s.bad.Add(1)
		s.t.Errorf("%v:\n  %.600s", a, faults[0])
	}
	return packets
}

// from loses the i-th packet: alone, with each later one, and with each two later
// ones. What comes after a loss depends on it: the packets of a run that has lost
// some are counted until that run is settled, and what would be lost after that
// changes nothing.
func (s *siege) from(i int) {
	n := s.lose(&s.singles, 0, i)
	for late := 500 * time.Microsecond; late < 20*time.Millisecond; late = late * 3 / 2 {
		s.lose(&s.late, late, i)
	}
	for j := i + 1; j < n && uint64(s.bad.Load()) < patience(); j++ {
		m := s.lose(&s.pairs, 0, i, j)
		s.lose(&s.late, 3*time.Millisecond, i, j)
		for k := j + 1; k < m && uint64(s.bad.Load()) < patience(); k++ {
			if (i*31+j*17+k*7)%100 < s.percent {
				s.lose(&s.triples, 0, i, j, k)
			}
		}
	}
}

// TestEveryLossIsSurvived loses every single packet from a disturbance until all
// is settled again, every pair, and some of the triples; with QUORATE_SIM_DEPTH=100
// every triple. Singles and pairs come late, too.
func TestEveryLossIsSurvived(t *testing.T) {
	percent := depth(t)
	total := int64(0)
	for _, d := range disturbances {
		s := &siege{t: t, d: d, percent: percent}
		_, packets := adversary{d, nil, 0}.play()
		var next atomic.Int64
		var wg sync.WaitGroup
		for range runtime.GOMAXPROCS(0) {
			wg.Go(func() {
				for i := int(next.Add(1)) - 1; i < packets && uint64(s.bad.Load()) < patience(); i = int(next.Add(1)) - 1 {
					s.from(i)
				}
			})
		}
		wg.Wait()
		runs := s.singles.Load() + s.pairs.Load() + s.triples.Load() + s.late.Load()
		total += runs
		t.Logf("%d nodes, %s: %d packets until all is settled; lost: %d single ones, %d pairs, %d triples; late: %d", d.nodes, d.what, packets, s.singles.Load(), s.pairs.Load(), s.triples.Load(), s.late.Load())
		if s.bad.Load() > 0 && patience() == 1 {
			return
		}
	}
	t.Logf("%d runs", total)
}
