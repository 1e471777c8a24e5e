// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package qdevice

import (
	"slices"

	"github.com/quorate/quorate/messaging/qnet"
)

// receive takes one message of the server.
func (c *Core) receive(ev *Received) {
	m := ev.Message
	if c.phase == idle || c.phase == dialing {
		return
	}
	switch {
	case ev.Malformed:
		c.hangUp("the server sent a malformed " + m.Type.String())
	case m.Type == qnet.ServerError:
		c.hangUp("the server refuses: " + m.Error.Value.String())
	case m.Type == qnet.PreinitReply && c.phase == waitPreinit:
		c.preinitReply(m)
	case m.Type == qnet.InitReply && c.phase == waitInit:
		c.initReply(m)
	case c.phase != connected:
		c.hangUp("the server sent a " + m.Type.String() + " too early")
	default:
		c.receiveConnected(m)
	}
}

func (c *Core) receiveConnected(m *qnet.Message) {
	switch m.Type {
	case qnet.EchoReply:
		if sent, ok := c.echoes[m.Seq.Value]; ok {
			delete(c.echoes, m.Seq.Value)
			c.leased, c.reply = max(c.leased, sent), c.now
		}
	case qnet.VoteInfo:
		// The node drops the vote before the server learns that it has.
		c.ballot(m)
		c.emit(&Send{&qnet.Message{Type: qnet.VoteInfoReply, Seq: m.Seq}})
	case qnet.NodeListReply, qnet.AskForVoteReply, qnet.HeuristicsChangeReply:
		c.ballot(m)
	case qnet.SetOptionReply:
	default:
		c.hangUp("the server sent an unexpected " + m.Type.String())
	}
}

// ballot takes a vote if it is for the ring of now.
func (c *Core) ballot(m *qnet.Message) {
	if !c.told || !m.Ring.Set || m.Ring.Value != c.ring {
		return
	}
	switch m.Vote {
	case qnet.Ack:
		c.vote(true)
	case qnet.Nack:
		c.vote(false)
	}
}

func (c *Core) preinitReply(m *qnet.Message) {
	if !m.TLS.Set {
		c.hangUp("the server does not say whether it knows TLS")
		return
	}
	server := m.TLS.Value
	switch {
	case server == qnet.TLSUnsupported && c.cfg.TLS == qnet.TLSRequired:
		c.hangUp("TLS is required here and the server has none")
	case server == qnet.TLSRequired && c.cfg.TLS == qnet.TLSUnsupported:
		c.hangUp("the server requires TLS, which is off here")
	case server != qnet.TLSUnsupported && c.cfg.TLS != qnet.TLSUnsupported:
		c.phase = waitTLS
		c.send(&qnet.Message{Type: qnet.StartTLS})
		c.emit(&StartTLS{})
	default:
		c.sendInit()
	}
}

func (c *Core) sendInit() {
	c.phase = waitInit
	c.leased = c.now
	c.send(&qnet.Message{
		Type: qnet.Init, Messages: qnet.SupportedMessages(), Options: qnet.SupportedOptions(), NodeID: c.cfg.Node, Algorithm: qnet.Some(c.cfg.Algorithm),
		HeartbeatMs: uint32(c.cfg.Heartbeat.Milliseconds()), TieBreaker: c.cfg.TieBreaker, Ring: qnet.Some(c.ring),
	})
}

func (c *Core) initReply(m *qnet.Message) {
	switch {
	case !m.Error.Set:
		c.hangUp("the server's answer has no result")
		return
	case m.Error.Value != qnet.NoError:
		c.hangUp("the server refuses this node: " + m.Error.Value.String())
		return
	case !slices.Contains(m.Algorithms, uint16(c.cfg.Algorithm)):
		c.hangUp("the server does not know the algorithm " + c.cfg.Algorithm.String())
		return
	case c.cfg.Checks != Off && !slices.Contains(m.Options, qnet.OptionHeuristics):
		c.hangUp("the server knows no heuristics")
		return
	}
	c.enter(connected)
	c.beat = c.now
	c.next = c.now + c.cfg.Interval
	c.emit(&Notice{Text: "server reached"})
	if c.cfg.Algorithm == qnet.FFSplit && slices.Contains(m.Options, qnet.OptionKeepActive) {
		c.send(&qnet.Message{Type: qnet.SetOption, KeepActive: qnet.Some(c.cfg.KeepActive)})
	}
	c.send(&qnet.Message{Type: qnet.NodeList, ListType: qnet.Some(qnet.InitialConfig), ConfVersion: c.cfg.Version, Nodes: list(c.cfg.Nodes, 0)})
	c.tellRing()
}
