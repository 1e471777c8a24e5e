// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package quorum

import (
	"slices"

	"github.com/quorate/quorate/messaging"
)

// An electorate is the part of a membership that may vote under expected votes
// that were lowered: those who have been in a quorate view since. Its zero value
// is everybody.
type electorate struct {
	base     uint64
	expected uint32
	votes    uint32 // of its members here
	full     bool   // no node is elsewhere
	outside  uint32 // votes of the other members here
}

// carries tells whether the electorate's members here are its majority, or half
// of it with the tie breaker. Without this rule nodes 1, 2, 3 of four go down to
// three expected votes (last_man_standing), then 1, 2 part from 3, which meets 4:
// two of three on both sides.
func (e electorate) carries(tieHere bool) bool {
	return e.base == 0 || e.full || 2*e.votes > e.expected || 2*e.votes == e.expected && tieHere
}

// learn takes from the members what the latest quorate view decided that one of
// them was in: tie breaker, expected votes, and whether wait_for_all is over.
// All members come to the same.
//
// A member's word is as good as its view is late: a node that was paused still
// takes itself for quorate in a view that the others have left.
func (c *Core) learn() {
	latest := c.latest()
	c.tie = latest.Tie
	c.inside = electorate{base: latest.Base, expected: latest.Expected}
	waits, expected := true, latest.Expected
	for _, id := range c.members {
		in := c.nodes[id].info
		if in.Epoch == 0 {
			c.tie = 0
		}
		if in.Epoch >= latest.Base {
			c.inside.votes += in.Votes
		} else {
			c.inside.outside += in.Votes
		}
		if latest.Epoch == 0 || c.cfg.Tracking && !c.cfg.AllowDownscale {
			expected = max(expected, in.Expected)
		}
		waits = waits && (in.Epoch != latest.Epoch || in.Flags&FlagWaitForAll != 0)
	}
	votes, _ := c.nodeVotes()
	c.inside.full = votes >= c.full
	// A stale view's word does not end a wait, nor does a member of one skip it.
	c.wfa = c.cfg.WaitForAll && waits
	c.expect(expected)
}

// latest is the info of the member that was quorate last; where several were,
// that of one who still is, and who expects most.
func (c *Core) latest() (out Info) {
	for _, id := range c.members {
		in := c.nodes[id].info
		now, best := in.Flags&FlagQuorate, out.Flags&FlagQuorate
		switch {
		case in.Epoch < out.Epoch || in.Epoch == 0:
		case in.Epoch > out.Epoch || now > best || now == best && in.Expected > out.Expected:
			out = in
		}
	}
	return out
}

// admit makes the members from outside the electorate part of it: the view is
// quorate.
func (c *Core) admit() {
	c.base = c.inside.base
	if c.base == 0 || c.inside.outside == 0 {
		return
	}
	total, _ := c.nodeVotes()
	// Only what all members know: not what one of them alone was told to expect.
	grown := max(min(c.inside.expected+c.inside.outside, max(c.full, c.inside.expected)), total)
	c.expect(max(c.nodes[c.cfg.Self].info.Expected, grown))
	c.inside.votes += c.inside.outside
	c.inside.expected, c.inside.outside = grown, 0
	c.quorum = max(c.quorum, (grown+2)/2)
}

// rebased notes that the expected votes may have been lowered in this view.
func (c *Core) rebased(before uint32, out []Action) []Action {
	now := c.nodes[c.cfg.Self].info.Expected
	if !c.quorate || c.cfg.Off || now >= before {
		return out
	}
	votes, _ := c.nodeVotes()
	c.base = c.epoch
	c.inside = electorate{base: c.base, expected: now, votes: votes}
	return out
}

// tieHere tells whether the node that breaks ties is a member. The latest
// quorate view that a member remembers has chosen it. A view that was quorate
// shares a node with each of two later halves, unless one of them is its whole
// complement, which does not have its tie breaker; so at most one half wins. A
// member that has started since remembers nothing, and nobody wins a tie in its
// company. (corosync asks each node's own memory, and counts half of an odd
// number as half. Both let two partitions be quorate at once: nodes 2, 3, 4 of
// four run on without 1, so that 2 breaks ties; then 2, 3 part from 4, which
// meets 1, who still thinks that it does.)
func (c *Core) tieHere() bool {
	return c.cfg.AutoTieBreaker && c.tie != 0 && slices.Contains(c.members, c.tie)
}

// tieWon tells whether exactly half the votes are here and the tie breaker too.
func (c *Core) tieWon(total uint32) bool {
	return c.tieHere() && 2*total == c.nodes[c.cfg.Self].info.Expected
}

// tieBreaker chooses among the members: the first of the list, or the extreme.
func (c *Core) tieBreaker() messaging.NodeID {
	for _, id := range c.cfg.TieBreakers {
		if slices.Contains(c.members, id) {
			return id
		}
	}
	switch {
	case len(c.cfg.TieBreakers) > 0:
		return 0
	case c.cfg.TieHighest:
		return slices.Max(c.members)
	}
	return slices.Min(c.members)
}
