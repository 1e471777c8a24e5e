// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/sim"
	"github.com/quorate/quorate/messaging/link"
	"github.com/quorate/quorate/messaging/totem"
)

// oneWay is a set of directions that are cut, by pairs of node indexes.
type oneWay [][2]int

// settle cuts directions of a ring that runs, with the real seals and link
// layer, and gives the rings that it ends in.
func (o oneWay) settle(t *testing.T, seed uint64, nodes int) (rings string, changes int) {
	t.Helper()
	cfg := totem.DefaultConfig(1, nodes)
	c := newCluster(seed, nodes, cfg)
	c.sealed, c.link = true, link.DefaultConfig(cfg.Token)
	c.net.SetFaults(lan)
	for _, n := range c.nodes {
		c.w.After(c.w.Between(0, 50*time.Millisecond), func() { n.start(false) })
	}
	c.w.Run(100*time.Millisecond, nil)
	if !c.w.Run(10*time.Second, c.whole) {
		t.Fatalf("seed %d: no ring: %s", seed, c.describe())
	}
	c.w.Run(c.w.Now()+c.w.Between(0, time.Second), nil)
	for _, d := range o {
		c.net.Cut(d[0], d[1], true)
	}
	c.w.Run(c.w.Now()+60*time.Second, nil)
	before := len(c.check.rings)
	c.w.Run(c.w.Now()+60*time.Second, nil)
	done(t, c)
	var all []string
	for _, n := range c.nodes {
		if n.state != totem.Operational {
			all = append(all, fmt.Sprintf("%d is in %v", n.id, n.state))
		} else if text := fmt.Sprint(n.membs); !slices.Contains(all, text) {
			all = append(all, text)
		}
		for _, a := range n.membs {
			for _, b := range n.membs {
				if a != b && !c.net.Passes(int(a)-1, int(b)-1) {
					t.Errorf("seed %d, cut %v: %d cannot hear %d on the ring %v", seed, o, b, a, n.membs)
				}
			}
		}
	}
	slices.Sort(all)
	return fmt.Sprint(all), len(c.check.rings) - before
}

// Row 5 of the corner cases: whichever directions of three nodes stop working,
// the rings are the same whoever notices first, all on a ring hear each other,
// and after a minute nothing moves any more.
func TestOneWayLinksEndInTheSameRings(t *testing.T) {
	directions := [][2]int{{0, 1}, {1, 0}, {0, 2}, {2, 0}, {1, 2}, {2, 1}}
	step, seeds := 1, uint64(3)
	if testing.Short() {
		step, seeds = 7, 2
	}
	for mask := 1; mask < 64; mask += step {
		var o oneWay
		for i, d := range directions {
			if mask&(1<<i) != 0 {
				o = append(o, d)
			}
		}
		first := ""
		for seed := range seeds {
			rings, changes := o.settle(t, seed, 3)
			if changes > 0 {
				t.Errorf("cut %v: %d rings in the second minute: %s", o, changes, rings)
			}
			if seed == 0 {
				first = rings
			} else if rings != first {
				t.Errorf("cut %v: %s, with another seed %s", o, first, rings)
			}
		}
	}
}

// maxUnrest bounds the rings made in a minute by all nodes together while several
// links work one way at once: there is no rest always then, but flapping is
// damped.
const maxUnrest = 12

// With more nodes, and up to three directions cut: only nodes that hear each
// other are on a ring, and what does not come to rest moves seldom.
func TestPartialMeshesAreDamped(t *testing.T) {
	count := 60
	if testing.Short() {
		count = 5
	}
	restless := 0
	for seed := range uint64(count) {
		w := newCluster(seed, 1, totem.DefaultConfig(1, 1)).w
		nodes := 4 + int(seed%4)
		var o oneWay
		for range 1 + w.Rand().IntN(3) {
			a, b := w.Rand().IntN(nodes), w.Rand().IntN(nodes)
			if a != b {
				o = append(o, [2]int{a, b})
			}
		}
		rings, changes := o.settle(t, seed, nodes)
		if changes > 0 {
			restless++
		}
		if changes > maxUnrest {
			t.Errorf("seed %d, %d nodes, cut %v: %d rings in the second minute: %s", seed, nodes, o, changes, rings)
		}
	}
	t.Logf("%d of %d do not come to rest altogether", restless, count)
}

// A pause of a node is its own matter: while it sleeps and after it wakes up, the
// others stay together, whatever it thinks of them at first.
func TestAPausedNodePartsNoOthers(t *testing.T) {
	for _, timersFirst := range []bool{false, true} {
		for seed := range uint64(30) {
			c, _ := formedSealed(t, seed, 3)
			sleeper := c.nodes[seed%3]
			pause := c.w.Between(c.cfg.Token/10, 5*c.cfg.Token)
			c.w.Run(c.w.Now()+c.w.Between(0, time.Second), nil)
			rings := len(c.check.rings)
			sleeper.host.Pause()
			c.w.Run(c.w.Now()+pause, nil)
			if timersFirst {
				sleeper.host.ResumeTimersFirst()
			} else {
				sleeper.host.Resume()
			}
			c.w.Run(c.w.Now()+30*time.Second, nil)
			if !c.whole() {
				t.Errorf("seed %d: after a pause of %v: %s", seed, pause, c.describe())
			}
			// What a pause of less than the detector's limit costs: nothing.
			if pause < c.link.Limit-2*c.link.Interval && len(c.check.rings) != rings {
				t.Errorf("seed %d: a pause of %v cost %d rings", seed, pause, len(c.check.rings)-rings)
			}
			for _, n := range c.nodes {
				if n == sleeper {
					continue
				}
				for _, s := range c.check.lives[lifeID{n.id, n.life}].stays[1:] {
					for _, o := range c.nodes {
						if o != sleeper && !slices.Contains(s.members, o.id) {
							t.Errorf("seed %d: node %d was on a ring %v of %v without %d after a pause of %v of node %d", seed, n.id, s.ring, s.members, o.id, pause, sleeper.id)
						}
					}
				}
			}
			done(t, c)
		}
	}
}

// formedSealed makes a ring with the real seals and link layer.
func formedSealed(t *testing.T, seed uint64, nodes int) (*cluster, time.Duration) {
	t.Helper()
	cfg := totem.DefaultConfig(1, nodes)
	c := newCluster(seed, nodes, cfg)
	c.sealed, c.link = true, link.DefaultConfig(cfg.Token)
	c.net.SetFaults(lan)
	for _, n := range c.nodes {
		n.start(false)
	}
	if !c.w.Run(10*time.Second, c.whole) {
		t.Fatalf("seed %d: no ring: %s", seed, c.describe())
	}
	return c, c.w.Now()
}

// A node without its clock: the machine was suspended, or its program stopped for
// a while without anybody noticing. Its own timers run off at once.
func TestASuspendedNodeAccusesNobody(t *testing.T) {
	c, _ := formedSealed(t, 1, 3)
	c.w.Run(c.w.Now()+time.Second, nil)
	n := c.nodes[1]
	accused := 0
	before := c.check.checks["links go down"]
	n.host.Pause()
	c.w.Run(c.w.Now()+500*time.Millisecond, nil)
	// The clock that counts suspend has gone on by an hour meanwhile.
	n.host.SetClock(sim.Clock{Origin: time.Hour})
	n.host.ResumeTimersFirst()
	c.w.Run(c.w.Now()+5*time.Second, nil)
	for _, o := range c.nodes {
		if o != n && !slices.Contains(o.membs, n.id) {
			accused++
		}
	}
	if c.check.checks["links go down"] != before || accused > 0 || !c.whole() {
		t.Errorf("%d links went down: %s", c.check.checks["links go down"]-before, c.describe())
	}
	done(t, c)
}
