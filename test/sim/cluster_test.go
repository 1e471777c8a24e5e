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
	"github.com/quorate/quorate/messaging/link"
	"github.com/quorate/quorate/messaging/recorder"
	"github.com/quorate/quorate/messaging/recorder/ring"
	"github.com/quorate/quorate/messaging/totem"
)

// msgID names one submitted message: who, in which life, the how-manyth.
type msgID struct {
	node  messaging.NodeID
	life  int
	count uint64
}

func (m msgID) String() string { return fmt.Sprintf("%d.%d#%d", m.node, m.life, m.count) }

// A body is a head that names the message, and contents: filler, or a message
// of the process groups.
const bodyHead = 4 + 4 + 8 + 1 + 4

func makeBody(id msgID, number int, sync bool, contents []byte) []byte {
	b := make([]byte, bodyHead, bodyHead+len(contents))
	binary.LittleEndian.PutUint32(b, uint32(id.node))
	binary.LittleEndian.PutUint32(b[4:], uint32(id.life))
	binary.LittleEndian.PutUint64(b[8:], id.count)
	if sync {
		b[16] = 1
	}
	binary.LittleEndian.PutUint32(b[17:], uint32(number))
	return append(b, contents...)
}

// filler gives bytes of which none can stand in for another.
func filler(id msgID, size int) []byte {
	b := make([]byte, (max(size, 0)+7)/8*8)
	x := uint64(id.node)*0x9e3779b97f4a7c15 ^ id.count ^ uint64(id.life)<<32
	for i := 0; i < len(b); i += 8 {
		x = x*6364136223846793005 + 1442695040888963407
		binary.LittleEndian.PutUint64(b[i:], x)
	}
	return b[:max(size, 0)]
}

// readBody gives the head that makeBody wrote.
func readBody(b []byte) (id msgID, number int, sync, ok bool) {
	if len(b) < bodyHead {
		return id, 0, false, false
	}
	id = msgID{
		node: messaging.NodeID(binary.LittleEndian.Uint32(b)), life: int(binary.LittleEndian.Uint32(b[4:])),
		count: binary.LittleEndian.Uint64(b[8:]),
	}
	return id, int(binary.LittleEndian.Uint32(b[17:])), b[16] == 1, true
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
	// tracked are the highest expected votes, on the disk.
	tracked  uint32
	highest  uint32        // that the node ever expected, as long as the disk lasts
	resuming bool          // it does what waited during a pause
	wall     time.Duration // how far its calendar jumped
	// diskFree is when the last write ends.
	diskFree time.Duration
	count    uint64 // messages submitted in this life
	gen      [16]int
	left     bool

	state  totem.State
	since  time.Duration // of the last regular configuration
	synced map[messaging.NodeID]bool
	ring   messaging.RingID
	membs  []messaging.NodeID
	down   []bool // suspicions told

	history  *history
	digests  []uint64
	writes   uint64             // of the ring number, in this life
	recorder *recorder.Recorder // nil: nothing is recorded
	groups   *groups            // nil: the application is a simple one
	wire     *sealedWire        // nil: packets travel in the clear
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
	// settled is how long it took to one ring after the faults.
	settled time.Duration
	// maxSteps bounds the events of the run.
	maxSteps uint64
	// diskDelay is the longest that a write takes.
	diskDelay time.Duration
	cover     *coverage
	watch     watcher
	// record gives each node a recorder, grouped an application with process
	// groups, sealed seals and a link layer.
	record, grouped, sealed bool
	link                    link.Config // with seals
	options                 *options    // of the quorum, with process groups
	truth                   *truth
	arbiter                 *arbiter // nil: no device
	digests                 bool     // keep the digest of each step
}

func newCluster(seed uint64, n int, cfg totem.Config) *cluster {
	c := &cluster{w: sim.New(seed), cfg: cfg, check: newChecker(), cover: newCoverage(), maxSteps: maxSteps}
	c.check.holdSync = cfg.HoldForSync
	c.watch = watcher{c: c, window: cfg.Window}
	hosts := make([]*sim.Host, n)
	for i := range hosts {
		hosts[i] = sim.NewHost(c.w)
		c.nodes = append(c.nodes, &node{c: c, index: i, id: messaging.NodeID(i + 1), host: hosts[i], down: make([]bool, n)})
	}
	c.net = sim.NewNetwork(c.w, hosts)
	c.net.Recv = func(from, to int, packet []byte) {
		if w := c.nodes[to].wire; w != nil {
			w.receive(packet)
			return
		}
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
	n.state, n.diskFree = core.State(), 0
	if lostDisk {
		n.tracked, n.highest = 0, 0
		n.disk = uint64(max(n.c.w.Now()+n.wall, 0)/time.Millisecond) << 20
	}
	n.recorder, n.groups, n.wire, n.digests, n.writes = nil, nil, nil, nil, 0
	if n.c.record {
		n.recorder = recorder.New(recorder.MinSegment)
	}
	if n.c.grouped {
		n.groups = newGroups(n)
	}
	n.history = n.c.check.started(n.id, n.life)
	n.tracef("start life %d", n.life)
	n.step(&totem.Start{SavedRingSeq: n.disk})
	if n.c.sealed {
		n.wire = newSealedWire(n)
	}
}

func (n *node) crash() {
	n.tracef("crash")
	n.c.check.crashed(n.id, n.life)
	if d := n.device(); d != nil {
		d.crash()
	}
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
	n.step(n.message(false, filler(msgID{n.id, n.life, n.count + 1}, size-bodyHead)))
	return true
}

// message makes the submission of the next message.
func (n *node) message(sync bool, contents []byte) *totem.Submit {
	n.count++
	id := msgID{n.id, n.life, n.count}
	body := makeBody(id, len(n.c.check.sent), sync, contents)
	n.c.check.submitted(id, sync, body)
	return &totem.Submit{Body: body, Sync: sync}
}

// maxActions bounds what one step may lead to: a send window, a queue of
// deliveries, the copies of a recovery.
const maxActions = 3 * 16384

// step runs the core and carries its actions out in order.
func (n *node) step(ev totem.Event) {
	c := n.c
	if c.trace != nil {
		n.tracef("%s", totem.EventString(ev))
	}
	n.c.cover.event(n.state, ev)
	actions := ring.Step(n.recorder, n.core, n.host.Now(), ev)
	if n.groups != nil {
		n.groups.votes.tokenSeen()
	}
	if c.digests {
		n.digests = append(n.digests, n.core.Digest())
	}
	c.check.expect("bounded work", len(actions) <= maxActions, "node %d: %d actions of %T", n.id, len(actions), ev)
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
			later = append(later, n.deliver(a)...)
		case *totem.ConfChange:
			c.w.Mix(a.Ring.Seq<<8 | uint64(a.Kind))
			c.check.configured(n.id, n.life, a)
			c.check.expect("ring number durable", a.Ring.Seq <= n.disk, "node %d life %d %v: durable is %x", n.id, n.life, a, n.disk)
			if n.groups != nil && a.Kind == totem.Transitional {
				n.groups.transitional(a)
			}
			if a.Kind == totem.Regular {
				later = append(later[:0], n.configured(a)...)
			}
		case *totem.Notice:
			n.c.cover.notice(a)
			if n.groups != nil && a.Name == "state_changed" && a.From == "operational" {
				n.groups.votes.lease.Part()
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
	n.writes++
	n.diskFree = max(n.diskFree, n.c.w.Now()) + n.c.w.Between(0, n.c.diskDelay)
	n.host.After(n.diskFree-n.c.w.Now(), func() {
		n.disk = max(n.disk, seq)
		n.step(&totem.Persisted{Seq: seq})
	})
}

func (n *node) transmit(a *totem.Send) {
	n.c.watch.sent(n, a)
	if n.wire != nil {
		n.wire.send(a)
		return
	}
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
	switch {
	case n.groups != nil:
		return n.groups.regular(a)
	case !n.c.cfg.HoldForSync:
		return nil
	}
	n.synced = map[messaging.NodeID]bool{}
	return []totem.Event{n.message(true, filler(msgID{}, 20))}
}

// deliver checks a message; the last one of a synchronisation ends it.
func (n *node) deliver(a *totem.Deliver) []totem.Event {
	id, number, sync, ok := readBody(a.Body)
	n.c.check.delivered(n.history, a, id, number, sync, ok)
	if n.groups != nil {
		return n.groups.deliver(a)
	}
	if !sync || n.synced == nil || a.Ring != n.ring {
		return nil
	}
	n.synced[a.From] = true
	if len(n.synced) < len(n.membs) {
		return nil
	}
	n.synced = nil
	return []totem.Event{&totem.SyncDone{}}
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
