// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package qdevice

import (
	"time"

	"github.com/quorate/quorate/messaging/qnet"
)

// phase is how far the connection is.
type phase uint8

const (
	idle phase = iota
	dialing
	waitPreinit
	waitTLS
	waitInit
	connected
)

// A Core is one node's side. It is not safe for concurrent use.
type Core struct {
	cfg Config
	now time.Duration
	out []Action

	phase   phase
	since   time.Duration // of this phase's beginning, or of the last attempt
	seq     uint32
	secured bool
	leased  time.Duration            // sending time of the last answered word
	echoes  map[uint32]time.Duration // heartbeats under way
	beat    time.Duration            // next heartbeat
	reply   time.Duration            // last answer to one

	ring    qnet.RingID
	members []uint32
	known   bool // there is a ring
	told    bool // the server knows it
	cast    bool
	decided bool // the node was told about this ring
	quorum  Quorum

	run     uint64 // of heuristics
	running bool
	syncing bool // the membership waits for them
	result  results
	next    time.Duration // run of heuristics
}

// results of the heuristics, for status.
type results struct{ latest, regular, membership qnet.Heuristics }

// New makes a core that has no connection.
func New(cfg Config) *Core {
	return &Core{cfg: cfg, echoes: map[uint32]time.Duration{}, since: -Reconnect}
}

// Step takes one event and returns what follows from it.
func (c *Core) Step(now time.Duration, ev Event) []Action {
	c.now, c.out = now, nil
	switch ev := ev.(type) {
	case *Ring:
		c.newRing(ev)
	case *Quorum:
		c.newQuorum(ev)
	case *Connected:
		if c.phase == dialing {
			c.enter(waitPreinit)
			c.send(&qnet.Message{Type: qnet.Preinit, Cluster: c.cfg.Cluster})
		}
	case *Secured:
		if c.phase == waitTLS {
			c.secured = true
			c.sendInit()
		}
	case *Received:
		c.receive(ev)
	case *Disconnected:
		c.lost(ev.Reason)
	case *Checked:
		c.checked(ev)
	}
	c.tick()
	return c.out
}

func (c *Core) emit(a Action) { c.out = append(c.out, a) }

func (c *Core) enter(p phase) { c.phase, c.since = p, c.now }

func (c *Core) lease() time.Duration {
	return c.leased + time.Duration(LeaseFactor*float64(c.cfg.Heartbeat))
}

// Deadline is the time at which [Ticked] is due; ok is false for never.
func (c *Core) Deadline() (at time.Duration, ok bool) {
	switch c.phase {
	case idle:
		return c.since + Reconnect, true
	case connected:
		at = min(c.lease(), c.beat)
		if c.cfg.Checks == On && !c.running {
			at = min(at, c.next)
		}
		return at, true
	}
	return c.since + c.cfg.Connect, true
}

// tick does what is due.
func (c *Core) tick() {
	switch {
	case c.phase == idle:
		if c.now >= c.since+Reconnect {
			c.enter(dialing)
			c.secured = false
			c.emit(&Dial{})
		}
	case c.phase != connected:
		if c.now >= c.since+c.cfg.Connect {
			c.hangUp("the server did not let us in in time")
		}
	case c.now >= c.lease():
		c.hangUp("the server did not answer in time")
	default:
		if c.now >= c.beat {
			c.beat = c.now + c.cfg.Heartbeat/2
			if len(c.echoes) < maxEchoes {
				c.send(&qnet.Message{Type: qnet.EchoRequest})
				c.echoes[c.seq] = c.now
			}
		}
		if c.cfg.Checks == On && !c.running && c.now >= c.next {
			c.check(false)
		}
	}
}

// send sends a request with the next number.
func (c *Core) send(m *qnet.Message) {
	c.seq++
	m.Seq = qnet.Some(c.seq)
	c.emit(&Send{m})
}

func (c *Core) hangUp(why string) {
	c.lost(why)
	c.emit(&HangUp{why})
}

// lost ends the connection.
func (c *Core) lost(why string) {
	if c.phase == idle {
		return
	}
	was := c.phase
	c.enter(idle)
	clear(c.echoes)
	c.told, c.syncing = false, false
	text := "server not reached"
	if was == connected {
		text = "server lost"
	}
	c.emit(&Notice{Warn: true, Text: text, Args: []any{"reason", why}})
	keep := c.cast && c.cfg.Algorithm == qnet.LMS && c.quorum.Quorate && c.quorum.WaitForAll
	if !keep {
		c.vote(false)
	}
}

// vote gives the node the word for the ring of now.
func (c *Core) vote(cast bool) {
	if !c.known || c.decided && c.cast == cast {
		return
	}
	c.cast, c.decided = cast, true
	c.emit(&Vote{c.ring, cast})
}

func (c *Core) newRing(ev *Ring) {
	if c.known && ev.ID == c.ring {
		return
	}
	c.ring, c.members, c.known, c.told = ev.ID, ev.Members, true, false
	c.cast, c.decided, c.syncing = false, false, false
	if c.phase != connected {
		c.vote(false) // there is nobody to ask
		return
	}
	c.tellRing()
}

// tellRing tells the server the membership, after the heuristics if there are.
func (c *Core) tellRing() {
	if !c.known {
		return
	}
	if c.cfg.Checks != Off && !c.syncing {
		c.syncing = true
		c.check(true)
		return
	}
	c.syncing, c.told = false, true
	c.send(&qnet.Message{
		Type: qnet.NodeList, ListType: qnet.Some(qnet.Membership), Ring: qnet.Some(c.ring), Nodes: list(c.members, 0), Heuristics: c.result.membership,
	})
}

func list(ids []uint32, state qnet.NodeState) (out []qnet.Node) {
	for _, id := range ids {
		out = append(out, qnet.Node{ID: id, State: state})
	}
	return out
}

func (c *Core) newQuorum(ev *Quorum) {
	c.quorum = *ev
	if c.phase == connected && c.told {
		c.send(&qnet.Message{Type: qnet.NodeList, ListType: qnet.Some(qnet.Quorum), Quorate: qnet.Some(ev.Quorate), Nodes: list(ev.Members, qnet.Member)})
	}
}

// check runs the heuristics. A run under way for another reason is void.
func (c *Core) check(sync bool) {
	c.run++
	c.running = true
	c.next = c.now + c.cfg.Interval
	c.emit(&Check{Run: c.run, Sync: sync})
}

func (c *Core) checked(ev *Checked) {
	if !c.running || ev.Run != c.run {
		return
	}
	c.running = false
	res := qnet.Fail
	if ev.Pass {
		res = qnet.Pass
	}
	before := c.result.latest
	c.result.latest = res
	switch {
	case c.syncing:
		c.result.membership = res
		c.tellRing()
	case c.phase == connected:
		c.result.regular = res
		if res != before && c.told {
			c.send(&qnet.Message{Type: qnet.HeuristicsChange, Heuristics: res})
		}
	}
}
