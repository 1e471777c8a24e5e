// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"time"

	"github.com/quorate/quorate/messaging/totem"
)

// Rounds of partitions of a seed whose quorum remembers what was.
const partings = 3

// part lets the network be parted for long, and everybody be settled: once, or
// where the votes depend on what was before, some times in different ways.
func (s *scenario) part(c *cluster) {
	c.w.Run(c.w.Now()+2*time.Second, func() bool { return c.failed() || c.whole() })
	rounds := 1
	if !c.options.static {
		rounds = partings
	}
	if s.options.lease > 0 && s.evidence > 0 {
		// All are alone for a moment, and those who meet again have not lost each
		// other by that.
		alone := make([]int, len(c.nodes))
		for i := range alone {
			alone[i] = i
		}
		c.net.Partition(alone)
		c.w.Run(c.w.Now()+c.w.Between(s.evidence, s.evidence+s.cfg.Token), c.failed)
	}
	for range rounds {
		s.partOnce(c)
	}
	c.net.Heal()
}

func (s *scenario) partOnce(c *cluster) {
	r := c.w.Rand()
	sides := make([][]*node, 2)
	places := make([]int, len(c.nodes))
	for i := range places {
		places[i] = r.IntN(2)
		sides[places[i]] = append(sides[places[i]], c.nodes[i])
	}
	if len(sides[0]) == 0 || len(sides[1]) == 0 || c.failed() {
		return
	}
	c.net.Partition(places)
	settled := func() bool { return c.ringOf(sides[0]) && c.ringOf(sides[1]) }
	long := 4 * s.cfg.Token
	if c.arbiter != nil {
		long += deviceSync + deviceTimeout
	}
	if c.options.cfg.LastManStanding {
		long += c.options.cfg.Window
	}
	if c.w.Run(c.w.Now()+5*time.Second, func() bool { return c.failed() || settled() }) && !c.failed() {
		c.w.Run(c.w.Now()+long, c.failed)
		if settled() && !c.failed() {
			c.truth.sides(sides)
		}
	}
}

// ringOf tells whether these nodes are one ring and have counted its votes.
func (c *cluster) ringOf(side []*node) bool {
	for _, n := range side {
		if n.state != totem.Operational || n.ring != side[0].ring || len(n.membs) != len(side) || n.groups.votes.ring != n.ring {
			return false
		}
	}
	return true
}
