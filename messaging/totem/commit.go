// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/totem/wire"
)

// createRing makes the commit token of the next ring; I am its lowest member.
func (c *Core) createRing(members nodeSet) {
	seq := c.maxRingSeq + 4
	if c.waitsForDisk(seq) {
		return
	}
	ct := &wire.Commit{
		Ring:    messaging.RingID{Rep: c.self, Seq: seq},
		Members: make([]wire.CommitMember, len(members)),
	}
	for i, n := range members {
		ct.Members[i].Node = n
	}
	c.enterCommit(ct)
}

// onCommit takes the commit token on its first and second round.
func (c *Core) onCommit(ct *wire.Commit) {
	members := commitNodes(ct)
	if c.state == Gather {
		if c.heardOf(ct.Ring.Seq); c.waitsForDisk(ct.Ring.Seq) {
			return // it is sent again, and may be durable then
		}
	}
	full := ct.Filled == len(ct.Members)
	switch {
	case c.state == Gather && !full && ct.Members[ct.Filled].Node == c.self &&
		ct.Ring.Seq > c.ring.Seq && members.subsetOf(c.candidates()):
		// Its creator had my consent to just these members. If I have heard of
		// more nodes since, they can join the ring when it is there; to refuse
		// would cost all who went along the timeout of a token.
		c.enterCommit(ct)
	case c.state == Commit && full && ct.Ring == c.ring && members.equal(c.newMemb):
		c.enterRecovery(ct)
	case c.state == Recovery && full && ct.Ring == c.ring && members[0] == c.self &&
		ct.TokenSeq >= c.lastCommitSeq && !c.originated:
		c.originated = true
		c.originateToken()
	default:
		c.stats.Foreign++
	}
}

func commitNodes(ct *wire.Commit) nodeSet {
	nodes := make(nodeSet, len(ct.Members))
	for i := range ct.Members {
		nodes[i] = ct.Members[i].Node
	}
	return nodes
}

// enterCommit agrees to the ring, writes where this node stands on its old one
// and passes the commit token on.
func (c *Core) enterCommit(ct *wire.Commit) {
	c.stats.CommitEntered++
	c.newMemb = commitNodes(ct)
	c.bury(c.ring)
	c.ring = ct.Ring
	c.heardOf(c.ring.Seq)
	e := &ct.Members[ct.Filled]
	e.OldRing, e.Aru, e.High = c.oldRing, c.cur.aru, c.cur.high
	ct.Filled++
	c.stopTimer(TimerJoin)
	c.stopTimer(TimerSendJoin)
	c.stopTimer(TimerConsensus)
	c.flow = flow{}
	c.setState(Commit, "consensus")
	c.passCommit(ct)
}

// bury remembers a ring that was agreed to and is given up.
func (c *Core) bury(ring messaging.RingID) {
	if ring == c.oldRing {
		return // until the next one is installed
	}
	c.deadRings[c.deadNext%len(c.deadRings)] = ring
	c.deadNext++
}

// passCommit sends the commit token to the next member and keeps it.
func (c *Core) passCommit(ct *wire.Commit) {
	ct.TokenSeq++
	c.lastCommitSeq = ct.TokenSeq
	c.stored = ct.Append(make([]byte, 0, ct.Size()))
	c.storedTo = c.newMemb.after(c.self)
	c.storedSeq = 0
	c.arrived = false
	c.sendStored()
	c.setTimer(TimerToken, c.cfg.Token)
	c.setTimer(TimerRetransmit, c.cfg.TokenRetransmit)
}

// originateToken starts the ring: the commit token came round twice.
func (c *Core) originateToken() {
	t := &wire.Token{Ring: c.ring, TokenSeq: 1, Retransmit: len(c.retrans) > 0, AruAddr: c.self}
	c.setRetrans = t.Retransmit
	c.storeToken(t, false)
}
