// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package qnetd

import (
	"slices"
	"time"

	"github.com/quorate/quorate/messaging/qnet"
)

// receive takes one message of a client.
func (c *Core) receive(cl *client, ev *Received) {
	m := ev.Message
	switch {
	case ev.Malformed:
		c.refuse(cl, m, qnet.Undecodable)
		return
	case m.Type == qnet.Preinit:
		c.preinit(cl, m)
		return
	case m.Type == qnet.StartTLS:
		c.startTLS(cl, m)
		return
	case m.Type == qnet.PreinitReply || m.Type == qnet.InitReply || m.Type == qnet.ServerError || m.Type == qnet.VoteInfo ||
		m.Type%2 == 1 && m.Type >= qnet.SetOptionReply && m.Type != qnet.VoteInfoReply && m.Type <= qnet.HeuristicsChangeReply:
		c.refuse(cl, m, qnet.UnexpectedMessage)
		return
	case m.Type > qnet.HeuristicsChangeReply:
		c.refuse(cl, m, qnet.UnsupportedMessage)
		return
	}
	if !c.trusted(cl, m) {
		return
	}
	if m.Type == qnet.Init {
		c.init(cl, m)
		return
	}
	if cl.cluster == nil {
		c.refuse(cl, m, qnet.InitRequired)
		return
	}
	switch m.Type {
	case qnet.SetOption:
		c.setOption(cl, m)
	case qnet.EchoRequest:
		echo := *m
		echo.Type = qnet.EchoReply
		c.emit(&Send{cl.id, &echo})
	case qnet.NodeList:
		c.nodeList(cl, m)
	case qnet.AskForVote:
		c.askForVote(cl, m)
	case qnet.VoteInfoReply:
		c.voteInfoReply(cl, m)
	case qnet.HeuristicsChange:
		c.heuristicsChange(cl, m)
	}
}

func (c *Core) preinit(cl *client, m *qnet.Message) {
	if m.Cluster == "" || cl.preinit {
		code := qnet.MissingOption
		if cl.preinit {
			code = qnet.UnexpectedMessage
		}
		c.refuse(cl, m, code)
		return
	}
	cl.preinit, cl.name = true, m.Cluster
	c.reply(cl, m, &qnet.Message{Type: qnet.PreinitReply, TLS: qnet.Some(c.cfg.TLS), CertRequired: qnet.Some(c.cfg.CertRequired)})
}

func (c *Core) startTLS(cl *client, m *qnet.Message) {
	switch {
	case !cl.preinit:
		c.refuse(cl, m, qnet.PreinitRequired)
	case cl.secured || cl.cluster != nil || c.cfg.TLS == qnet.TLSUnsupported:
		c.refuse(cl, m, qnet.UnexpectedMessage)
	default:
		c.emit(&StartTLS{cl.id})
	}
}

// trusted checks TLS and the client's certificate, which must bear the name of
// its cluster: no cluster can speak for another.
func (c *Core) trusted(cl *client, m *qnet.Message) bool {
	if c.cfg.TLS == qnet.TLSRequired && !cl.secured {
		c.refuse(cl, m, qnet.TLSIsRequired)
		return false
	}
	if cl.secured && c.cfg.CertRequired && !slices.Contains(cl.names, cl.name) {
		c.notice(cl, true, "certificate refused", "it is not for cluster "+cl.name+", its names are: "+joinNames(cl.names))
		c.close(cl, "certificate is not for this cluster")
		return false
	}
	return true
}

func joinNames(names []string) (out string) {
	for i, n := range names {
		if i > 0 {
			out += ", "
		}
		out += n
	}
	if out == "" {
		out = "none"
	}
	return out
}

func (c *Core) init(cl *client, m *qnet.Message) {
	code := c.introduce(cl, m)
	answer := &qnet.Message{
		Type: qnet.InitReply, Error: qnet.Some(code), MaxRequest: qnet.MaxMessage, MaxReply: qnet.MaxMessage,
		Algorithms: []uint16{uint16(qnet.Test), uint16(qnet.FFSplit), uint16(qnet.TwoNodeLMS), uint16(qnet.LMS)},
	}
	if m.Messages != nil {
		answer.Messages = qnet.SupportedMessages()
	}
	if m.Options != nil {
		answer.Options = qnet.SupportedOptions()
	}
	if code == qnet.NoError {
		cl.cluster = c.clusterOf(cl)
		c.notice(cl, false, "client joined", cl.addr)
	} else {
		c.notice(cl, true, "client refused", code.String())
	}
	c.reply(cl, m, answer)
}

// introduce takes what a client says of itself.
func (c *Core) introduce(cl *client, m *qnet.Message) qnet.ErrorCode {
	switch {
	case !cl.preinit:
		return qnet.PreinitRequired
	case cl.cluster != nil:
		return qnet.UnexpectedMessage
	case m.NodeID == 0 || !m.Ring.Set || m.HeartbeatMs == 0 || m.TieBreaker.Mode == 0 || !m.Algorithm.Set:
		return qnet.MissingOption
	case m.Algorithm.Value > qnet.LMS:
		return qnet.UnsupportedAlgorithm
	}
	beat, ok := heartbeat(m.HeartbeatMs)
	if !ok {
		return qnet.InvalidHeartbeat
	}
	if k := c.clusters[cl.name]; k != nil {
		for _, other := range k.clients {
			switch {
			case other.node == m.NodeID:
				return qnet.DuplicateNodeID
			case other.tie != m.TieBreaker:
				return qnet.TieBreakerDiffers
			case other.algorithm != m.Algorithm.Value:
				return qnet.AlgorithmDiffers
			}
		}
	}
	cl.node, cl.heartbeat, cl.tie, cl.algorithm, cl.keep = m.NodeID, beat, m.TieBreaker, m.Algorithm.Value, c.cfg.KeepActive
	cl.lists.ring = m.Ring.Value
	return qnet.NoError
}

func heartbeat(ms uint32) (time.Duration, bool) {
	d := time.Duration(ms) * time.Millisecond
	return d, d >= MinHeartbeat && d <= MaxHeartbeat
}

func (c *Core) setOption(cl *client, m *qnet.Message) {
	answer := &qnet.Message{Type: qnet.SetOptionReply}
	if m.HeartbeatMs != 0 {
		beat, ok := heartbeat(m.HeartbeatMs)
		if !ok {
			c.refuse(cl, m, qnet.InvalidHeartbeat)
			return
		}
		cl.heartbeat, answer.HeartbeatMs = beat, m.HeartbeatMs
	}
	if m.KeepActive.Set {
		cl.keep, answer.KeepActive = m.KeepActive.Value, m.KeepActive
	}
	c.reply(cl, m, answer)
}

func (c *Core) nodeList(cl *client, m *qnet.Message) {
	if !m.Seq.Set || !m.ListType.Set || m.ListType.Value == qnet.Membership && !m.Ring.Set || m.ListType.Value == qnet.Quorum && !m.Quorate.Set {
		c.refuse(cl, m, qnet.MissingOption)
		return
	}
	own := slices.ContainsFunc(m.Nodes, func(n qnet.Node) bool { return n.ID == cl.node })
	vote := qnet.NoChange
	switch kind := m.ListType.Value; kind {
	case qnet.InitialConfig, qnet.ChangedConfig:
		if !own {
			c.refuse(cl, m, qnet.InvalidConfigNodeList)
			return
		}
		if cl.algorithm == qnet.TwoNodeLMS && len(m.Nodes) != 2 {
			c.refuse(cl, m, qnet.UnsupportedAlgorithm)
			return
		}
		cl.lists.config, cl.lists.confVersion = m.Nodes, m.ConfVersion
		vote = c.reconsider(cl)
	case qnet.Membership:
		if !own {
			c.refuse(cl, m, qnet.InvalidMembershipNodeList)
			return
		}
		l := &cl.lists
		l.ring, l.members, l.heuristics, l.atMember = m.Ring.Value, m.Nodes, m.Heuristics, m.Heuristics
		vote = c.reconsider(cl)
	case qnet.Quorum:
		cl.lists.quorum = m.Nodes
	}
	cl.lastVote = vote
	c.reply(cl, m, &qnet.Message{Type: qnet.NodeListReply, ListType: m.ListType, Ring: qnet.Some(cl.lists.ring), Vote: vote})
}

// reconsider decides with what a client told and gives the vote of its reply.
// The decision itself goes out as vote info.
func (c *Core) reconsider(cl *client) qnet.Vote {
	switch {
	case !cl.ready():
		return qnet.AskLater
	case !c.decide(cl.cluster):
		return qnet.WaitForReply
	}
	return qnet.NoChange
}

// ready tells whether a client has told both lists.
func (cl *client) ready() bool { return len(cl.lists.config) > 0 && len(cl.lists.members) > 0 }

func (c *Core) askForVote(cl *client, m *qnet.Message) {
	if !m.Seq.Set {
		c.refuse(cl, m, qnet.MissingOption)
		return
	}
	vote := qnet.WaitForReply
	if cl.told.ring == cl.lists.ring && cl.told.vote != 0 {
		vote = cl.told.vote
	}
	cl.lastVote = vote
	c.reply(cl, m, &qnet.Message{Type: qnet.AskForVoteReply, Ring: qnet.Some(cl.lists.ring), Vote: vote})
}

func (c *Core) heuristicsChange(cl *client, m *qnet.Message) {
	if !m.Seq.Set || m.Heuristics == 0 {
		c.refuse(cl, m, qnet.MissingOption)
		return
	}
	cl.lists.heuristics, cl.lists.regular = m.Heuristics, m.Heuristics
	vote := c.reconsider(cl)
	cl.lastVote = vote
	c.reply(cl, m, &qnet.Message{Type: qnet.HeuristicsChangeReply, Ring: qnet.Some(cl.lists.ring), Heuristics: m.Heuristics, Vote: vote})
}

func (c *Core) voteInfoReply(cl *client, m *qnet.Message) {
	if !m.Seq.Set {
		c.refuse(cl, m, qnet.MissingOption)
		return
	}
	if cl.told.pending && m.Seq.Value == cl.told.seq {
		cl.told.pending = false
		cl.told.holds = cl.told.vote == qnet.Ack
		c.grant(cl.cluster)
	}
}
