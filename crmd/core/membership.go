// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/crmd/fsa"
	"github.com/quorate/quorate/crmd/history"
	"github.com/quorate/quorate/crmd/peer"
	"github.com/quorate/quorate/crmd/wire"
	"github.com/quorate/quorate/messaging"
)

// GroupJoined tells which member this controller is; configuration changes
// follow.
func (c *Core) GroupJoined(now Time, self messaging.MemberID) {
	c.step(now, func() {
		c.member = self
		c.input(fsa.InPending, "the group is joined")
	})
}

// GroupLost tells that the connection to the group has ended. It is joined anew.
func (c *Core) GroupLost(now Time) {
	c.step(now, func() {
		c.member = messaging.MemberID{}
		c.members = nil
		c.asked = false
		for _, n := range c.peers.All() {
			n.Member = messaging.MemberID{}
		}
		c.election.Begin("", nil)
		c.setDC(messaging.MemberID{}, "the messaging daemon went away")
		c.input(fsa.InError, "the messaging daemon went away")
		if len(c.calls.shutdown) > 0 {
			c.emit(SetTimer{Name: timerAlone, At: now.Mono + alonePatience})
		}
	})
}

// ConfigChange takes in who is in the group.
func (c *Core) ConfigChange(now Time, cc *messaging.ConfigChange) {
	c.step(now, func() { c.configChange(cc) })
}

func (c *Core) configChange(cc *messaging.ConfigChange) {
	if c.ring != cc.Ring {
		c.ringSince = c.now.Mono
	}
	c.ring, c.members = cc.Ring, slices.Clone(cc.Members)
	for _, l := range cc.Left {
		c.memberLeft(l)
	}
	for _, j := range cc.Joined {
		delete(c.expectDown, j.Member.Node)
	}
	for _, m := range cc.Members {
		n := c.peers.Get(m.Node)
		n.Seen = true
		if n.Member.Client <= m.Client {
			n.Member = m
			delete(c.lostAt, n.ID)
		}
	}
	if len(cc.Joined) > 0 {
		c.beginRound(roundName(cc))
	} else {
		c.election.Shrink(cc.Members)
	}
	c.decide()
	c.syncNodeStates()
}

func roundName(cc *messaging.ConfigChange) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", cc.Ring)
	for _, m := range cc.Members {
		fmt.Fprintf(&b, "/%d.%d", m.Node, m.Client)
	}
	return b.String()
}

func (c *Core) beginRound(round string) {
	c.election.Begin(round, c.members)
	if c.dc == (messaging.MemberID{}) || !slices.Contains(c.members, c.dc) {
		c.input(fsa.InElection, "members joined and there is no DC")
	}
	c.send(&wire.Message{Vote: &wire.Vote{
		Round: round, Name: c.cfg.Name, FeatureSet: history.FeatureSet,
		Uptime: c.now.Mono - c.started, DC: c.am,
	}})
	c.emit(SetTimer{Name: timerElection, At: c.now.Mono + c.cfg.ElectionTimeout})
}

// memberLeft handles a controller that is gone.
func (c *Core) memberLeft(l messaging.MemberChange) {
	n := c.peers.Get(l.Member.Node)
	if n.Member != l.Member {
		return
	}
	n.Member = messaging.MemberID{}
	c.calls.nodeGone(c, n)
	delete(c.lostAt, n.ID)
	if l.Reason == messaging.ReasonNodeDown {
		c.ringLostAt[n.ID] = c.now.Mono
	}
	if l.Reason != messaging.ReasonLeave {
		c.lostAt[n.ID] = c.now.Mono
		c.emit(SetTimer{Name: timerGrace, At: c.now.Mono + c.cfg.Grace})
	}
	if l.Member == c.dc {
		c.setDC(messaging.MemberID{}, fmt.Sprintf("DC %s left", n.Name))
		c.input(fsa.InElection, "the DC left")
	}
	if l.Reason == messaging.ReasonLeave {
		c.expectDown[n.ID] = true
	}
	if !c.am {
		return
	}
	c.book.Remove(l.Member)
	delete(c.waived, l.Member)
	delete(c.features, l.Member)
	c.nodeGone(n, l.Reason)
}

// Quorum takes in the ring's view of membership and votes.
func (c *Core) Quorum(now Time, v messaging.QuorumView) {
	c.step(now, func() {
		left, entered := c.peers.SetView(v)
		c.view, c.haveView = v, true
		if n := c.peers.Get(c.cfg.Self); n.Name == "" {
			n.Name = c.cfg.Name
		}
		for _, n := range left {
			c.logf(Warn, "node left the ring", "node", n.Name, "id", n.ID)
			if !c.expectDown[n.ID] {
				c.ringLostAt[n.ID] = now.Mono
			}
			if c.am {
				c.nodeGone(n, messaging.ReasonNodeDown)
			}
		}
		for _, n := range entered {
			c.logf(Info, "node entered the ring", "node", n.Name, "id", n.ID)
			delete(c.ringLostAt, n.ID)
		}
		c.syncQuorum()
		c.syncNodeStates()
	})
}

// Message takes in one message of the group. Bodies that cannot be read are
// dropped by the shell.
func (c *Core) Message(now Time, from messaging.MemberID, m *wire.Message) {
	c.step(now, func() { c.dispatch(from, m) })
}

func (c *Core) dispatch(from messaging.MemberID, m *wire.Message) {
	n := c.peers.ByMember(from)
	if n == nil {
		return // sent by a controller that has left since
	}
	switch {
	case m.Vote != nil:
		c.onVote(from, n, m.Vote)
	case m.NewRound != nil:
		c.beginRound(m.NewRound.Round)
	case m.Force != nil:
		c.onForce(m.Force)
	case m.Offer != nil:
		c.onOffer(from, m.Offer)
	case m.JoinRequest != nil:
		c.onJoinRequest(from, n, m.JoinRequest)
	case m.JoinAck != nil:
		c.onJoinAck(from, m.JoinAck)
	case m.JoinConfirm != nil:
		c.onJoinConfirm(from, n, m.JoinConfirm)
	case m.Invoke != nil:
		c.onInvoke(from, m.Invoke)
	case m.Ack != nil:
		c.onAck(n, m.Ack)
	case m.Shutdown != nil:
		c.onShutdown(from, m.Shutdown)
	default:
		c.dispatchMore(from, n, m)
	}
}

func (c *Core) dispatchMore(from messaging.MemberID, n *peer.Node, m *wire.Message) {
	switch {
	case m.FenceRequest != nil:
		c.onFenceRequest(m.FenceRequest)
	case m.FenceRun != nil:
		c.onFenceRun(from, m.FenceRun)
	case m.FenceRan != nil:
		c.onFenceRan(m.FenceRan)
	case m.FenceEvent != nil:
		c.onFenceEvent(m.FenceEvent)
	case m.FenceManual != nil:
		c.onFenceManual(m.FenceManual)
	case m.FenceHistory != nil:
		c.onFenceHistory(m.FenceHistory)
	case m.Forget != nil:
		c.onForget(n, m.Forget)
	case m.Forgotten != nil:
		c.onForgotten(n, m.Forgotten)
	case m.Fail != nil:
		c.onFail(m.Fail)
	case m.RemoveNode != nil:
		c.onRemoveNode(m.RemoveNode)
	case m.DCState != nil:
		if from == c.dc {
			c.dcSays = *m.DCState
		}
	case m.Announce != nil:
		c.onAnnounce(from, m.Announce)
	case m.Ask != nil:
		c.onAsk(m.Ask)
	case m.Answer != nil:
		c.calls.answered(c, m.Answer)
	}
}

func (c *Core) onVote(from messaging.MemberID, n *peer.Node, v *wire.Vote) {
	if n.Name == "" {
		n.Name = v.Name
	}
	c.election.Add(from, v.Round, voteOf(v))
	c.decide()
}

// onForce ends a round in which somebody stays silent; everyone sees the message
// at the same point of the order.
func (c *Core) onForce(f *wire.Force) {
	if f.Round != c.election.Round() {
		return
	}
	if dc, changed := c.election.Force(); changed {
		c.logf(Warn, "election decided without all votes", "missing", len(c.election.Missing()))
		c.settle(dc)
	}
}

func (c *Core) decide() {
	if dc, changed := c.election.Decide(); changed {
		c.settle(dc)
	}
}

// settle acts on the outcome of an election.
func (c *Core) settle(dc messaging.MemberID) {
	c.emit(StopTimer{Name: timerElection})
	c.emit(Note{What: "election"})
	was := c.dc
	c.setDC(dc, "elected")
	switch {
	case c.am && was == dc:
		c.offerNewcomers()
	case c.am:
		c.takeOver()
	case was != dc || c.state == fsa.Election:
		c.joined = 0
		c.input(fsa.InPending, "waiting for an offer of the DC")
		c.awaitOffer()
		c.calls.dcChanged(c)
	}
}

// setDC notes who the DC is and gives the office up where it was this node.
func (c *Core) setDC(dc messaging.MemberID, cause string) {
	wasDC := c.am
	if c.dc != dc {
		name := ""
		if n := c.peers.ByMember(dc); n != nil {
			name = n.Name
		}
		c.logf(Info, "dc changed", "dc", name, "cause", cause)
	}
	c.dc = dc
	am := dc != (messaging.MemberID{}) && dc == c.member
	if wasDC && !am {
		c.release(cause)
	}
	if am && !wasDC {
		c.dcState = newDCState()
	}
	c.am = am
}
