// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/totem/pack"
)

// AppendState adds the whole state of the core to b. A core that Restore makes
// of it goes on exactly as this one does.
func (c *Core) AppendState(b []byte) []byte {
	a := archive{b: b}
	c.archive(&a)
	return a.b
}

// Restore makes a core from what AppendState wrote.
func Restore(state []byte) (*Core, error) {
	a := archive{b: state, load: true}
	var cfg Config
	cfg.archive(&a)
	if a.err != nil {
		return nil, a.err
	}
	c, err := New(cfg)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrArchive, err)
	}
	a.b = state
	c.archive(&a)
	if a.err == nil && (len(a.b) > 0 || !c.plausible()) {
		a.fail()
	}
	return c, a.err
}

// Digest gives a hash of the whole state, to compare replays of the same events.
func (c *Core) Digest() uint64 {
	h := fnv.New64a()
	h.Write(c.AppendState(nil))
	return h.Sum64()
}

// archive lists every field that outlives a step. Those that it leaves out are
// memory that steps use again: out, token.
func (c *Core) archive(a *archive) {
	c.cfg.archive(a)
	num(a, &c.now)
	c.stats.archive(a)
	if rng, err := c.rng.MarshalBinary(); err == nil {
		if a.bytes(&rng); a.load && (a.err != nil || c.rng.UnmarshalBinary(rng) != nil) {
			a.fail()
		}
	}
	a.flags(&c.started, &c.left, &c.graceUsed, &c.failedToRecv, &c.originated, &c.held, &c.wanted, &c.arrived, &c.setRetrans, &c.waitSync)
	num(a, &c.state)
	for i := range c.timers {
		t := &c.timers[i]
		a.flags(&t.armed, &t.shell)
		nums(a, &t.at, &t.shellAt)
	}
	nums(a, &c.lastStep, &c.flushUntil, &c.forgiven)
	c.archiveMembership(a)
	c.archiveOrdering(a)
	c.archiveQueues(a)
}

func (c *Core) archiveMembership(a *archive) {
	a.ring(&c.ring, &c.oldRing)
	for i := range c.deadRings {
		a.ring(&c.deadRings[i])
	}
	num(a, &c.deadNext)
	a.nodes(&c.memb, &c.newMemb, &c.transMemb, &c.proc, &c.failed, &c.consensus, &c.announced, &c.suspects)
	nums(a, &c.maxRingSeq, &c.reserved, &c.durable, &c.lastCommitSeq)
	nums(a, &c.joins, &c.diskWait)
	c.reports.archive(a)
	nums(a, &c.asked, &c.answered)
	n := a.count(len(c.doubts), MaxNodes)
	if a.load {
		c.doubts = make([]doubt, n)
	}
	for i := range c.doubts {
		num(a, &c.doubts[i].node)
		nums(a, &c.doubts[i].since, &c.doubts[i].last)
	}
	n = a.count(len(c.penalties), MaxNodes)
	if a.load {
		c.penalties = make(penalties, n)
	}
	for i := range c.penalties {
		p := &c.penalties[i]
		num(a, &p.node)
		num(a, &p.count)
		nums(a, &p.since, &p.last, &p.until)
	}
}

func (c *Core) archiveOrdering(a *archive) {
	c.cur = archiveSet(a, c.cur)
	c.next = archiveSet(a, c.next)
	nums(a, &c.tokenSeq, &c.lastSeq, &c.lastAru, &c.lastMine, &c.storedSeq, &c.installSeq)
	nums(a, &c.unchanged, &c.aruCount, &c.flow.sent, &c.flow.backlog, &c.flow.backlogN, &c.flagCount, &c.rotations)
	num(a, &c.aruSince)
	a.bytes(&c.stored)
	num(a, &c.storedTo)
	a.bytes(&c.loop)
	n := a.count(len(c.retrans), maxUnreleased)
	if a.load {
		c.retrans = make([]uint64, n)
	}
	for i := range c.retrans {
		a.u64(&c.retrans[i])
	}
}

func (c *Core) archiveQueues(a *archive) {
	for _, q := range []*pack.Queue{&c.queue, &c.syncQueue} {
		msgs, offset := q.Contents()
		n := a.count(len(msgs), maxQueued)
		if a.load {
			msgs = make([][]byte, n)
		}
		for i := range msgs {
			a.bytes(&msgs[i])
		}
		num(a, &offset)
		if a.load && a.err == nil && !q.Refill(msgs, offset) {
			a.fail()
		}
	}
	origins := slices.Sorted(maps.Keys(c.assemblies))
	n := a.count(len(origins), MaxNodes)
	for i := range n {
		var origin messaging.NodeID
		if !a.load {
			origin = origins[i]
		}
		num(a, &origin)
		if a.load {
			c.assemblies[origin] = &pack.Assembly{}
		}
		buf, total, open := c.assemblies[origin].Contents()
		a.bytes(&buf)
		num(a, &total)
		a.flags(&open)
		if a.load {
			c.assemblies[origin].Refill(buf, total, open)
		}
	}
}

// archiveSet carries a set of messages that may be nil.
func archiveSet(a *archive, s *msgSet) *msgSet {
	there := s != nil
	if a.flags(&there); !there {
		return nil
	}
	if a.load {
		s = newMsgSet(messaging.RingID{})
	}
	a.ring(&s.ring)
	nums(a, &s.released, &s.aru, &s.high, &s.delivered)
	if a.load && (s.aru < s.released || s.high < s.aru || s.high-s.released > maxUnreleased || s.delivered < s.released || s.delivered > s.high) {
		a.fail()
		return s
	}
	last := uint64(0) // slots behind high may count misses
	for i := uint64(1); i <= uint64(len(s.slots)) && !a.load; i++ {
		if m := s.at(s.released + i); m.packet != nil || m.misses > 0 || m.copied {
			last = i
		}
	}
	n := a.count(int(last), maxUnreleased)
	for i := range uint64(n) {
		m := s.room(s.released + 1 + i)
		if m == nil {
			a.fail()
			break
		}
		a.bytes(&m.packet)
		num(a, &m.origin)
		a.flags(&m.recovery, &m.copied)
		num(a, &m.misses)
		num(a, &m.missSince)
	}
	return s
}

func (s *Stats) archive(a *archive) {
	nums(a, &s.TokensReceived, &s.TokensDuplicate, &s.TokensForeign, &s.TokenRetransmits, &s.TokenLost,
		&s.McastSent, &s.McastReceived, &s.McastDuplicate, &s.McastRetransmits, &s.MessagesSent, &s.Delivered,
		&s.JoinsSent, &s.JoinsReceived, &s.GatherEntered, &s.CommitEntered, &s.RecoveryEntered, &s.RingsInstalled,
		&s.HoldCancels, &s.FailedToReceive, &s.ConsensusLost, &s.Pauses, &s.Malformed, &s.Foreign)
	num(a, &s.RotationNanos)
	num(a, &s.lastToken)
}

func (c *Config) archive(a *archive) {
	num(a, &c.Self)
	nums(a, &c.Token, &c.TokenRetransmit, &c.Hold, &c.Join, &c.SendJoin, &c.Consensus, &c.Merge, &c.MissTime)
	nums(a, &c.TokenRetransmitsBeforeLoss, &c.FailToReceive, &c.SeqnoUnchanged, &c.Window, &c.MaxMessages, &c.MissCount, &c.MTU, &c.SendQueue)
	a.flags(&c.NoHoldOnRetransmit, &c.HoldForSync)
	a.u64(&c.Seed)
}

// plausible tells whether a restored state can be that of a core. What a core
// relies on without looking is checked here, since a file may say anything.
func (c *Core) plausible() bool {
	ringed := c.state == Operational || c.state == Commit || c.state == Recovery || c.state == Gather
	return ringed && c.cur != nil &&
		(c.state != Operational || c.memb.has(c.self)) &&
		(c.state != Commit && c.state != Recovery || c.newMemb.has(c.self)) &&
		(c.state != Recovery || c.next != nil)
}
