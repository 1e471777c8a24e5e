// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/totem/wire"
)

// enterRecovery knows where all members stand, and prepares to hand round the
// messages of the old ring that some have and others lack.
func (c *Core) enterRecovery(ct *wire.Commit) {
	c.stats.RecoveryEntered++
	c.next = newMsgSet(c.ring)
	c.tokenSeq, c.lastSeq, c.lastAru, c.unchanged, c.aruCount = 0, 0, 0, 0, 0
	c.flagCount, c.rotations, c.installSeq = 0, 0, 0
	c.setRetrans, c.originated, c.held, c.wanted, c.lastMine = false, false, false, false, 0
	c.transMemb = c.memb.filter(func(n messaging.NodeID) bool {
		for i := range ct.Members {
			if m := &ct.Members[i]; m.Node == n {
				return m.OldRing == c.oldRing
			}
		}
		return false
	})
	c.planRetrans(ct)
	c.setState(Recovery, "commit token came back")
	c.passCommit(ct)
}

// planRetrans lists the old ring's messages that are mine to send: those that
// somebody may lack and that no lower member is known to have.
func (c *Core) planRetrans(ct *wire.Commit) {
	c.retrans = nil
	low, high := c.cur.aru, c.cur.high
	lower := uint64(0) // messages up to here a lower member has
	for i := range ct.Members {
		m := &ct.Members[i]
		if !c.transMemb.has(m.Node) {
			continue
		}
		low, high = min(low, m.Aru), max(high, m.High)
		if m.Node < c.self {
			lower = max(lower, m.Aru)
		}
	}
	for seq := max(low, c.cur.released) + 1; seq <= c.cur.high; seq++ {
		m := c.cur.at(seq)
		if m == nil || m.packet == nil {
			continue
		}
		m.copied = false
		if seq > lower && low < high {
			c.retrans = append(c.retrans, seq)
		}
	}
}

// nextRetrans gives the next message to hand round, nil if there is none. What
// another member has sent meanwhile is skipped.
func (c *Core) nextRetrans() *slot {
	for len(c.retrans) > 0 {
		m := c.cur.at(c.retrans[0])
		c.retrans = c.retrans[1:]
		if m != nil && m.packet != nil && !m.copied {
			return m
		}
	}
	return nil
}

// recoverCopy files a recovered message of my old ring as soon as it comes, so
// that a further attempt starts from there. Copies from other old rings pass.
func (c *Core) recoverCopy(packet []byte) {
	m, err := wire.DecodeMcast(packet)
	if err != nil {
		c.reject(c.ring.Rep, err)
		return
	}
	if m.Ring != c.cur.ring {
		return
	}
	if s := c.cur.room(m.Seq); s != nil {
		s.copied = true
		c.cur.put(m.Seq, packet, m.Origin, m.Recovery)
	}
}

// recoveryVisit is what a token visit does in recovery besides ordering. One
// rotation with the flag clear says that nobody has anything left to send, the
// next fixes the last message; two more with aru there say that all have all
// and that all know it.
func (c *Core) recoveryVisit(t *wire.Token) {
	if len(c.retrans) > 0 {
		if !t.Retransmit {
			t.Retransmit, c.setRetrans = true, true
		}
	} else if t.Retransmit && c.setRetrans {
		t.Retransmit, c.setRetrans = false, false
	}
	if t.Retransmit {
		c.flagCount = 0
	} else {
		c.flagCount++
	}
	if c.flagCount == 2 {
		c.installSeq = t.Seq
	}
	if c.flagCount >= 3 && c.installSeq <= t.Aru {
		c.rotations++
	} else {
		c.rotations = 0
	}
	if c.rotations == 2 {
		c.install()
	}
}

// install ends recovery. The order of what is delivered here is the contract
// of extended virtual synchrony.
func (c *Core) install() {
	first := c.oldRing == messaging.RingID{}
	c.deliverContiguous() // still in the old regular configuration
	left := c.memb.minus(c.transMemb)
	if !first {
		c.out.add(&ConfChange{
			Kind: Transitional, Ring: c.ring, Members: c.transMemb, Left: left,
			LeftClean: left.filter(c.announced.has),
		})
	}
	// The rest of the old ring, over gaps. A message of a departed node behind
	// a gap may depend on what is missing.
	for c.cur.delivered < c.cur.high {
		c.cur.delivered++
		if m := c.cur.at(c.cur.delivered); m != nil && m.packet != nil && c.transMemb.has(m.origin) {
			c.deliver(c.cur.ring, m)
		}
	}
	clear(c.assemblies)
	c.queue.Restart()
	c.syncQueue.Clear()
	c.waitSync = c.cfg.HoldForSync

	joined := c.newMemb.minus(c.transMemb)
	for _, n := range left.union(c.failed) {
		if !c.announced.has(n) && !c.newMemb.has(n) && !c.suspects.has(n) {
			c.penalties.evicted(n, c.now, c.cfg.Token+c.cfg.Consensus)
		}
	}
	old := c.oldRing
	c.memb, c.oldRing = c.newMemb, c.ring
	c.bury(old)
	c.out.add(&ConfChange{Kind: Regular, Ring: c.ring, Members: c.memb, Joined: joined})

	c.cur, c.next = c.next, nil
	c.cur.delivered = c.installSeq
	c.lastAru = 0
	c.proc, c.failed, c.announced = c.memb, nil, nil
	c.suspects = c.suspects.minus(c.memb)
	c.transMemb, c.retrans = nil, nil
	c.joins = 0
	c.failedToRecv = false
	c.stats.RingsInstalled++
	c.setState(Operational, "recovery finished")
	c.notice("membership_formed", old.String(), c.ring.String(), "")
	if c.memb[0] == c.self {
		c.setTimer(TimerMerge, c.cfg.Merge)
	}
}
