// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"slices"
	"time"

	"github.com/quorate/quorate/messaging"
)

// Two nodes of which one does not hear the other cannot be on one ring, though
// both may hear all others. Without a rule who stays, whoever complains first
// wins, the other comes back over a common neighbour, and the ring is broken up
// for ever. So JOIN and merge detect say whom their sender does not hear; a ring
// lets nobody in who cannot hear all its members, or whom they cannot hear,
// unless the ring becomes better by it: larger, or of lower ids. As rings only
// get better, this ends, and where what is heard stays the same it ends alike.
//
// What was said may be a moment old: node 1 died and node 2 said so; now node 1
// is back and node 3 hears it first. So a newcomer waits for a Token before a
// member has to go for it. When node 2 hears it too, it says so at once.

// A report is what another node said last about whom it does not hear.
type report struct {
	node messaging.NodeID
	deaf nodeSet
}

// A doubt is a newcomer that some member does not hear, or that does not hear
// some member.
type doubt struct {
	node        messaging.NodeID
	since, last time.Duration
}

// doubted tells whether a newcomer has been in doubt for long enough to act.
func (c *Core) doubted(n messaging.NodeID) bool {
	for i := range c.doubts {
		d := &c.doubts[i]
		if d.node != n {
			continue
		}
		if c.now-d.last > c.cfg.Token {
			d.since = c.now
		}
		d.last = c.now
		return c.now-d.since >= c.cfg.Token
	}
	if len(c.doubts) < MaxNodes {
		c.doubts = append(c.doubts, doubt{n, c.now, c.now})
	}
	return false
}

// refused gives the newcomers that are not let in now.
func (c *Core) refused() (set nodeSet) {
	for i := range c.doubts {
		if d := &c.doubts[i]; c.now-d.last <= c.cfg.Token && !c.memb.has(d.node) {
			set = set.with(d.node)
		}
	}
	return set
}

// ask makes all nodes say anew whom they do not hear: what keeps a newcomer out
// may be over, and the word of it lost.
func (c *Core) ask() {
	if c.now-c.asked < c.cfg.Token && c.asked > 0 {
		return
	}
	c.asked = c.now
	c.callForMerge(true)
}

// answer is what ask asks for.
func (c *Core) answer() {
	if c.state == Operational && c.now-c.answered >= c.cfg.Token/4 {
		c.answered = c.now
		c.callForMerge(false)
	}
}

// reports is sorted by node.
type reports []report

func (r *reports) note(n messaging.NodeID, deaf nodeSet) {
	i, found := slices.BinarySearchFunc(*r, n, func(e report, n messaging.NodeID) int { return int(int64(e.node) - int64(n)) })
	switch {
	case found && len(deaf) == 0:
		*r = slices.Delete(*r, i, i+1)
	case found:
		(*r)[i].deaf = deaf
	case len(deaf) > 0 && len(*r) < MaxNodes:
		*r = slices.Insert(*r, i, report{n, deaf})
	}
}

func (r *reports) archive(a *archive) {
	n := a.count(len(*r), MaxNodes)
	if a.load {
		*r = make(reports, n)
	}
	for i := range *r {
		num(a, &(*r)[i].node)
		a.nodes(&(*r)[i].deaf)
	}
}

// deaf tells whether a said that it does not hear b.
func (c *Core) deaf(a, b messaging.NodeID) bool {
	if a == c.self {
		return c.suspects.has(b)
	}
	for i := range c.reports {
		if c.reports[i].node == a {
			return c.reports[i].deaf.has(b)
		}
	}
	return false
}

// clique takes nodes out of a set until all that stay hear each other: each time
// the one that lacks most, of equals the highest.
func (c *Core) clique(set nodeSet) nodeSet {
	for {
		worst, most := messaging.NodeID(0), 0
		for _, a := range set {
			lacks := 0
			for _, b := range set {
				if a != b && (c.deaf(a, b) || c.deaf(b, a)) {
					lacks++
				}
			}
			if lacks > 0 && lacks >= most {
				worst, most = a, lacks
			}
		}
		if most == 0 {
			return set
		}
		set = set.minus(nodeSet{worst})
	}
}

// admits tells whether a ring with a newcomer, and with those that come with it,
// is better than the present one. Members for which there is no place on it are
// failed then.
func (c *Core) admits(from messaging.NodeID, others nodeSet) bool {
	if len(c.reports) == 0 && len(c.suspects) == 0 {
		return true
	}
	all := c.memb.union(others).with(from)
	if len(all) > MaxNodes {
		return false
	}
	best := c.clique(all)
	if len(best) == len(all) {
		return true
	}
	settled := c.doubted(from)
	for _, n := range all.minus(best).minus(c.memb) {
		c.doubted(n)
	}
	if !best.has(c.self) || !best.better(c.memb) || !settled {
		c.ask()
		return false
	}
	c.proc = c.proc.union(best)
	c.failed = c.failed.union(all.minus(best))
	return true
}

// agreesToPart tells whether a newcomer's word that members of mine failed is
// what I would say myself of a ring of us all.
func (c *Core) agreesToPart(from messaging.NodeID, proc, failed nodeSet) bool {
	all := c.memb.union(proc.minus(failed)).with(from)
	if len(all) > MaxNodes {
		return false
	}
	best := c.clique(all)
	for _, n := range failed {
		if c.memb.has(n) && best.has(n) {
			return false
		}
	}
	return best.has(c.self) && best.better(c.memb)
}

// better orders rings: more members, or lower ones.
func (s nodeSet) better(o nodeSet) bool {
	if len(s) != len(o) {
		return len(s) > len(o)
	}
	return slices.Compare(s, o) < 0
}
