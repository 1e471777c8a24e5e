// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package qnetd

import (
	"slices"
	"time"

	"github.com/quorate/quorate/messaging/qnet"
)

// A cluster is what the server knows of one cluster.
type cluster struct {
	name    string
	since   time.Duration
	clients []*client // sorted by node
	// winners has the nodes of the partition that the last decision chose;
	// decided tells that there was one since the lists last disagreed.
	winners []uint32
	decided bool
	// granted has the winners of the last decision that was carried out.
	granted []uint32
	// ghosts had the vote when their connection broke: until then they may use it.
	ghosts map[uint32]time.Duration
}

func (k *cluster) byNode(id uint32) *client {
	i := slices.IndexFunc(k.clients, func(cl *client) bool { return cl.node == id })
	if i < 0 {
		return nil
	}
	return k.clients[i]
}

// embargo is the time before which nobody gets the vote: somebody may still use
// one that this server, or the one before its last start, has given.
func (k *cluster) embargo(c *Core) (until time.Duration) {
	for _, cl := range k.clients {
		until = max(until, c.start+cl.silence())
	}
	for node, t := range k.ghosts {
		if c.now >= t {
			delete(k.ghosts, node)
		} else {
			until = max(until, t)
		}
	}
	return until
}

// decide picks the winners if the lists of the clients agree, and tells the
// losers. It says whether there is a decision.
func (c *Core) decide(k *cluster) (decided bool) {
	if len(k.clients) == 0 {
		return false
	}
	k.decided = false
	if !stable(k) {
		return false
	}
	winners := pick(k)
	k.decided = true
	k.winners = winners
	for _, cl := range k.clients {
		if !slices.Contains(winners, cl.node) {
			c.tell(cl, qnet.Nack)
		}
	}
	c.grant(k)
	return true
}

// grant tells the winners once no loser can believe that it has the vote.
func (c *Core) grant(k *cluster) {
	if k == nil || !k.decided || c.now < k.embargo(c) {
		return
	}
	for _, cl := range k.clients {
		if cl.told.holds && !slices.Contains(k.winners, cl.node) {
			return
		}
	}
	k.granted = k.winners
	for _, cl := range k.clients {
		if slices.Contains(k.winners, cl.node) {
			c.tell(cl, qnet.Ack)
		}
	}
}

// tell sends a client its vote, unless it has it.
func (c *Core) tell(cl *client, v qnet.Vote) {
	t := &cl.told
	if t.vote == v && t.ring == cl.lists.ring && t.seq > 0 {
		return
	}
	*t = told{vote: v, ring: cl.lists.ring, seq: t.seq + 1, pending: true, holds: t.holds || v == qnet.Ack, ever: t.ever}
	cl.lastVote = v
	c.notice(cl, false, "vote given", v.String()+" for ring "+t.ring.String())
	c.emit(&Send{cl.id, &qnet.Message{Type: qnet.VoteInfo, Seq: qnet.Some(t.seq), Ring: qnet.Some(t.ring), Vote: v}})
}

// stable tells whether all clients have told their lists, agree on the
// configured nodes, and those of one partition on their ring and members.
func stable(k *cluster) bool {
	for _, a := range k.clients {
		if !a.ready() || !sameNodes(a.lists.config, k.clients[0].lists.config) {
			return false
		}
		for _, m := range a.lists.members {
			b := k.byNode(m.ID)
			if b != nil && (a.lists.ring != b.lists.ring || !sameNodes(a.lists.members, b.lists.members)) {
				return false
			}
		}
	}
	return true
}

func sameNodes(a, b []qnet.Node) bool {
	within := func(x, y []qnet.Node) bool {
		return !slices.ContainsFunc(x, func(n qnet.Node) bool { return !has(y, n.ID) })
	}
	return within(a, b) && within(b, a)
}

func has(nodes []qnet.Node, id uint32) bool {
	return slices.ContainsFunc(nodes, func(n qnet.Node) bool { return n.ID == id })
}

// A partition is a part of a cluster that some client is in.
type partition struct {
	ring    qnet.RingID
	members []qnet.Node
	clients []*client
	score   int // clients, more for passed heuristics, less for failed
}

func partitions(k *cluster) (out []*partition) {
	for _, cl := range k.clients {
		i := slices.IndexFunc(out, func(p *partition) bool { return p.ring == cl.lists.ring && has(p.members, cl.node) })
		if i < 0 {
			i = len(out)
			out = append(out, &partition{ring: cl.lists.ring, members: cl.lists.members})
		}
		p := out[i]
		p.clients = append(p.clients, cl)
		p.score++
		switch cl.lists.heuristics {
		case qnet.Pass:
			p.score++
		case qnet.Fail:
			p.score--
		}
	}
	return out
}

func (p *partition) nodes() (out []uint32) {
	for _, n := range p.members {
		out = append(out, n.ID)
	}
	return out
}

// pick lets the cluster's algorithm choose the nodes that win; nil is nobody.
func pick(k *cluster) []uint32 {
	parts := partitions(k)
	var best *partition
	switch k.clients[0].algorithm {
	case qnet.Test:
		var all []uint32
		for _, p := range parts {
			all = append(all, p.nodes()...)
		}
		return all
	case qnet.FFSplit:
		best = ffsplit(k, parts)
	case qnet.LMS, qnet.TwoNodeLMS:
		best = lastMan(k, parts)
	}
	if best == nil {
		return nil
	}
	return best.nodes()
}

// ffsplit gives the vote to the half that is placed better. More than half wins
// in any case and needs no vote; less never does.
func ffsplit(k *cluster, parts []*partition) *partition {
	configured := len(k.clients[0].lists.config)
	var halves []*partition
	for _, p := range parts {
		switch n := 2 * len(p.members); {
		case n > configured:
			return p
		case n == configured:
			halves = append(halves, p)
		}
	}
	halves = most(halves, func(p *partition) int { return p.score })
	halves = most(halves, func(p *partition) int { return len(p.clients) })
	if !slices.ContainsFunc(k.clients, func(cl *client) bool { return !cl.keep }) {
		halves = most(halves, func(p *partition) int { return truth(p.overlaps(k.granted)) })
	}
	return first(halves, tieNode(k.clients[0].tie, k.clients[0].lists.config))
}

// lastMan gives the vote to the partition that the server sees best, down to one
// node. A partition of newcomers never takes it from one that has it.
func lastMan(k *cluster, parts []*partition) *partition {
	if slices.ContainsFunc(parts, (*partition).active) {
		parts = slices.DeleteFunc(parts, func(p *partition) bool { return !p.active() && p.newcomers() })
	}
	for _, p := range parts {
		for _, cl := range p.clients {
			cl.told.ever = true
		}
	}
	parts = most(parts, func(p *partition) int { return p.score })
	parts = most(parts, func(p *partition) int { return len(p.clients) })
	var connected []qnet.Node
	for _, cl := range k.clients {
		connected = append(connected, qnet.Node{ID: cl.node})
	}
	return first(parts, tieNode(k.clients[0].tie, connected))
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}

// overlaps tells whether a client of the partition is among nodes.
func (p *partition) overlaps(nodes []uint32) bool {
	return slices.ContainsFunc(p.clients, func(cl *client) bool { return slices.Contains(nodes, cl.node) })
}

// active tells whether a client of the partition has the vote.
func (p *partition) active() bool {
	return slices.ContainsFunc(p.clients, func(cl *client) bool { return cl.told.vote == qnet.Ack })
}

// newcomers tells whether no client of the partition was in one that was
// compared.
func (p *partition) newcomers() bool {
	return !slices.ContainsFunc(p.clients, func(cl *client) bool { return cl.told.ever })
}

// most keeps the partitions with the highest value.
func most(parts []*partition, value func(*partition) int) (out []*partition) {
	for _, p := range parts {
		switch {
		case len(out) == 0 || value(p) > value(out[0]):
			out = []*partition{p}
		case value(p) == value(out[0]):
			out = append(out, p)
		}
	}
	return out
}

// first picks the partition of the node that breaks ties, or where that is in
// none, the one with the lowest client.
func first(parts []*partition, tie uint32) *partition {
	for _, p := range parts {
		if has(p.members, tie) {
			return p
		}
	}
	if len(parts) > 0 {
		return parts[0]
	}
	return nil
}

func tieNode(t qnet.TieBreaker, among []qnet.Node) uint32 {
	var ids []uint32
	for _, n := range among {
		ids = append(ids, n.ID)
	}
	switch {
	case t.Mode == qnet.ByID:
		return t.Node
	case len(ids) == 0:
		return 0
	case t.Mode == qnet.Highest:
		return slices.Max(ids)
	}
	return slices.Min(ids)
}
