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

func (a adversary) run() []string {
	faults, _ := a.play()
	return faults
}

// play also tells how many packets the adversary saw until all was over.
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

// TestEveryLossIsSurvived loses every single packet of a while, every pair and
// every triple of a shorter one, or lets them come late. QUORATE_SIM_DEPTH widens the whiles, in percent.
func TestEveryLossIsSurvived(t *testing.T) {
	percent := 100
	if testing.Short() {
		percent = 30
	}
	if v := os.Getenv("QUORATE_SIM_DEPTH"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatalf("QUORATE_SIM_DEPTH=%q: want a number", v)
		}
		percent = n
	}
	singles, pairs, triples := 200*percent/100, 60*percent/100, 28*percent/100
	work := make(chan adversary, 64)
	var wg sync.WaitGroup
	var runs, bad atomic.Int64
	for range runtime.GOMAXPROCS(0) {
		wg.Go(func() {
			for a := range work {
				if uint64(bad.Load()) >= patience() {
					continue
				}
				runs.Add(1)
				if faults := a.run(); len(faults) > 0 {
					bad.Add(1)
					t.Errorf("%v:\n  %.600s", a, faults[0])
				}
			}
		})
	}
	for _, d := range disturbances {
		_, packets := adversary{d, nil, 0}.play()
		t.Logf("%d nodes, %s: %d packets until all is settled; each lost of %d, pairs of %d, triples of %d", d.nodes, d.what, packets, singles, pairs, triples)
		for i := range max(singles, pairs, triples) {
			if i < singles {
				work <- adversary{d, []int{i}, 0}
				for late := 500 * time.Microsecond; late < 20*time.Millisecond; late = late * 3 / 2 {
					work <- adversary{d, []int{i}, late}
				}
			}
			for j := i + 1; i < pairs && j < pairs; j++ {
				work <- adversary{d, []int{i, j}, 0}
				work <- adversary{d, []int{i, j}, 3 * time.Millisecond}
				for k := j + 1; j < triples && k < triples; k++ {
					work <- adversary{d, []int{i, j, k}, 0}
				}
			}
		}
	}
	close(work)
	wg.Wait()
	t.Logf("%d runs", runs.Load())
}
