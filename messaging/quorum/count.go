// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package quorum

import (
	"github.com/quorate/quorate/messaging"
)

// nodeVotes counts the members and their votes.
func (c *Core) nodeVotes() (votes, nodes uint32) {
	for _, n := range c.nodes {
		if n.member {
			votes += n.info.Votes
			nodes++
		}
	}
	return votes, nodes
}

// total counts what makes this partition quorate, the device's votes among it
// if this node has them.
func (c *Core) total() (votes, nodes uint32) {
	votes, nodes = c.nodeVotes()
	if c.device&FlagDeviceCast != 0 {
		votes += c.cfg.Device.Votes
		nodes++
	}
	return votes, nodes
}

// orderedTotal counts as total does, with the device's votes if any member has
// told in the total order that it has them.
func (c *Core) orderedTotal() uint32 {
	votes, _ := c.nodeVotes()
	for _, n := range c.nodes {
		if n.member && n.info.Flags&FlagDeviceCast != 0 {
			return votes + c.cfg.Device.Votes
		}
	}
	return votes
}

func (c *Core) highest() (high uint32) {
	for _, n := range c.nodes {
		if n.member {
			high = max(high, n.info.Expected)
		}
	}
	return high
}

func (c *Core) twoNodeNow() bool {
	_, nodes := c.total()
	return c.cfg.TwoNode && nodes <= 2
}

// expect makes all members count with v expected votes.
func (c *Core) expect(v uint32) {
	for _, n := range c.nodes {
		if n.member {
			n.info.Expected = v
		}
	}
}

// recalculate sets expected votes, quorum and whether it is reached. byNodes
// takes the members' number as expectation; nothing else lowers it here.
func (c *Core) recalculate(out []Action, byNodes bool) []Action {
	if c.cfg.Off {
		c.quorate = true
		return out
	}
	votes, nodes := c.nodeVotes()
	if c.device&FlagDeviceRegistered != 0 {
		votes += c.cfg.Device.Votes // cast or not
	}
	self := c.nodes[c.cfg.Self]
	high := max(self.info.Expected, votes)
	if byNodes {
		high = nodes
		if c.cfg.AllowDownscale {
			high = max(high, c.barrier)
		}
	}
	c.expect(high)
	self.info.Expected = high // where it is about to leave too
	if c.cfg.Tracking && high > c.tracked {
		c.tracked = high
		out = append(out, &Track{c.tracked})
	}
	total, nodes := c.total()
	c.quorum = max((high+2)/2, (total+2)/2)
	if c.cfg.TwoNode && nodes <= 2 {
		c.quorum = 1
	}
	out = c.decide(out, total)
	if c.quorate {
		c.expected = self.info.Expected
	} else {
		c.expected = max(c.expected, self.info.Expected)
	}
	return out
}

func (c *Core) decide(out []Action, total uint32) []Action {
	self := c.nodes[c.cfg.Self]
	if c.cfg.WaitForAll && c.wfa {
		if total != self.info.Expected {
			c.quorate = false
			return append(out, &Waiting{total, self.info.Expected})
		}
		c.wfa = false
	}
	ok := (c.quorum <= total || c.tieWon(total)) && c.inside.carries(c.tieHere()) || c.masterWins()
	if c.cfg.WaitForAll {
		c.wfa = !ok
	}
	c.quorate = ok
	if ok {
		c.tieNode = c.tieBreaker()
		c.tie, c.epoch = c.tieNode, max(c.ring, 1)
		c.admit()
	}
	return out
}

// masterWins tells whether a member has the vote of a device whose master wins.
func (c *Core) masterWins() bool {
	const both = FlagDeviceMasterWins | FlagDeviceCast
	if !c.cfg.Device.MasterWins {
		return false
	}
	for id, n := range c.nodes {
		flags := n.info.Flags
		if id == c.cfg.Self {
			flags = c.device
		}
		if n.member && flags&both == both {
			return true
		}
	}
	return false
}

// Result describes the present decision.
func (c *Core) Result() Result {
	total, _ := c.total()
	r := Result{
		Quorate: c.quorate, ExpectedVotes: c.nodes[c.cfg.Self].info.Expected, Highest: c.highest(), TotalVotes: total,
		Quorum: c.quorum, WaitForAll: c.wfa && c.cfg.WaitForAll, Nodes: map[messaging.NodeID]uint32{}, Devices: map[messaging.NodeID]Flags{},
		DeviceCast: c.device&FlagDeviceCast != 0,
	}
	registered := c.device&FlagDeviceRegistered != 0
	if registered {
		r.Device = c.cfg.Device
	}
	for id, n := range c.nodes {
		if n.member {
			r.Nodes[id], r.Devices[id] = n.info.Votes, n.info.Flags
		}
	}
	r.Devices[c.cfg.Self] = c.device
	for _, f := range []struct {
		on   bool
		name string
	}{
		{c.cfg.TwoNode, "2Node"},
		{c.quorate, "Quorate"},
		{c.cfg.WaitForAll, "WaitForAll"},
		{c.cfg.LastManStanding, "LastManStanding"},
		{c.cfg.AutoTieBreaker, "AutoTieBreaker"},
		{c.cfg.AllowDownscale, "AllowDownscale"},
		{registered, "Qdevice"},
	} {
		if f.on {
			r.Flags = append(r.Flags, f.name)
		}
	}
	return r
}
