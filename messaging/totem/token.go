// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"slices"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/totem/wire"
)

// onToken is one visit of the token.
func (c *Core) onToken(t *wire.Token) {
	if (c.state != Operational && c.state != Recovery) || t.Ring != c.ring {
		c.stats.TokensForeign++
		return
	}
	if t.TokenSeq <= c.tokenSeq {
		// Nothing may move before this test: a token that was sent again
		// crosses the original.
		c.stats.TokensDuplicate++
		return
	}
	c.acceptToken(t)
	s := c.active()
	rep := c.members()[0] == c.self
	if c.state == Operational {
		// Two visits: a member may have raised aru without knowing of one
		// behind it that lacks more; it has lowered it by the second.
		s.release(min(t.Aru, c.lastAru, s.delivered))
	}
	lastAru := c.lastAru
	c.lastAru = t.Aru

	resent, sent := c.send(t, s)
	if sent > 0 {
		c.unchanged = 0
	}
	c.lastSeq = t.Seq

	c.markAru(t, s)
	hold := c.holds(t, rep, resent > 0 || len(t.Missing) > 0)
	if c.failsToReceive(t, lastAru) {
		return
	}
	c.tokenSeq = t.TokenSeq
	t.TokenSeq++
	if c.state == Recovery {
		c.recoveryVisit(t)
	}
	c.storeToken(t, hold)
	if c.state == Operational {
		c.deliverContiguous()
	}
}

// markAru writes into the token what this node has, if it has less than the
// token says or if it was the one that said so.
func (c *Core) markAru(t *wire.Token, s *msgSet) {
	if s.aru < t.Aru || t.AruAddr == c.self || t.AruAddr == 0 {
		t.Aru, t.AruAddr = s.aru, c.self
		if t.Aru == t.Seq {
			t.AruAddr = 0
		}
	}
}

// acceptToken does what each valid token does first.
func (c *Core) acceptToken(t *wire.Token) {
	c.stats.TokensReceived++
	c.graceUsed, c.forgiven = false, 0
	c.stopTimer(TimerHold)
	if t.Seq == c.lastSeq {
		c.unchanged++
	} else {
		c.unchanged = 0
	}
	if c.unchanged == 0 || c.state == Recovery {
		c.stats.rotated(c.now)
	} else {
		c.stats.lastToken = 0
	}
}

// holds decides whether the token stays here for a while. It stays with the node
// that sent last, once that finds that everybody has everything: who sends one
// message after the other then has the token when the next one comes. Before the
// first message it is the representative. The others know only that the token may
// rest by the time they have something.
func (c *Core) holds(t *wire.Token, rep, missing bool) bool {
	wanted := c.wanted
	c.wanted, c.held = false, false
	if c.state == Operational && len(c.memb) == 1 {
		c.held = !c.sendable() // alone there is nobody to wait for
		return c.held
	}
	if c.state == Operational && c.sendable() || c.state == Recovery && t.Aru == t.Seq {
		return false
	}
	if c.lastMine != t.Seq || t.Seq == 0 && !rep {
		c.held = true
		return false
	}
	if missing && c.cfg.NoHoldOnRetransmit {
		return false
	}
	quiet := c.cfg.SeqnoUnchanged
	if t.Aru != t.Seq {
		quiet = max(quiet, lossyUnchanged)
	}
	c.held = c.unchanged >= quiet && !wanted
	return c.held
}

// lossyUnchanged is the least number of rotations without messages before the
// token rests although somebody lacks some: as long as a gap must be to be asked
// for, since on a fast network many rotations pass before.
const lossyUnchanged = 30

// firstHold is how long a token rests first. Each rotation without messages
// doubles it up to Hold: others may want it, and what they say of that may be lost.
const firstHold = 4 * time.Millisecond

func (c *Core) holdTime(t *wire.Token) time.Duration {
	if len(c.memb) == 1 {
		return c.cfg.Hold
	}
	if t.Aru != t.Seq && c.cfg.NoHoldOnRetransmit {
		return c.cfg.MissTime
	}
	d := firstHold
	for n := c.unchanged - c.cfg.SeqnoUnchanged; n > 0 && d < c.cfg.Hold; n-- {
		d *= 2
	}
	return min(d, c.cfg.Hold)
}

// send serves requests, adds its own, and sends what waits, as far as flow
// control allows.
func (c *Core) send(t *wire.Token, s *msgSet) (resent, sent int) {
	allowed := c.flow.allowed(t, c.backlog(), &c.cfg)
	resent = c.serve(t, s, allowed)
	allowed -= resent
	c.request(t, s)
	if s.released+maxUnreleased < t.Seq+uint64(allowed+c.cfg.Window) {
		allowed = 0 // somebody lags far behind; wait, do not drop him
	}
	for sent < allowed {
		packet := c.nextPacket(s, t.Seq+1)
		if packet == nil {
			break
		}
		t.Seq++
		sent++
		c.stats.McastSent++
		if len(c.members()) > 1 {
			c.out.send(0, packet, false)
		}
	}
	c.flow.update(t, resent+sent)
	return resent, sent
}

// serve sends again what others miss and takes it off the list.
func (c *Core) serve(t *wire.Token, s *msgSet, allowed int) int {
	sent := 0
	kept := t.Missing[:0]
	for _, seq := range t.Missing {
		switch {
		case seq <= t.Aru || seq > t.Seq:
			// Everybody has it, or nobody sent it: such an entry would circle
			// for ever.
		case s.has(seq) && sent < allowed:
			c.out.send(0, s.at(seq).packet, false)
			c.stats.McastRetransmits++
			sent++
		default:
			kept = append(kept, seq)
		}
	}
	t.Missing = kept
	return sent
}

// request lists what this node misses, the oldest first, once a gap has
// persisted for some visits and some time: the token overtakes data. It asks
// again after the same time.
func (c *Core) request(t *wire.Token, s *msgSet) {
	if s.aru >= t.Seq {
		return
	}
	share := max(wire.MaxRetransmit/len(c.members()), 1)
	for seq := s.aru + 1; seq <= t.Seq; seq++ {
		m := s.room(seq)
		if m == nil {
			return
		}
		if m.packet != nil {
			continue
		}
		if m.misses == 0 {
			m.missSince = c.now
		}
		m.misses++
		if m.misses < c.cfg.MissCount || c.now-m.missSince < c.cfg.MissTime {
			continue
		}
		if share > 0 && len(t.Missing) < wire.MaxRetransmit && !slices.Contains(t.Missing, seq) {
			t.Missing = append(t.Missing, seq)
			m.missSince = c.now // what is sent again needs time to arrive
			share--
		}
	}
}

// failsToReceive gives up on this node itself when it keeps the ring's aru
// down for many rotations and for the time of a token loss.
func (c *Core) failsToReceive(t *wire.Token, lastAru uint64) bool {
	if t.AruAddr != c.self || t.Aru != lastAru {
		c.aruCount = 0
		return false
	}
	if c.aruCount == 0 {
		c.aruSince = c.now
	}
	c.aruCount++
	if c.aruCount <= c.cfg.FailToReceive || c.now-c.aruSince < c.cfg.Token {
		return false
	}
	c.stats.FailedToReceive++
	c.notice("failed_to_receive", nodeName(c.self), "", "this node lacks messages that do not come")
	c.failedToRecv = true
	c.failed = c.failed.with(c.self)
	c.enterGather("failed to receive")
	return true
}

// storeToken keeps the token for retransmission and passes it on, unless it rests
// here.
func (c *Core) storeToken(t *wire.Token, hold bool) {
	c.stored = t.Append(make([]byte, 0, t.Size()))
	c.storedTo = c.members().after(c.self)
	c.storedSeq = t.Seq
	c.arrived = false
	if hold {
		c.setTimer(TimerHold, c.holdTime(t))
	} else {
		c.sendStored()
	}
	c.setTimer(TimerToken, c.cfg.Token)
	c.setTimer(TimerRetransmit, c.cfg.TokenRetransmit)
}

// sendStored sends the stored token to the next member.
func (c *Core) sendStored() {
	if c.storedTo == c.self {
		c.loop = c.stored
		return
	}
	c.out.send(c.storedTo, c.stored, true)
}

// retransmitToken sends the token again unless there is proof that it arrived.
func (c *Core) retransmitToken() {
	if c.stored == nil || c.state == Gather {
		return
	}
	if !c.arrived {
		c.stats.TokenRetransmits++
		c.notice("token_retransmitted", nodeName(c.self), nodeName(c.storedTo), c.state.String())
		c.sendStored()
	}
	c.setTimer(TimerRetransmit, c.cfg.TokenRetransmit)
}

// releaseHold passes on the token that rests here.
func (c *Core) releaseHold() {
	c.stopTimer(TimerHold)
	if c.stored == nil || (c.state != Operational && c.state != Recovery) {
		return
	}
	if c.state == Operational && c.sendable() && wire.DecodeToken(c.stored, &c.token) == nil {
		// The visit is not over until the token is passed on: what came
		// meanwhile need not wait for the next. The flow control of this visit
		// counted nothing so far, as the ring was idle.
		c.send(&c.token, c.cur)
		c.held, c.unchanged, c.lastSeq = false, 0, c.token.Seq
		c.markAru(&c.token, c.cur)
		c.storeToken(&c.token, false)
		c.deliverContiguous()
		return
	}
	c.sendStored()
	c.setTimer(TimerRetransmit, c.cfg.TokenRetransmit)
}

// cancelHold gets a token that rests moving since there is something to send. If
// the packet is lost the hold timer bounds the delay.
func (c *Core) cancelHold() {
	if !c.held || c.state != Operational {
		return
	}
	c.held = false
	c.unchanged = 0
	if c.timers[TimerHold].armed {
		c.releaseHold()
		return
	}
	c.stats.HoldCancels++
	h := wire.HoldCancel{Ring: c.ring}
	c.out.send(0, h.Append(nil), false)
}

func (c *Core) onHoldCancel(h wire.HoldCancel) {
	if h.Ring != c.ring || (c.state != Operational && c.state != Recovery) {
		c.stats.Foreign++
		return
	}
	c.unchanged = 0
	c.held = false
	if c.timers[TimerHold].armed {
		c.releaseHold()
		return
	}
	c.wanted = true // it may be on its way to here
}

// rotated smooths the time between two tokens of a busy ring.
func (s *Stats) rotated(now time.Duration) {
	if s.lastToken != 0 {
		d := int64(now - s.lastToken)
		if s.RotationNanos == 0 {
			s.RotationNanos = d
		}
		s.RotationNanos += (d - s.RotationNanos) / 8
	}
	s.lastToken = now
}

func nodeName(n messaging.NodeID) string { return itoa(uint64(n)) }
