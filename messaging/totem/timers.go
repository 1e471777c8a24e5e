// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import "time"

// The timers of the core.
const (
	TimerToken      TimerID = iota // the token is lost
	TimerRetransmit                // send the token again
	TimerHold                      // the representative passes an idle token on
	TimerJoin                      // send JOIN again
	TimerSendJoin                  // jitter before a JOIN
	TimerConsensus                 // give up on silent nodes
	TimerMerge                     // tell other rings of this one
	TimerPause                     // notice when this process does not run
	TimerSelf                      // go on with a ring of one
	numTimers
)

// flushTime is how long JOIN packets are dropped after a pause: those waiting
// in the socket are stale.
const flushTime = 10 * time.Millisecond

// A timer is the core's view of one timer. The shell's copy may be earlier: it
// is only set again when the deadline comes before it, which saves the shell
// two timer operations for each token.
type timer struct {
	armed   bool
	at      time.Duration // deadline
	shell   bool          // the shell's timer runs
	shellAt time.Duration // and expires then
}

func (c *Core) setTimer(id TimerID, after time.Duration) {
	t := &c.timers[id]
	t.armed, t.at = true, c.now+after
	if !t.shell || t.shellAt > t.at {
		t.shell, t.shellAt = true, t.at
		c.out.setTimer(SetTimer{ID: id, After: after})
	}
}

func (c *Core) stopTimer(id TimerID) { c.timers[id].armed = false }

// expire handles an expiry from the shell.
func (c *Core) expire(id TimerID) {
	if id >= numTimers {
		return
	}
	t := &c.timers[id]
	t.shell = false
	if !t.armed {
		return
	}
	if c.now < t.at {
		c.setTimer(id, t.at-c.now)
		return
	}
	t.armed = false
	switch id {
	case TimerToken:
		c.tokenLost()
	case TimerRetransmit:
		c.retransmitToken()
	case TimerHold:
		c.releaseHold()
	case TimerJoin:
		c.joinExpired()
	case TimerSendJoin:
		c.sendJoin()
	case TimerConsensus:
		c.consensusExpired("consensus timeout expired", false)
	case TimerMerge:
		c.sendMergeDetect()
	case TimerPause:
		c.setTimer(TimerPause, c.cfg.Token/5)
	case TimerSelf:
		// The loop at the end of Step goes on.
	}
}

// notePause notices that this process did not run for a while: what waits in
// its sockets is then older than it seems. TimerPause sees to it that a running
// core takes a step at least every fifth of Token.
func (c *Core) notePause() {
	gap := c.now - c.lastStep
	c.lastStep = c.now
	c.forgive(gap - 2*c.cfg.Token/5)
	if gap <= c.cfg.Token/2 {
		return
	}
	c.stats.Pauses++
	c.flushUntil = c.now + flushTime
	c.notice("process_paused", "", "", gap.Round(time.Millisecond).String())
}

// forgive prolongs the wait for the token by time in which this process did not
// run, as long as a token at most:
//
//  1. A machine with too much to do stops all its programs for 0.9 s.
//  2. They go on one by one. Node 1 waited for the token for 0.5 s before, so it
//     would call the ring lost now, while node 2 that has the token waits for its
//     turn.
//
// Of the time without a token that which it could not have come in does not count.
func (c *Core) forgive(d time.Duration) {
	t := &c.timers[TimerToken]
	d = min(d, c.cfg.Token-c.forgiven)
	if d <= 0 || !t.armed {
		return
	}
	c.forgiven += d
	t.at += d
}

// tokenLost handles the expiry of the token timer.
func (c *Core) tokenLost() {
	// After a pause of this process the token may lie in the socket behind the
	// expiry: be patient once, for one part in five, before blaming the others.
	if c.flushUntil > c.now && !c.graceUsed && c.state != Gather {
		c.graceUsed = true
		c.setTimer(TimerToken, c.cfg.Token/5)
		return
	}
	c.stats.TokenLost++
	switch c.state {
	case Operational:
		c.enterGather("token lost")
	case Commit:
		c.enterGather("token lost in commit")
	case Recovery:
		c.enterGather("token lost in recovery")
	case Gather:
		c.consensusExpired("commit token lost", true)
	}
}
