// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"time"

	"github.com/quorate/quorate/messaging/totem"
)

// part lets the network be parted for a long time, and everybody be settled.
func (s *scenario) part(c *cluster) {
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
	c.w.Run(c.w.Now()+2*time.Second, func() bool { return c.failed() || c.whole() })
	c.net.Partition(places)
	settled := func() bool { return c.ringOf(sides[0]) && c.ringOf(sides[1]) }
	long := 4 * s.cfg.Token
	if c.arbiter != nil {
		long += deviceSync + deviceTimeout
	}
	if c.w.Run(c.w.Now()+5*time.Second, func() bool { return c.failed() || settled() }) && !c.failed() {
		c.w.Run(c.w.Now()+long, c.failed)
		if settled() && !c.failed() {
			c.truth.sides(sides)
		}
	}
	c.net.Heal()
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
