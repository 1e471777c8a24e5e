// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"encoding/binary"
	"fmt"
	"os"
	"time"

	"github.com/quorate/quorate/internal/sim"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/totem"
)

// msgID names one submitted message: who, in which life, the how-manyth.
type msgID struct {
	node  messaging.NodeID
	life  int
	count uint64
}

func (m msgID) String() string { return fmt.Sprintf("%d.%d#%d", m.node, m.life, m.count) }

const bodyHead = 4 + 4 + 8 + 1

// makeBody fills a body so that a wrong byte anywhere shows.
func makeBody(id msgID, size int, sync bool) []byte {
	b := make([]byte, max(size, bodyHead))
	binary.LittleEndian.PutUint32(b, uint32(id.node))
	binary.LittleEndian.PutUint32(b[4:], uint32(id.life))
	binary.LittleEndian.PutUint64(b[8:], id.count)
	if sync {
		b[16] = 1
	}
	fill(b[bodyHead:], id)
	return b
}

func fill(b []byte, id msgID) {
	x := uint64(id.node)*0x9e3779b97f4a7c15 ^ id.count ^ uint64(id.life)<<32
	for i := range b {
		x = x*6364136223846793005 + 1442695040888963407
		b[i] = byte(x >> 56)
	}
}

// readBody gives what makeBody wrote; ok is false if a byte is wrong.
func readBody(b []byte) (id msgID, sync, ok bool) {
	if len(b) < bodyHead {
		return id, false, false
	}
	id = msgID{
		node: messaging.NodeID(binary.LittleEndian.Uint32(b)), life: int(binary.LittleEndian.Uint32(b[4:])),
		count: binary.LittleEndian.Uint64(b[8:]),
	}
	want := make([]byte, len(b)-bodyHead)
	fill(want, id)
	return id, b[16] == 1, string(want) == string(b[bodyHead:])
}

// A node is one core on one host, with its disk.
type node struct {
	c     *cluster
	index int
	id    messaging.NodeID
	host  *sim.Host
	core  *totem.Core
	life  int
	disk  uint64 // persisted ring sequence
	// diskFree is when the last write ends.
	diskFree time.Duration
	count uint64 // messages submitted in this life
	gen   [16]int
	left  bool

	state  totem.State
	since  time.Duration // of the last regular configuration
	synced map[messaging.NodeID]bool
	ring   messaging.RingID
	membs  []messaging.NodeID
	down   []bool // suspicions told
}

// A cluster is N nodes on one network.
type cluster struct {
	w     *sim.World
	net   *sim.Network
	nodes []*node
	check *checker
	cfg   totem.Config
	trace func(format string, args ...any)
	acts  uint64
	// diskDelay is the longest that a write takes.
	diskDelay time.Duration
}

func newCluster(seed uint64, n int, cfg totem.Config) *cluster {
	c := &cluster{w: sim.New(seed), cfg: cfg, check: newChecker()}
	c.check.holdSync = cfg.HoldForSync
	hosts := make([]*sim.Host, n)
	for i := range hosts {
		hosts[i] = sim.NewHost(c.w)
		c.nodes = append(c.nodes, &node{c: c, index: i, id: messaging.NodeID(i + 1), host: hosts[i], down: make([]bool, n)})
	}
	c.net = sim.NewNetwork(c.w, hosts)
	c.net.Recv = func(from, to int, packet []byte) {
		c.nodes[to].step(&totem.Recv{From: c.nodes[from].id, Packet: packet})
	}
	if os.Getenv("QUORATE_SIM_TRACE") != "" {
		c.trace = func(format string, args ...any) {
			fmt.Printf("%12v "+format+"\n", append([]any{c.w.Now()}, args...)...)
		}
	}
	return c
}

// start boots a node. Without its disk it goes by the clock.
func (n *node) start(lostDisk bool) {
	n.life++
	n.count = 0
	n.left = false
	n.synced = nil
	n.ring, n.membs = messaging.RingID{}, nil
	clear(n.down)
	cfg := n.c.cfg
	cfg.Self = n.id
	core, err := totem.New(cfg)
	if err != nil {
		panic(err)
	}
	n.core = core
	n.host.Start()
	if lostDisk {
		n.disk = max(n.disk, uint64(n.c.w.Now()/time.Millisecond)<<20)
	}
	n.c.check.started(n.id, n.life)
	n.tracef("start life %d", n.life)
	n.step(&totem.Start{SavedRingSeq: n.disk})
}

func (n *node) crash() {
	n.tracef("crash")
	n.c.check.crashed(n.id, n.life)
	n.host.Crash()
}

func (n *node) leave() {
	n.step(&totem.Leave{})
	n.left = true
	n.crash()
}

func (n *node) tracef(format string, args ...any) {
	if n.c.trace != nil {
		n.c.trace("node %d "+format, append([]any{n.id}, args...)...)
	}
}

// submit sends one message if there is room.
func (n *node) submit(size int) bool {
	if !n.host.Up() || n.host.Paused() || !n.core.Room(max(size, bodyHead)) {
		return false
	}
	n.count++
	id := msgID{n.id, n.life, n.count}
	n.c.check.submitted(id, false)
	n.step(&totem.Submit{Body: makeBody(id, size, false)})
	return true
}

// step runs the core and carries its actions out in order.
func (n *node) step(ev totem.Event) {
	c := n.c
	if c.trace != nil {
		n.traceEvent(ev)
	}
	actions := n.core.Step(c.w.Now(), ev)
	var later []totem.Event // what the application answers, after this step
	for _, a := range actions {
		c.acts++
		if c.trace != nil {
			n.tracef("  %v", a)
		}
		switch a := a.(type) {
		case *totem.Send:
			c.w.Mix(uint64(len(a.Packet))<<32 | uint64(n.id)<<8 | uint64(a.To))
			n.transmit(a)
		case *totem.SetTimer:
			n.gen[a.ID]++
			gen := n.gen[a.ID]
			id := a.ID
			n.host.After(a.After, func() {
				if n.gen[id] == gen {
					n.step(&totem.Timer{ID: id})
				}
			})
		case *totem.StopTimer:
			n.gen[a.ID]++
		case *totem.PersistRingSeq:
			n.persist(a.Seq)
		case *totem.Deliver:
			c.w.Mix(uint64(len(a.Body))<<16 | uint64(a.From))
			if ev := n.deliver(a); ev != nil {
				later = append(later, ev)
			}
		case *totem.ConfChange:
			c.w.Mix(a.Ring.Seq<<8 | uint64(a.Kind))
			c.check.configured(n.id, n.life, a)
			if a.Kind == totem.Regular {
				later = append(later[:0], n.configured(a)...)
			}
		}
	}
	n.state = n.core.State()
	for _, ev := range later {
		n.step(ev)
	}
}

// persist writes to the disk, which takes a while; a crash loses what is under
// way. Writes end in the order in which they were asked for.
func (n *node) persist(seq uint64) {
	n.diskFree = max(n.diskFree, n.c.w.Now()) + n.c.w.Between(0, n.c.diskDelay)
	n.host.After(n.diskFree-n.c.w.Now(), func() {
		n.disk = max(n.disk, seq)
		n.step(&totem.Persisted{Seq: seq})
	})
}

func (n *node) transmit(a *totem.Send) {
	for _, to := range n.c.nodes {
		if to != n && (a.To == 0 || a.To == to.id) {
			n.c.net.Send(n.index, to.index, a.Packet)
		}
	}
}

// configured starts the synchronisation of the application.
func (n *node) configured(a *totem.ConfChange) []totem.Event {
	n.since = n.c.w.Now()
	n.ring, n.membs = a.Ring, a.Members
	if !n.c.cfg.HoldForSync {
		return nil
	}
	n.synced = map[messaging.NodeID]bool{}
	n.count++
	id := msgID{n.id, n.life, n.count}
	n.c.check.submitted(id, true)
	return []totem.Event{&totem.Submit{Body: makeBody(id, 40, true), Sync: true}}
}

// deliver checks a message; the last one of a synchronisation ends it.
func (n *node) deliver(a *totem.Deliver) totem.Event {
	id, sync, ok := readBody(a.Body)
	n.c.check.delivered(n.id, n.life, a, id, sync, ok)
	if !sync || n.synced == nil || a.Ring != n.ring {
		return nil
	}
	n.synced[a.From] = true
	if len(n.synced) < len(n.membs) {
		return nil
	}
	n.synced = nil
	return &totem.SyncDone{}
}

func (n *node) traceEvent(ev totem.Event) {
	switch ev := ev.(type) {
	case *totem.Recv:
		n.tracef("recv from %d %s", ev.From, totem.PacketString(ev.Packet))
	case *totem.Timer:
		n.tracef("timer %v", ev.ID)
	case *totem.Submit:
		n.tracef("submit %d bytes", len(ev.Body))
	default:
		n.tracef("%T", ev)
	}
}

// whole tells whether all nodes that run are on one ring of just them.
func (c *cluster) whole() bool {
	var first *node
	up := 0
	for _, n := range c.nodes {
		if !n.host.Up() {
			continue
		}
		up++
		if n.host.Paused() || n.state != totem.Operational {
			return false
		}
		if first == nil {
			first = n
		}
		if n.ring != first.ring {
			return false
		}
	}
	return first != nil && len(first.membs) == up
}
