// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"bytes"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/qdevice"
	"github.com/quorate/quorate/messaging/qnet"
	"github.com/quorate/quorate/messaging/qnetd"
	"github.com/quorate/quorate/messaging/totem"
)

// Times of the device.
const (
	deviceTimeout = 4 * time.Second
	deviceSync    = 3 * time.Second
	deviceBeat    = time.Second
	deviceConnect = 2 * time.Second
)

// An arbiter is the arbitration server: the real core of messaging/qnetd, on a
// machine of its own.
type arbiter struct {
	c     *cluster
	core  *qnetd.Core // nil while it is down
	conns map[qnetd.Client]*conn
	last  qnetd.Client
	cut   []bool // by node: not reached
	alarm int
}

// A conn is a connection of a node with the server.
type conn struct {
	id   qnetd.Client
	n    *node
	life int
	// dead: nothing gets through any more, and nobody has noticed.
	dead           bool
	client, server bool          // who holds it open
	up, down       time.Duration // when what is under way has arrived
}

func newArbiter(c *cluster) *arbiter {
	a := &arbiter{c: c, cut: make([]bool, len(c.nodes))}
	a.boot()
	return a
}

func (a *arbiter) boot() {
	a.core = qnetd.New(qnetd.Config{TLS: qnet.TLSUnsupported}, a.c.w.Now())
	a.conns = map[qnetd.Client]*conn{}
}

func (a *arbiter) step(ev qnetd.Event) {
	if a.core == nil {
		return
	}
	for _, x := range a.core.Step(a.c.w.Now(), ev) {
		if a.c.trace != nil {
			a.c.trace("arbiter %T %+v", x, x)
		}
		switch x := x.(type) {
		case *qnetd.Send:
			if k := a.conns[x.Client]; k != nil {
				k.toClient(a.c, recode(x.Message))
			}
		case *qnetd.Close:
			if k := a.conns[x.Client]; k != nil {
				k.server = false
				k.toClient(a.c, nil)
			}
		}
	}
	a.alarm++
	if at, ok := a.core.Deadline(); ok {
		alarm := a.alarm
		a.c.w.After(at-a.c.w.Now(), func() {
			if a.alarm == alarm {
				a.step(&qnetd.Ticked{})
			}
		})
	}
}

// recode sends a message over the wire.
func recode(m *qnet.Message) *qnet.Message {
	b, err := m.Encode()
	if err != nil {
		panic(err)
	}
	out, err := qnet.Read(bytes.NewReader(b))
	if err != nil {
		panic(err)
	}
	return out
}

// toClient carries a message to the node; nil is the end of the connection.
func (k *conn) toClient(c *cluster, m *qnet.Message) {
	k.down = max(k.down, c.w.Now()+c.w.Between(200*time.Microsecond, 10*time.Millisecond))
	c.w.After(k.down-c.w.Now(), func() {
		if k.dead {
			return
		}
		k.n.host.Do(func() {
			if !k.client || k.n.life != k.life || k.n.groups == nil || k.n.groups.votes.device.conn != k {
				return
			}
			d := &k.n.groups.votes.device
			if m == nil {
				k.client, d.conn = false, nil
				d.step(&qdevice.Disconnected{Reason: "closed"})
				return
			}
			d.step(&qdevice.Received{Message: m})
		})
	})
}

// toServer carries a message to the server; nil is the end of the connection.
func (k *conn) toServer(c *cluster, m *qnet.Message, orderly bool) {
	core := c.arbiter.core
	k.up = max(k.up, c.w.Now()+c.w.Between(200*time.Microsecond, 10*time.Millisecond))
	c.w.After(k.up-c.w.Now(), func() {
		if k.dead || !k.server || c.arbiter.core != core {
			return
		}
		if m == nil {
			k.server = false
			c.arbiter.step(&qnetd.Closed{Client: k.id, Orderly: orderly})
			return
		}
		c.arbiter.step(&qnetd.Received{Client: k.id, Message: m})
	})
}

// plague disturbs the server and the ways to it as long as faults rage.
func (a *arbiter) plague(until time.Duration) {
	w := a.c.w
	w.After(w.Between(200*time.Millisecond, 3*time.Second), func() {
		if w.Now() >= until {
			return
		}
		n := w.Rand().IntN(len(a.cut))
		switch w.Rand().IntN(6) {
		case 0, 1:
			a.isolate(n, true)
		case 2:
			a.isolate(n, false)
		case 3:
			if d := a.c.nodes[n].device(); d != nil && d.conn != nil {
				k := d.conn
				k.toServer(a.c, nil, false)
				k.toClient(a.c, nil)
			}
		case 4:
			if a.core != nil {
				a.crash()
			} else {
				a.boot()
			}
		}
		a.plague(until)
	})
}

// isolate keeps a node from the server, or ends that.
func (a *arbiter) isolate(i int, cut bool) {
	a.cut[i] = cut
	if d := a.c.nodes[i].device(); cut && d != nil && d.conn != nil {
		d.conn.dead = true
	}
}

func (a *arbiter) crash() {
	silent := a.c.w.Rand().IntN(2) == 0
	for id := qnetd.Client(1); id <= a.last; id++ {
		if k := a.conns[id]; k != nil && k.server {
			k.server = false
			if silent {
				k.dead = true
			} else {
				k.toClient(a.c, nil)
			}
		}
	}
	a.core = nil
}

func (a *arbiter) heal() {
	clear(a.cut)
	if a.core == nil {
		a.boot()
	}
}

// decides tells whether the device must have made one of these sides quorate.
func (a *arbiter) decides(sides [][]*node) bool {
	for _, side := range sides {
		for _, n := range side {
			if d := n.device(); d == nil || d.conn == nil || !d.conn.server || d.conn.dead {
				return false
			}
		}
	}
	o := a.c.options
	for _, side := range sides {
		for _, n := range side {
			if n.groups.votes.core.Result().WaitForAll {
				return false // it waits again since it has lost quorum
			}
		}
	}
	return o.algorithm == qnet.LMS || 2*len(sides[0]) == len(a.c.nodes)
}

// device gives the node's side of the device, nil where there is none.
func (n *node) device() *device {
	if n.groups == nil || n.groups.votes.device.core == nil {
		return nil
	}
	return &n.groups.votes.device
}

// A device is a node's side of the arbitration: the real core of
// messaging/qdevice, joined with the votes as client and engine do.
type device struct {
	b     *ballots
	core  *qdevice.Core
	conn  *conn
	gen   int // of attempts to connect
	vote  *qdevice.Vote
	ring  messaging.RingID // that it was told of
	quora qdevice.Quorum
	needs bool // the membership waits for its word
	// denied: its no came before the members' words.
	denied                   bool
	looking                  bool
	alarm, patience, silence int // generations of timers
}

func (d *device) start(b *ballots) {
	o, n := b.n.c.options, b.n
	cfg := qdevice.Config{
		Node: uint32(n.id), Cluster: "sim", Algorithm: o.algorithm, TieBreaker: o.tie, KeepActive: true, TLS: qnet.TLSUnsupported,
		Connect: deviceConnect, Heartbeat: deviceBeat,
	}
	for _, x := range n.c.nodes {
		cfg.Nodes = append(cfg.Nodes, uint32(x.id))
	}
	d.b, d.core = b, qdevice.New(cfg)
	n.host.After(0, func() { d.step(&qdevice.Ticked{}) })
	d.again()
}

// again gives the vote twice in the time in which it must be renewed.
func (d *device) again() {
	d.b.n.host.After(deviceTimeout/2, func() {
		if d.vote != nil {
			d.polled(d.vote)
		}
		d.again()
	})
}

func (d *device) step(ev qdevice.Event) {
	n := d.b.n
	for _, x := range d.core.Step(n.host.Now(), ev) {
		if n.c.trace != nil {
			n.tracef("device %T %+v", x, x)
		}
		switch x := x.(type) {
		case *qdevice.Vote:
			d.vote = x
			d.polled(x)
		case *qdevice.Dial:
			d.dial()
		case *qdevice.Send:
			if d.conn != nil {
				d.conn.toServer(n.c, recode(x.Message), false)
			}
		case *qdevice.HangUp:
			d.gen++
			if k := d.conn; k != nil {
				k.client, d.conn = false, nil
				k.toServer(n.c, nil, true)
			}
		}
	}
	d.alarm++
	if at, ok := d.core.Deadline(); ok {
		alarm := d.alarm
		n.host.After(max(at-n.host.Now(), 0)+time.Microsecond, func() {
			if d.alarm == alarm {
				d.step(&qdevice.Ticked{})
			}
		})
	}
}

func (d *device) dial() {
	d.gen++
	gen, n := d.gen, d.b.n
	a := n.c.arbiter
	n.host.After(n.c.w.Between(time.Millisecond, 20*time.Millisecond), func() {
		if d.gen != gen {
			return
		}
		if a.core == nil || a.cut[n.index] {
			n.host.After(deviceConnect/4, func() {
				if d.gen == gen {
					d.step(&qdevice.Disconnected{Reason: "not reached"})
				}
			})
			return
		}
		a.last++
		d.conn = &conn{id: a.last, n: n, life: n.life, client: true, server: true}
		a.conns[a.last] = d.conn
		a.step(&qnetd.Opened{Client: a.last})
		d.step(&qdevice.Connected{})
	})
}

// crash ends the node: its kernel ends the connection, or goes down with it.
func (d *device) crash() {
	if k := d.conn; k != nil {
		if d.b.n.c.w.Rand().IntN(2) == 0 {
			k.dead = true
		} else {
			k.toServer(d.b.n.c, nil, true)
		}
	}
}

// observe lets the device see the ring and the votes, soon.
func (d *device) observe() {
	if d.core == nil || d.looking || d.b.n.ring.Seq == 0 {
		return
	}
	d.looking = true
	n := d.b.n
	n.host.After(n.c.w.Between(0, 2*time.Millisecond), func() {
		d.looking = false
		var members []uint32
		for _, id := range n.membs {
			members = append(members, uint32(id))
		}
		q := qdevice.Quorum{Quorate: d.b.quorate(), WaitForAll: d.b.n.c.options.cfg.WaitForAll, Members: members}
		fresh := d.ring != n.ring
		if fresh {
			d.vote, d.ring = nil, n.ring
			d.step(&qdevice.Ring{ID: qnet.RingID{Node: uint32(n.ring.Rep), Seq: n.ring.Seq}, Members: members})
		}
		if fresh || q.Quorate != d.quora.Quorate {
			d.quora = q
			d.step(&q)
		}
	})
}

// regular takes the vote back with the ring for which it was given, and lets a
// membership wait where it decides.
func (d *device) regular(b *ballots, a *totem.ConfChange) {
	if d.core == nil {
		return
	}
	alive := b.core.DeviceAlive()
	b.core.DeviceStale()
	d.needs = alive && b.core.DeviceDecides(a.Members)
	d.observe()
	if !d.needs {
		return
	}
	b.n.c.truth.waits(b, a.Members)
	d.patience++
	patience := d.patience
	b.n.host.After(deviceSync, func() {
		if d.needs && d.patience == patience {
			d.needs = false
			b.send(b.release())
		}
	})
}

// polled takes the device's word.
func (d *device) polled(v *qdevice.Vote) {
	b := d.b
	if b.n.c.trace != nil {
		b.n.tracef("device says %+v on ring %v", *v, b.n.ring)
	}
	if v.Ring.Node != uint32(b.n.ring.Rep) || v.Ring.Seq != b.n.ring.Seq {
		return
	}
	d.silence++
	silence := d.silence
	b.n.host.After(deviceTimeout, func() {
		if d.silence == silence && b.core.DeviceAlive() {
			b.act(b.core.DeviceLost())
		}
	})
	if b.holding {
		b.core.DeviceAnswered(v.Cast)
		d.denied = d.denied || d.needs && !v.Cast
		d.needs = false
		b.n.c.truth.look(b)
		b.send(b.release())
		return
	}
	b.act(b.core.Poll(v.Cast))
}
