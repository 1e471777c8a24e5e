// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package qnetd

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/quorate/quorate/messaging/qnet"
)

// A Core is the state of a server. It is not safe for concurrent use.
type Core struct {
	cfg      Config
	start    time.Duration
	now      time.Duration
	out      []Action
	clients  map[Client]*client
	clusters map[string]*cluster
}

// A client is one connection.
type client struct {
	id        Client
	addr      string
	opened    time.Duration
	heard     time.Duration // last message
	preinit   bool
	secured   bool
	names     []string
	name      string // of the cluster
	cluster   *cluster
	node      uint32
	heartbeat time.Duration
	tie       qnet.TieBreaker
	algorithm qnet.Algorithm
	keep      bool
	lists     lists
	told      told
	lastVote  qnet.Vote // for status
}

// lists are what a client told of its cluster.
type lists struct {
	config      []qnet.Node
	confVersion qnet.Opt[uint64]
	ring        qnet.RingID
	members     []qnet.Node
	quorum      []qnet.Node
	heuristics  qnet.Heuristics // the newest
	atMember    qnet.Heuristics // with the membership
	regular     qnet.Heuristics // between memberships
}

// told is what a client was told last.
type told struct {
	vote    qnet.Vote
	ring    qnet.RingID
	seq     uint32
	pending bool // no answer yet
	holds   bool // it may believe that it has the vote
	ever    bool // it was in a partition that was compared with others
}

// New makes a server that starts at now.
func New(cfg Config, now time.Duration) *Core {
	if cfg.MaxClients <= 0 || cfg.MaxClients > MaxClients {
		cfg.MaxClients = MaxClients
	}
	return &Core{cfg: cfg, start: now, now: now, clients: map[Client]*client{}, clusters: map[string]*cluster{}}
}

// Step takes one event and returns what follows from it.
func (c *Core) Step(now time.Duration, ev Event) []Action {
	c.now, c.out = now, nil
	switch ev := ev.(type) {
	case *Opened:
		c.open(ev)
	case *Received:
		if cl := c.clients[ev.Client]; cl != nil {
			cl.heard = now
			c.receive(cl, ev)
		}
	case *Secured:
		if cl := c.clients[ev.Client]; cl != nil {
			cl.secured, cl.names = true, ev.Names
		}
	case *Closed:
		if cl := c.clients[ev.Client]; cl != nil {
			c.drop(cl, ev.Orderly)
		}
	}
	c.expire()
	return c.out
}

func (c *Core) emit(a Action) { c.out = append(c.out, a) }

func (c *Core) notice(cl *client, warn bool, text, detail string) {
	c.emit(&Notice{Warn: warn, Text: text, Cluster: cl.name, Node: cl.node, Detail: detail})
}

func (c *Core) open(ev *Opened) {
	if len(c.clients) >= c.cfg.MaxClients {
		c.emit(&Close{ev.Client, fmt.Sprintf("%d clients are connected", len(c.clients))})
		return
	}
	c.clients[ev.Client] = &client{id: ev.Client, addr: ev.Addr, opened: c.now, heard: c.now}
}

// limit is the time at which a client counts as gone.
func (cl *client) limit() time.Duration {
	if cl.cluster == nil {
		return cl.opened + InitPatience
	}
	return cl.heard + cl.silence()
}

func (cl *client) silence() time.Duration {
	return time.Duration(SilentFactor * float64(cl.heartbeat))
}

// Deadline is the time at which [Ticked] is due; ok is false for never.
func (c *Core) Deadline() (at time.Duration, ok bool) {
	take := func(t time.Duration) {
		if !ok || t < at {
			at, ok = t, true
		}
	}
	for _, cl := range c.clients {
		take(cl.limit())
	}
	for _, k := range c.clusters {
		if t := k.embargo(c); t > c.now {
			take(t)
		}
	}
	return at, ok
}

// expire drops the silent and lets clusters decide that waited for time to pass.
func (c *Core) expire() {
	for _, id := range slices.Sorted(maps.Keys(c.clients)) {
		if cl := c.clients[id]; c.now >= cl.limit() {
			c.notice(cl, true, "client silent", fmt.Sprintf("%s since %s", cl.addr, (c.now-cl.heard).Round(time.Millisecond)))
			c.close(cl, "silent")
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.clusters)) {
		k := c.clusters[name]
		c.grant(k)
		if len(k.clients) == 0 && k.embargo(c) <= c.now {
			delete(c.clusters, name)
		}
	}
}

// close ends a connection from this side. Its client knows only when it hears
// of it.
func (c *Core) close(cl *client, reason string) {
	c.emit(&Close{cl.id, reason})
	c.drop(cl, false)
}

// drop forgets a client and decides anew without it.
func (c *Core) drop(cl *client, orderly bool) {
	delete(c.clients, cl.id)
	k := cl.cluster
	if k == nil {
		return
	}
	c.notice(cl, false, "client left", cl.addr)
	k.clients = slices.DeleteFunc(k.clients, func(x *client) bool { return x == cl })
	if !orderly && cl.told.holds {
		if k.ghosts == nil {
			k.ghosts = map[uint32]time.Duration{}
		}
		k.ghosts[cl.node] = max(k.ghosts[cl.node], cl.heard+cl.silence())
	}
	cl.cluster = nil
	c.decide(k) // expire forgets the cluster after its last client
}

// reply sends an answer that carries the sequence number of its request.
func (c *Core) reply(cl *client, req, m *qnet.Message) {
	m.Seq = req.Seq
	c.emit(&Send{cl.id, m})
}

func (c *Core) refuse(cl *client, req *qnet.Message, code qnet.ErrorCode) {
	c.notice(cl, true, "message refused", fmt.Sprintf("%s: %s", req.Type, code))
	c.reply(cl, req, &qnet.Message{Type: qnet.ServerError, Error: qnet.Some(code)})
}

// clusterOf finds or makes the cluster of a client that has introduced itself.
func (c *Core) clusterOf(cl *client) *cluster {
	k := c.clusters[cl.name]
	if k == nil {
		k = &cluster{name: cl.name, since: c.now}
		c.clusters[cl.name] = k
	}
	delete(k.ghosts, cl.node) // who comes anew has given up what it had
	k.decided = false         // it was not asked
	k.clients = append(k.clients, cl)
	slices.SortFunc(k.clients, func(a, b *client) int { return cmp.Compare(a.node, b.node) })
	return k
}
