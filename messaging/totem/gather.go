// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/totem/wire"
)

// freshJoins is for how many join intervals a node that hears nobody listens
// before it is content with a ring of its own. Its first JOIN may go out before
// the links have met the others, so the second must have time for an answer.
const freshJoins = 2

// enterGather starts, or starts again, to agree on the next membership.
func (c *Core) enterGather(why string) {
	c.stats.GatherEntered++
	c.setState(Gather, why)
	c.stats.lastToken = 0
	c.next, c.retrans, c.stored, c.loop = nil, nil, nil, nil
	c.originated, c.held = false, false
	c.proc = c.proc.with(c.self)
	for _, n := range c.suspects {
		if c.proc.has(n) {
			c.failed = c.failed.with(n)
		}
	}
	c.consensus = nodeSet{c.self}
	c.stopTimer(TimerToken)
	c.stopTimer(TimerRetransmit)
	c.stopTimer(TimerHold)
	c.stopTimer(TimerMerge)
	c.setTimer(TimerConsensus, c.cfg.Consensus)
	c.startJoin()
	c.checkConsensus()
}

// startJoin sends a JOIN now or, with SendJoin, a little later.
func (c *Core) startJoin() {
	c.setTimer(TimerJoin, c.cfg.Join)
	if c.cfg.SendJoin > 0 {
		c.setTimer(TimerSendJoin, time.Duration(c.rng.Uint64()%uint64(c.cfg.SendJoin)))
		return
	}
	c.sendJoin()
}

func (c *Core) sendJoin() {
	if c.state != Gather || c.waitsForDisk(c.maxRingSeq+4) {
		return // who cannot keep his word must not give it
	}
	c.stats.JoinsSent++
	j := wire.Join{RingSeq: c.ring.Seq, Proc: c.proc, Failed: c.failed, Deaf: c.suspects}
	c.out.send(0, j.Append(make([]byte, 0, j.Size())), false)
}

func (c *Core) joinExpired() {
	if c.state != Gather {
		return
	}
	c.joins++
	c.startJoin()
	c.checkConsensus()
}

// onJoin takes another node's proposal.
func (c *Core) onJoin(from messaging.NodeID, j *wire.Join) {
	c.stats.JoinsReceived++
	if c.now < c.flushUntil {
		c.stats.Foreign++ // it waited while this process did not run
		return
	}
	c.heardOf(j.RingSeq)
	c.reports.note(from, j.Deaf)
	switch c.state {
	case Operational:
		// One that rejects me, or one sent before this ring was made: late.
		if nodeSet(j.Failed).has(c.self) || (c.memb.has(from) && j.RingSeq < c.ring.Seq) {
			return
		}
		// A restarted node brings a higher ring number. It is made durable first,
		// then the ring stops for the newcomer; JOIN is sent again till then.
		if !c.memb.has(from) && (j.Leave || c.waitsForDisk(j.RingSeq+4) || c.penalties.ignored(from, c.now) || !c.admits(from, nodeSet(j.Proc).minus(j.Failed))) {
			return
		}
	case Commit, Recovery:
		if !c.newMemb.has(from) || j.RingSeq < c.ring.Seq {
			return
		}
	}
	c.processJoin(from, j)
}

// processJoin merges a proposal into mine.
func (c *Core) processJoin(from messaging.NodeID, j *wire.Join) {
	if j.Leave {
		c.departed(from)
		return
	}
	proc, failed := nodeSet(j.Proc), nodeSet(j.Failed)
	changed := false
	if !c.failed.has(from) {
		changed = c.mergeJoin(from, proc, failed)
	}
	// Proposals that cannot be merged must not be answered each time: two
	// nodes that insist would storm. The consensus timer parts them.
	if changed || c.state != Gather {
		c.enterGather("join from " + nodeName(from))
	}
	// After the merge the proposals may be the same; if so the sender agrees
	// already and need not say so again.
	if c.state == Gather && proc.equal(c.proc) && failed.equal(c.failed) {
		c.consensus = c.consensus.with(from)
		c.checkConsensus()
	}
}

// departed handles the goodbye of a node.
func (c *Core) departed(n messaging.NodeID) {
	if c.announced.has(n) && c.failed.has(n) {
		return // said twice
	}
	c.announced = c.announced.with(n)
	c.proc, c.failed = c.proc.with(n), c.failed.with(n)
	c.enterGather("leave of " + nodeName(n))
}

// mergeJoin adds what is new in a proposal and tells whether there was any.
func (c *Core) mergeJoin(from messaging.NodeID, theirProc, theirFailed nodeSet) bool {
	proc, failed := c.proc, c.failed
	if merged := proc.union(theirProc); len(merged) <= MaxNodes {
		proc = merged
	}
	theirs := theirFailed.minus(failed)
	switch {
	case theirs.has(c.self):
		// It rejects me, so I cannot be on a ring with it.
		failed = failed.with(from)
	case c.memb.has(from):
		failed = failed.union(theirs)
	case len(theirs.minus(c.memb)) < len(theirs) && !c.agreesToPart(from, theirProc, theirs):
		// Only a member of my last ring may tell me which of its members
		// failed: a confused newcomer must not evict members. As it would
		// insist, it has to wait.
		failed = failed.with(from)
	default:
		failed = failed.union(theirs)
	}
	changed := len(proc) > len(c.proc) || len(failed) > len(c.failed)
	c.proc, c.failed = proc, failed
	return changed
}

// candidates are the members of the ring that would be formed now.
func (c *Core) candidates() nodeSet { return c.proc.minus(c.failed) }

// checkConsensus commits to a ring if all agree and it is mine to create.
func (c *Core) checkConsensus() {
	if c.state != Gather {
		return
	}
	cand := c.candidates()
	if !cand.subsetOf(c.consensus) {
		return
	}
	if c.failedToRecv || len(cand) == 0 {
		c.failedToRecv = false
		c.proc, c.failed = nodeSet{c.self}, nil
		c.createRing(c.proc)
		return
	}
	if cand[0] != c.self {
		return
	}
	if len(cand) == 1 && len(c.failed) == 0 && c.joins < freshJoins {
		return
	}
	c.createRing(cand)
}

// consensusExpired gives up on the nodes that do not agree; if all do, it waits
// once more, for the commit token; after that (again) it starts anew.
func (c *Core) consensusExpired(why string, again bool) {
	if c.state != Gather {
		return
	}
	cand := c.candidates()
	if cand.subsetOf(c.consensus) && !again {
		c.consensus = nodeSet{c.self}
		c.setTimer(TimerToken, c.cfg.Token)
		return
	}
	c.stats.ConsensusLost++
	for _, n := range cand {
		if !c.consensus.has(n) && n != c.self {
			c.failed = c.failed.with(n)
		}
	}
	c.enterGather(why)
}

// onMergeDetect hears of another ring.
func (c *Core) onMergeDetect(from messaging.NodeID, m *wire.MergeDetect) {
	c.reports.note(from, m.Deaf)
	if m.Ask {
		c.answer()
	}
	ring := m.Ring
	if ring.Seq > wire.MaxRingSeq {
		return
	}
	c.heardOf(ring.Seq)
	if ring == c.ring || ring == c.oldRing {
		return
	}
	c.stats.Foreign++
	for _, dead := range c.deadRings {
		if ring == dead {
			return // late: a ring that I was to be in cannot be alive without me
		}
	}
	if nodeSet(m.Refused).has(c.self) {
		return // it would not answer
	}
	switch c.state {
	case Operational:
		if c.memb.has(from) && ring.Seq < c.ring.Seq {
			return // late
		}
		if !c.memb.has(from) && (c.waitsForDisk(ring.Seq+4) || c.penalties.ignored(from, c.now) || !c.admits(from, m.Members)) {
			return
		}
	case Gather:
		if c.proc.has(from) {
			return
		}
	default:
		return
	}
	if len(c.proc.with(from)) > MaxNodes {
		return
	}
	c.proc = c.proc.with(from)
	c.enterGather("merge detect from " + nodeName(from))
}

// suspect takes the link layer's word that nodes are dead: they need not be
// waited for.
func (c *Core) suspect(dead []messaging.NodeID) {
	var concerned nodeSet
	for _, n := range dead {
		if n == c.self || n == 0 {
			continue
		}
		c.suspects = c.suspects.with(n)
		c.penalties.dead(n, c.now, c.cfg.Token)
		if c.countsOn(n) {
			concerned = concerned.with(n)
		}
	}
	if len(concerned) > 0 {
		c.failed = c.failed.union(concerned)
		c.enterGather("links to " + concerned.names() + " are down")
	}
}

// countsOn tells whether a node has a part in what this one is doing.
func (c *Core) countsOn(n messaging.NodeID) bool {
	switch c.state {
	case Operational:
		return c.memb.has(n)
	case Gather:
		return c.proc.has(n) && !c.failed.has(n)
	case Commit, Recovery:
		return c.newMemb.has(n)
	}
	return false
}

// heard is the link layer's word that a node is in reach, be it again or for
// the first time. It should not have to wait for the next JOIN or merge detect.
func (c *Core) heard(n messaging.NodeID) {
	c.unsuspect(n)
	switch {
	case c.state == Gather:
		c.sendJoin()
	case c.state == Operational && !c.memb.has(n) && c.memb[0] == c.self:
		c.sendMergeDetect()
	case c.state == Operational && !c.memb.has(n) && !c.penalties.closed(c.now):
		// The representative speaks for its ring, but it is the one who was deaf
		// that has to take that back.
		c.callForMerge(false)
	}
}

// callForMerge tells all who hear it of this ring.
func (c *Core) callForMerge(ask bool) {
	m := wire.MergeDetect{Ring: c.ring, Members: c.memb, Deaf: c.suspects, Refused: c.refused(), Ask: ask}
	c.out.send(0, m.Append(make([]byte, 0, m.Size())), false)
}

func (c *Core) unsuspect(n messaging.NodeID) { c.suspects = c.suspects.minus(nodeSet{n}) }

// sendMergeDetect tells other rings of this one, busy or idle. Only the
// representative does: a ring that cannot hear it could not merge anyway.
func (c *Core) sendMergeDetect() {
	if c.state != Operational || c.memb[0] != c.self {
		return
	}
	c.setTimer(TimerMerge, c.cfg.Merge)
	if c.penalties.closed(c.now) {
		return // do not call whom I would not let in
	}
	c.callForMerge(false)
}
