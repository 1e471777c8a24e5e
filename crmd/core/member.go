// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd/fsa"
	"github.com/quorate/quorate/crmd/history"
	"github.com/quorate/quorate/crmd/wire"
	"github.com/quorate/quorate/messaging"
)

// onOffer answers the DC's invitation.
func (c *Core) onOffer(from messaging.MemberID, o *wire.Offer) {
	if from != c.dc || c.leaving {
		return
	}
	c.settled = c.settled || o.Settled
	for _, m := range o.To {
		if m == c.member {
			c.joined, c.ackedBy = 0, 0
			c.emit(SetTimer{Name: timerAnnounce, At: c.now.Mono + offerEvery})
			c.send(&wire.Message{JoinRequest: &wire.JoinRequest{
				JoinID: o.JoinID, FeatureSet: history.FeatureSet, CIBVersion: c.version.String(), Boot: c.boot,
			}})
		}
	}
}

func (c *Core) onJoinAck(from messaging.MemberID, a *wire.JoinAck) {
	if from != c.dc || a.To != c.member {
		return
	}
	if !a.OK {
		c.logf(Error, "the dc refused this node", "why", a.Why)
		return
	}
	c.ackedBy, c.toWrite = a.JoinID, a.Write
}

// confirmJoin sends this node's history once the DC has accepted it and the
// executor has told what it knows.
func (c *Core) confirmJoin() {
	if c.ackedBy == 0 || !c.lrm.ready || c.root == nil || c.leaving {
		return
	}
	id := c.ackedBy
	c.joined, c.ackedBy = id, 0
	if c.toWrite {
		c.writeHistory(func(c *Core, v cib.Version, err error) {
			if c.joined == id && !c.leaving {
				c.sendConfirm(id, err == nil, v)
			}
		})
		return
	}
	c.sendConfirm(id, false, cib.Version{})
	if !c.am {
		c.input(fsa.InNotDC, "joined")
	}
}

func (c *Core) sendConfirm(id int, written bool, v cib.Version) {
	c.send(&wire.Message{JoinConfirm: &wire.JoinConfirm{
		JoinID: id, LRM: document.Compact(c.lrm.node.LRM()), Shutdown: c.draining(), Written: written, Version: v.String(),
	}})
}

// onShutdown leaves as the DC says, once everything of this node is stopped.
func (c *Core) onShutdown(from messaging.MemberID, s *wire.Shutdown) {
	if s.To != c.cfg.Self || from != c.dc {
		return
	}
	c.leave("the dc has stopped everything here")
}

func (c *Core) leave(why string) {
	c.leaving = true
	c.input(fsa.InStop, why)
	c.emit(LeaveGroup{Why: why})
	c.calls.left(c)
	c.input(fsa.InTerminate, why)
}
