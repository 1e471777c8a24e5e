// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package link

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/quorate/quorate/messaging"
)

// A pair is two cores with some links between them, each way of which loses a
// share of the packets and all that are too large.
type pair struct {
	cores [2]*Core
	rng   *rand.Rand
	now   time.Duration
	ways  [2][MaxLinks]way // by the side that sends
	downs int              // reports that the peer is down
}

type way struct {
	loss float64
	mtu  int
}

// smallBeat is the size of a heartbeat that is no probe.
const smallBeat = 120

func newPair(t *rapid.T, cfg Config, links int, seed uint64) *pair {
	p := &pair{rng: rand.New(rand.NewPCG(seed, 1))}
	for side := range p.cores {
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		p.cores[side] = c
		for l := range links {
			c.Add(messaging.NodeID(2-side), l)
			p.ways[side][l] = way{mtu: MaxMTU}
		}
	}
	return p
}

func (p *pair) act(side int, as []Action) {
	for _, a := range as {
		switch a := a.(type) {
		case *PeerDown:
			p.downs++
		case *SendBeat:
			w := p.ways[side][a.Link]
			if p.rng.Float64() < w.loss || max(int(a.Size), smallBeat) > w.mtu {
				continue
			}
			other, from := 1-side, messaging.NodeID(1+side)
			p.act(other, p.cores[other].Heard(from, a.Link))
			p.act(other, p.cores[other].Beat(p.now, from, a.Link, a.Beat))
		}
	}
}

// run lets time pass.
func (p *pair) run(d time.Duration) {
	for end := p.now + d; p.now < end; {
		p.now += p.cores[0].cfg.Tick()
		for side, c := range p.cores {
			p.act(side, c.Tick(p.now))
		}
	}
}

// Whatever several links go through: while one of them works, the peer is never
// down; and a moment after the last change exactly those are used that work, as
// the mode says, with the largest packets that pass.
func TestLinksThatWorkAreUsedWhateverHappenedBefore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig(time.Second)
		cfg.Mode = Mode(rapid.IntRange(0, 2).Draw(t, "mode"))
		cfg.MTU, cfg.ProbeEvery = 9000, 2*time.Second
		links := rapid.IntRange(1, 4).Draw(t, "links")
		for l := range links {
			cfg.Priority[l] = uint8(rapid.IntRange(0, 2).Draw(t, "priority"))
		}
		p := newPair(t, cfg, links, rapid.Uint64().Draw(t, "seed"))
		p.run(3 * time.Second)
		works := rapid.IntRange(0, links-1).Draw(t, "works") // it always does
		p.downs = 0
		for range rapid.IntRange(0, 6).Draw(t, "changes") {
			side, l := rapid.IntRange(0, 1).Draw(t, "side"), rapid.IntRange(0, links-1).Draw(t, "link")
			w := way{loss: rapid.SampledFrom([]float64{0, 0, .6, 1}).Draw(t, "loss"), mtu: rapid.SampledFrom([]int{576, 700, 1280, 1499, 1500, 9000}).Draw(t, "mtu")}
			if l == works {
				w.loss = 0
			}
			p.ways[side][l] = w
			p.run(time.Duration(rapid.IntRange(40, 4000).Draw(t, "ms")) * time.Millisecond)
		}
		if p.downs > 0 {
			t.Fatalf("the peer was down %d times though link %d worked", p.downs, works)
		}
		p.run(12 * time.Second)
		p.checkUse(t, cfg, links)
	})
}

// checkUse compares what both cores use with what works.
func (p *pair) checkUse(t *rapid.T, cfg Config, links int) {
	for side, c := range p.cores {
		peer := messaging.NodeID(2 - side)
		var want []int
		for l := range links {
			if p.ways[0][l].loss == 0 && p.ways[1][l].loss == 0 {
				want = append(want, l)
			}
			if w := p.ways[side][l]; w.loss == 0 && p.ways[1-side][l].loss == 0 {
				passes := slices.DeleteFunc(slices.Clone(c.sizes), func(n int) bool { return n > w.mtu })
				if got, settled := c.MTU(peer, l); got != passes[len(passes)-1] || !settled {
					t.Fatalf("link %d of node %d: packets of %d bytes (settled %v), %d pass", l, 1+side, got, settled, w.mtu)
				}
			}
		}
		got := map[int]bool{}
		for range links * turnLen {
			for _, l := range c.Route(peer) {
				got[l] = true
			}
		}
		for l := range got {
			lossy := p.ways[0][l].loss < 1 && p.ways[1][l].loss < 1
			if !slices.Contains(want, l) && (cfg.Mode != Active || !lossy) {
				t.Fatalf("node %d uses link %d, only %v work", 1+side, l, want)
			}
		}
		best := slices.MaxFunc(want, func(a, b int) int {
			if d := int(cfg.Priority[a]) - int(cfg.Priority[b]); d != 0 {
				return d
			}
			return b - a
		})
		switch {
		case cfg.Mode == Passive && (len(got) != 1 || !got[best]):
			t.Fatalf("node %d uses %v, want link %d alone (priorities %v)", 1+side, got, best, cfg.Priority)
		case cfg.Mode != Passive && !containsAll(got, want):
			t.Fatalf("node %d uses %v, all of %v work", 1+side, got, want)
		}
	}
}

func containsAll(got map[int]bool, want []int) bool {
	return !slices.ContainsFunc(want, func(l int) bool { return !got[l] })
}

// A link that goes dead in one direction is left by both sides well before the
// token timeout, which the limit of a link is a share of.
func TestADeadLinkIsLeftBeforeItsLimit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig(time.Second)
		p := newPair(t, cfg, 2, rapid.Uint64().Draw(t, "seed"))
		p.run(3 * time.Second)
		p.ways[rapid.IntRange(0, 1).Draw(t, "side")][0].loss = 1
		p.run(cfg.Limit - cfg.Interval - cfg.Tick())
		for side, c := range p.cores {
			if r := c.Route(messaging.NodeID(2 - side)); !slices.Equal(r, []int{1}) {
				t.Fatalf("node %d still sends on %v", 1+side, r)
			}
		}
		if p.downs != 0 {
			t.Fatal("the peer is down")
		}
	})
}

func FuzzBeat(f *testing.F) {
	f.Add(Beat{Hears: true, Probe: true, Seq: 7, Size: 1500, Stamp: 1}.Append(nil))
	f.Add(Beat{Well: true, Ack: 9000, Echo: 1<<32 - 1}.Append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		b, ok := ParseBeat(data)
		if ok != (len(data) >= BeatLen) {
			t.Fatalf("%d bytes: taken %v", len(data), ok)
		}
		if again, _ := ParseBeat(b.Append(nil)); again != b {
			t.Fatalf("%+v became %+v", b, again)
		}
		cfg := DefaultConfig(time.Second)
		cfg.MTU = 1500
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		c.Add(2, 0)
		c.Heard(2, 0)
		if as := c.Beat(0, 2, 0, b); len(as) > 1 {
			t.Fatalf("%d answers", len(as))
		}
		if size, _ := c.MTU(2, 0); size < FloorMTU || size > cfg.MTU {
			t.Fatalf("packets of %d bytes", size)
		}
	})
}
