// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"time"

	"github.com/quorate/quorate/crmd/join"
	"github.com/quorate/quorate/crmd/wire"
	"github.com/quorate/quorate/messaging"
)

// A join whose step was lost is made again, from both sides: the DC repeats what
// the member has not answered, and a member that knows a DC and has not joined
// announces itself. A repetition has the join id of the first time, so that a
// late answer to either counts.

// Times of joining.
const (
	offerEvery    = time.Second            // between repetitions
	announceAfter = 500 * time.Millisecond // without an offer
)

// offerAgain repeats what members that are joining have not answered.
func (c *Core) offerAgain() {
	left := false
	for _, m := range c.members {
		if p := c.book.Phase(m); p == join.Welcomed || p == join.Finalized {
			c.repeatJoin(m)
			left = true
		}
	}
	if left {
		c.emit(SetTimer{Name: timerOffer, At: c.now.Mono + offerEvery})
	}
}

// repeatJoin sends a member the DC's last word in its join again.
func (c *Core) repeatJoin(m messaging.MemberID) {
	id := c.book.JoinID(m)
	if c.book.Phase(m) == join.Finalized {
		c.send(&wire.Message{JoinAck: &wire.JoinAck{JoinID: id, To: m, OK: true}})
		return
	}
	c.send(&wire.Message{Offer: &wire.Offer{JoinID: id, To: []messaging.MemberID{m}, Settled: c.settled}})
}

// awaitOffer has this node announce itself where no offer comes.
func (c *Core) awaitOffer() {
	c.emit(SetTimer{Name: timerAnnounce, At: c.now.Mono + announceAfter})
}

// announce tells the DC that this node has not joined it.
func (c *Core) announce() {
	if c.dc == (messaging.MemberID{}) || c.am || c.joined > 0 || c.leaving {
		return
	}
	if c.ackedBy == 0 {
		c.send(&wire.Message{Announce: &wire.Announce{To: c.dc}})
	}
	c.emit(SetTimer{Name: timerAnnounce, At: c.now.Mono + offerEvery})
}

// onAnnounce takes in, as the DC, that a member has not joined.
func (c *Core) onAnnounce(from messaging.MemberID, a *wire.Announce) {
	if !c.am || a.To != c.member || !c.election.Decided() {
		return
	}
	switch c.book.Phase(from) {
	case join.Nacked:
	case join.Welcomed, join.Finalized:
		c.repeatJoin(from)
	case join.None, join.Integrated, join.Confirmed:
		c.book.Remove(from) // the member knows best
		c.offerNewcomers()
	}
}
