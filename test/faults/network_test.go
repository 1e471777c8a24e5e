// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package faults

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/quorate/quorate/test/e2e/lab"
	"github.com/quorate/quorate/test/faults/hub"
	"github.com/quorate/quorate/test/faults/judge"
)

// N1: symmetric splits. Every side is one ring, only a majority is quorate, and
// after the heal all are one ring again.
func TestN1SplitInTwo(t *testing.T) {
	c := newCluster(t, options{nodes: 3})
	c.progress(formLimit, c.nodes...)
	a, b := c.pick(1), c.pick(2, 3)
	c.split(a, b)
	t.Log("the majority after ", c.awaitRing(deathLimit+slack, b...))
	t.Log("the minority after ", c.awaitRing(deathLimit+slack, a...))
	c.progress(formLimit, b...)
	c.heal()
	t.Log("one ring after ", c.awaitRing(healLimit, c.nodes...))
	c.progress(formLimit, c.nodes...)
	c.verdict(c.nodes...)
}

func TestN1EveryShapeOfSplit(t *testing.T) {
	onRequest(t)
	for _, shape := range [][][]int{
		{{1, 2}, {3}},
		{{1, 3}, {2}},
		{{1}, {2}, {3}},
		{{1}, {2, 3, 4}},
		{{1, 2}, {3, 4}},
		{{1, 3}, {2, 4}},
		{{1, 2, 3}, {4}},
		{{1}, {2}, {3, 4}},
		{{1}, {2, 3, 4, 5}},
		{{1, 2}, {3, 4, 5}},
		{{5, 4, 3}, {1, 2}},
		{{1, 4, 5}, {2, 3}},
		{{1, 2}, {3, 4}, {5}},
		{{1}, {2}, {3}, {4, 5}},
		{{1}, {2}, {3}, {4}, {5}},
		{{1, 2, 3}, {4, 5, 6, 7}},
		{{1}, {2, 3, 4, 5, 6, 7}},
		{{1, 2}, {3, 4}, {5, 6}, {7}},
	} {
		n := 0
		for _, side := range shape {
			n += len(side)
		}
		t.Run(fmt.Sprint(shape), func(t *testing.T) {
			c := newCluster(t, options{nodes: n})
			var sides [][]*node
			for _, side := range shape {
				sides = append(sides, c.pick(side...))
			}
			c.split(sides...)
			for _, side := range sides {
				c.awaitRing(deathLimit+slack, side...)
			}
			c.heal()
			t.Log("one ring after ", c.awaitRing(healLimit, c.nodes...))
			c.progress(formLimit, c.nodes...)
			c.verdict(c.nodes...)
		})
	}
}

// clique tells that the nodes are on rings whose members all hear each other, and
// that they have been on them for a while.
func (c *cluster) clique(nodes []*node, hears func(a, b int) bool, rest time.Duration) error {
	for _, n := range nodes {
		v := n.rec.View()
		members := judge.Members(v.QuorumView)
		for _, a := range members {
			for _, b := range members {
				if a != b && !hears(int(a), int(b)) {
					return fmt.Errorf("%s is on a ring with %d and %d, who do not hear each other", n, a, b)
				}
			}
		}
		if since := time.Since(v.At); since < rest {
			return fmt.Errorf("%s is on its ring %v for %v only", n, members, since)
		}
	}
	return nil
}

// rest is how long a ring has to stand to be called settled.
const rest = 3 * token

// oneWay cuts directions and checks that the rings come to rest, with a quorate
// one where there can be one.
func (c *cluster) oneWay(deaf map[[2]int]bool, quorate int) {
	c.t.Helper()
	for d := range deaf {
		c.change(c.node(d[0]), c.node(d[1]), cut)
	}
	hears := func(a, b int) bool { return !deaf[[2]int{a, b}] && !deaf[[2]int{b, a}] }
	took := lab.Until(c.t, 30*time.Second, "rings of nodes that hear each other, at rest", func() error {
		if err := c.clique(c.nodes, hears, rest); err != nil {
			return err
		}
		n := 0
		for _, x := range c.nodes {
			if x.rec.View().Quorate {
				n++
			}
		}
		if n < quorate {
			return fmt.Errorf("%d nodes are quorate, want %d", n, quorate)
		}
		return nil
	})
	for _, n := range c.nodes {
		c.t.Log(n, judge.Members(n.rec.View().QuorumView), "after", len(n.rec.Recording().Views), "views")
	}
	c.t.Log("at rest after ", took-rest)
	c.heal()
	c.t.Log("one ring after ", c.awaitRing(30*time.Second, c.nodes...))
	c.progress(formLimit, c.nodes...)
	c.verdict(c.nodes...)
}

// N3: one-way links. Every way in which one or two directions of three nodes are
// dead; one node that nobody hears, one that hears nobody.
func TestN3OneWayLink(t *testing.T) {
	c := newCluster(t, options{nodes: 3})
	c.oneWay(map[[2]int]bool{{1, 3}: true}, 2)
}

func TestN3OneWayLinks(t *testing.T) {
	onRequest(t)
	pairs := [][2]int{{1, 2}, {1, 3}, {2, 1}, {2, 3}, {3, 1}, {3, 2}}
	for i, a := range pairs {
		for _, b := range pairs[i:] {
			t.Run(fmt.Sprint(a, b), func(t *testing.T) {
				// Two nodes still hear each other unless three pairs are broken.
				newCluster(t, options{nodes: 3}).oneWay(map[[2]int]bool{a: true, b: true}, 2)
			})
		}
	}
	t.Run("five nodes, one is mute", func(t *testing.T) {
		newCluster(t, options{nodes: 5}).oneWay(map[[2]int]bool{{2, 1}: true, {2, 3}: true, {2, 4}: true, {2, 5}: true}, 4)
	})
	t.Run("five nodes, one is deaf", func(t *testing.T) {
		newCluster(t, options{nodes: 5}).oneWay(map[[2]int]bool{{1, 2}: true, {3, 2}: true, {4, 2}: true, {5, 2}: true}, 4)
	})
}

// deafBothWays makes the set of directions of pairs that do not hear each other.
func deafBothWays(pairs ...[2]int) map[[2]int]bool {
	out := map[[2]int]bool{}
	for _, p := range pairs {
		out[p], out[[2]int{p[1], p[0]}] = true, true
	}
	return out
}

// N4: hearing that is not transitive.
func TestN4Bridge(t *testing.T) {
	onRequest(t)
	t.Run("three nodes, the middle hears both", func(t *testing.T) {
		newCluster(t, options{nodes: 3}).oneWay(deafBothWays([2]int{1, 3}), 2)
	})
	t.Run("four nodes in a circle", func(t *testing.T) {
		newCluster(t, options{nodes: 4}).oneWay(deafBothWays([2]int{1, 3}, [2]int{2, 4}), 0)
	})
	t.Run("five nodes, one between two sides", func(t *testing.T) {
		newCluster(t, options{nodes: 5}).oneWay(deafBothWays([2]int{1, 4}, [2]int{1, 5}, [2]int{2, 4}, [2]int{2, 5}), 3)
	})
	t.Run("five nodes, each hears its neighbours", func(t *testing.T) {
		newCluster(t, options{nodes: 5}).oneWay(deafBothWays([2]int{1, 3}, [2]int{1, 4}, [2]int{2, 4}, [2]int{2, 5}, [2]int{3, 5}), 0)
	})
}

// N5: a node whose cable comes and goes. Rings change at most twice a period, and
// once it holds, all are one ring.
func TestN5Flapping(t *testing.T) {
	onRequest(t)
	for _, f := range []struct{ down, up float64 }{{0.5, 0.5}, {1, 1}, {1.2, 0.3}, {2, 2}, {2, 0.5}} {
		t.Run(fmt.Sprintf("%v down %v up", f.down, f.up), func(t *testing.T) {
			c := newCluster(t, options{nodes: 3})
			const lasts = 15 * time.Second
			down, up := time.Duration(f.down*float64(token)), time.Duration(f.up*float64(token))
			flap := func(h *hub.Faults) { h.Down, h.Up = down, up }
			for _, n := range c.others(c.node(2)) {
				c.change(n, c.node(2), flap)
				c.change(c.node(2), n, flap)
			}
			began := time.Now()
			lab.For(t, lasts, "the other two stay together", func() error {
				a, b := c.node(1).rec.View(), c.node(3).rec.View()
				if !a.Quorate || !b.Quorate {
					return fmt.Errorf("quorate: %t, %t", a.Quorate, b.Quorate)
				}
				return nil
			})
			rings := len(c.node(1).rec.Recording().Rings(began))
			t.Log(rings, " rings")
			if most := 2 + 2*(1+int(lasts/(down+up))); rings > most {
				t.Errorf("%d rings, want at most %d", rings, most)
			}
			c.heal()
			t.Log("one ring after ", c.awaitRing(40*time.Second, c.nodes...))
			c.progress(formLimit, c.nodes...)
			c.verdict(c.nodes...)
		})
	}
}

// N6: nodes are lost one by one and come back one by one, in another order.
func TestN6SwizzledHeal(t *testing.T) {
	onRequest(t)
	c := newCluster(t, options{nodes: 5})
	r := rand.New(rand.NewPCG(seed(t), 6))
	for range 4 {
		for _, i := range r.Perm(5) {
			n := c.node(i + 1)
			c.split([]*node{n}, c.others(n))
			<-time.After(time.Duration(r.Int64N(int64(token))))
		}
		back := r.Perm(5)
		for k, i := range back {
			for _, j := range back[:k] {
				c.change(c.node(i+1), c.node(j+1), heal)
				c.change(c.node(j+1), c.node(i+1), heal)
			}
			<-time.After(time.Duration(r.Int64N(int64(token))))
		}
		t.Log("one ring after ", c.awaitRing(10*time.Second, c.nodes...))
	}
	c.progress(formLimit, c.nodes...)
	c.verdict(c.nodes...)
}

// N7: loss. Up to a tenth nobody leaves; at half, all still comes in the end.
func TestN7Loss(t *testing.T) {
	onRequest(t)
	for _, percent := range []int{1, 5, 10, 20, 30, 50} {
		t.Run(fmt.Sprint(percent), func(t *testing.T) {
			c := newCluster(t, options{nodes: 3})
			c.everywhere(hub.Faults{Loss: float64(percent) / 100})
			began, before := time.Now(), c.node(1).rec.Delivered(2)
			<-time.After(10 * time.Second)
			if percent <= 10 {
				c.nobodyLeft(began, c.nodes...)
			}
			t.Logf("%d messages of node2 a second; %d rings", (c.node(1).rec.Delivered(2)-before)/10, len(c.node(1).rec.Recording().Rings(began)))
			c.heal()
			c.awaitRing(formLimit, c.nodes...)
			c.progress(formLimit, c.nodes...)
			c.verdict(c.nodes...)
		})
	}
}

// N8: all is lost for a while that is shorter than the token timeout.
func TestN8Bursts(t *testing.T) {
	onRequest(t)
	for _, share := range []float64{0.2, 0.5, 0.7, 0.8, 0.9} {
		for _, who := range []string{"all", "one"} {
			t.Run(fmt.Sprint(share, who), func(t *testing.T) {
				c := newCluster(t, options{nodes: 3})
				began := time.Now()
				burst := hub.Faults{Down: time.Duration(share * float64(token)), Up: token}
				for _, a := range c.nodes {
					for _, b := range c.others(a) {
						if who == "all" || a == c.node(2) || b == c.node(2) {
							c.change(a, b, func(f *hub.Faults) { *f = burst })
						}
					}
				}
				<-time.After(5 * (burst.Down + burst.Up))
				c.heal()
				c.awaitRing(formLimit, c.nodes...)
				c.nobodyLeft(began, c.nodes...)
				c.verdict(c.nodes...)
			})
		}
	}
}

// N9: delay, jitter, reordering, duplicates.
func TestN9DelaysAndDuplicates(t *testing.T) {
	onRequest(t)
	ms := time.Millisecond
	for _, f := range []struct {
		name   string
		faults hub.Faults
		slow   bool // the timers are made for less
	}{
		{"1 ms", hub.Faults{Delay: 1 * ms, Jitter: 1 * ms}, false},
		{"10 ms", hub.Faults{Delay: 10 * ms, Jitter: 5 * ms}, false},
		{"50 ms", hub.Faults{Delay: 50 * ms, Jitter: 20 * ms}, false},
		{"100 ms", hub.Faults{Delay: 100 * ms, Jitter: 50 * ms}, false},
		{"200 ms", hub.Faults{Delay: 200 * ms}, false},
		{"500 ms", hub.Faults{Delay: 500 * ms}, true},
		{"jitter 100 ms", hub.Faults{Jitter: 100 * ms}, false},
		{"reorder", hub.Faults{Reorder: 0.3, Late: 20 * ms}, false},
		{"duplicate half", hub.Faults{Duplicate: 0.5, Jitter: 2 * ms}, false},
		{"everything", hub.Faults{Delay: 5 * ms, Jitter: 20 * ms, Duplicate: 0.2, Loss: 0.05, Reorder: 0.1, Late: 50 * ms}, false},
	} {
		t.Run(f.name, func(t *testing.T) {
			c := newCluster(t, options{nodes: 3})
			c.everywhere(f.faults)
			began, before := time.Now(), c.node(1).rec.Delivered(2)
			if f.slow {
				lab.For(t, 8*time.Second, "no two sides", func() error { return nil })
			} else {
				c.stays(8*time.Second, c.nodes...)
			}
			t.Logf("%d messages of node2 a second; %d rings", (c.node(1).rec.Delivered(2)-before)/8, len(c.node(1).rec.Recording().Rings(began)))
			c.heal()
			c.awaitRing(formLimit, c.nodes...)
			c.progress(formLimit, c.nodes...)
			c.verdict(c.nodes...)
		})
	}
	t.Run("500 ms with a token to match", func(t *testing.T) {
		c := makeCluster(t, options{nodes: 3, totem: []string{"token: 10000"}})
		c.everywhere(hub.Faults{Delay: 500 * ms})
		for _, n := range c.nodes {
			n.start()
		}
		t.Log("formed after ", c.awaitRing(60*time.Second, c.nodes...))
		c.stays(8*time.Second, c.nodes...)
		c.heal()
		c.progress(60*time.Second, c.nodes...)
		c.verdict(c.nodes...)
	})
}

// N10: packets that are changed or cut on their way are dropped, counted, and
// nothing else.
func TestN10CorruptAndTruncated(t *testing.T) {
	c := newCluster(t, options{nodes: 3})
	c.everywhere(hub.Faults{Corrupt: 0.05, Truncate: 0.05})
	c.stays(3*time.Second, c.nodes...)
	c.heal()
	stats := c.hub.Stats()
	t.Log(stats)
	if stats[hub.Corrupted] < 10 || stats[hub.Truncated] < 10 {
		t.Errorf("too few frames were changed: %v", stats)
	}
	c.progress(formLimit, c.nodes...)
	c.verdict(c.nodes...)
}
