// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/auth"
	"github.com/quorate/quorate/messaging/cmap"
	"github.com/quorate/quorate/messaging/cpg"
	"github.com/quorate/quorate/messaging/link"
	"github.com/quorate/quorate/messaging/quorum"
	"github.com/quorate/quorate/messaging/recorder"
	"github.com/quorate/quorate/messaging/reload"
	"github.com/quorate/quorate/messaging/totem"
	"github.com/quorate/quorate/messaging/transport"
)

// clientBits is the room for client ids within one ring sequence number.
const clientBits = 12

// An Engine runs the messaging layer of one node.
type Engine struct {
	cfg   Config
	guard *auth.Guard
	known knownSource
	turn  turn
	done  chan struct{} // closed when Run ends
	stop  context.CancelFunc
	wg    sync.WaitGroup
	views viewBox
	seen  refusalLog

	// What follows belongs to who has the turn.
	wire     transport.Wire
	core     *totem.Core
	recorder *recorder.Recorder
	groups   *cpg.Core
	votes    *quorum.Core
	links    *link.Core
	timers   map[totem.TimerID]clock.Timer
	window   clock.Timer // last_man_standing
	peers    map[messaging.NodeID]*peer
	members  map[uint64]*member
	names    map[messaging.NodeID]string // what nodes call themselves
	nextID   uint64                      // of clients
	waiting  []submission
	todo     []totem.Event
	stepping bool
	now      time.Duration // when the present event was taken up
	fresh    []*eventQueue // whose readers are not woken yet
	fan      []target      // whom packets to all go to in this step
	fanWide  bool          // fan has all links
	one      []target      // memory for one node's
	out      []transport.Datagram
	arena    []byte // sealed packets of out
	again    bool   // what is sent was sent before and is lost, it seems
	beatBuf  []byte
	ringMTU  int    // the largest packets that the ring makes
	partID   uint32 // of the packet that was cut last
	ringSave ringSave
	ring     messaging.RingID
	ringSet  []messaging.NodeID
	// counted is the ring whose votes were counted last, with its members.
	counted    messaging.RingID
	countedSet []messaging.NodeID
	asked      map[uint64]chan error // service messages that callers wait for
	nextAsk    uint64
	reload     reloading
	stats      counters
	traffic    traffic
	cleared    map[string]uint64 // counters as they were when they were cleared
	missed     []missed          // delays of the own scheduling, newest first
	trouble    error             // ends Run

	arbitration arbitration
}

// A peer is another node, configured or met.
type peer struct {
	counts [maxLinks]linkCounters
	addrs  map[int]netip.AddrPort
	limit  [maxLinks]int // the largest UDP payload that passes, 0: any
	parts  assembly
	hellos int           // sent since
	since  time.Duration // this instant
}

// A target is a place that packets go to.
type target struct {
	peer *peer
	link int
	to   netip.AddrPort
}

// counters are the engine's own statistics.
type counters struct {
	delivered, cutOff, protests, linkDown uint64
	tokenLost, membershipChanges          uint64
	late                                  time.Duration
	closed                                uint64 // memberships
}

// New makes an engine; [Engine.Run] starts it.
func New(cfg Config) (*Engine, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.Cmap == nil {
		cfg.Cmap = cmap.New()
	}
	e := &Engine{
		cfg: cfg, turn: newTurn(), done: make(chan struct{}),
		timers: map[totem.TimerID]clock.Timer{}, peers: map[messaging.NodeID]*peer{},
		members: map[uint64]*member{}, names: map[messaging.NodeID]string{cfg.Self: cfg.Name}, asked: map[uint64]chan error{}, cleared: map[string]uint64{},
		groups: cpg.New(cfg.Self),
	}
	if cfg.Recorder >= 0 {
		e.recorder = recorder.New(cfg.Recorder)
	}
	e.views.init()
	e.ringMTU = cfg.Totem.MTU
	e.arbitration.lease = quorum.NewLease(cfg.Lease, cfg.Clock.Now())
	e.known.present.Store(sourcesOf(&cfg))
	e.reload = reloading{core: reload.New(cfg.Self, cfg.Digest), apply: make(chan struct{}, 1)}
	var err error
	if e.guard, err = auth.NewGuard(auth.Config{Self: cfg.Self, Key: cfg.Key, Rand: cfg.Rand, Known: e.known.allow}); err != nil {
		return nil, err
	}
	if e.core, err = totem.New(cfg.Totem); err != nil {
		return nil, err
	}
	if e.links, err = link.New(cfg.Link); err != nil {
		return nil, err
	}
	q, notes := cfg.Quorum.Normalize()
	for _, n := range notes {
		cfg.Log.Warn("quorum options changed", "reason", n)
	}
	if e.votes, err = quorum.New(q); err != nil {
		return nil, err
	}
	for _, n := range cfg.Nodes {
		if n.ID != cfg.Self {
			e.addPeer(n.ID, n.Addrs)
		}
	}
	e.publish()
	e.setCmapUint("config.reload_in_progress", 8, 0)
	e.setCmapUint("config.totemconfig_reload_in_progress", 8, 0)
	e.listServices()
	e.listTriggers()
	return e, nil
}

// maxPeers bounds the nodes met where there is no nodelist.
const maxPeers = 384

func (e *Engine) addPeer(id messaging.NodeID, addrs map[int]netip.Addr) *peer {
	p := &peer{addrs: map[int]netip.AddrPort{}}
	e.fan = e.fan[:0]
	e.address(id, p, addrs)
	e.peers[id] = p
	return p
}

// address notes where a peer is reached on this node's links.
func (e *Engine) address(id messaging.NodeID, p *peer, addrs map[int]netip.Addr) {
	for _, l := range e.cfg.Links {
		if a, ok := addrs[l.Number]; ok {
			p.addrs[l.Number] = netip.AddrPortFrom(a, l.Port)
			e.links.Add(id, l.Number)
		}
	}
}

// Run carries the protocol until ctx is done or [Engine.Shutdown] is called,
// then leaves the ring.
func (e *Engine) Run(ctx context.Context) error {
	defer e.wg.Wait()
	ctx, e.stop = context.WithCancel(ctx)
	defer e.stop()
	defer close(e.done)
	defer e.endMembers()
	defer e.dumpTrouble()
	saved, err := e.cfg.Ring.Load()
	if err != nil {
		return err
	}
	// Client ids of an earlier start are never given again: the ring's number
	// has grown since, by what the core reserves at each start.
	e.nextID = saved << clientBits
	if e.wire, err = e.cfg.Wire(e); err != nil {
		return err
	}
	defer e.closeWire()
	e.announce("notice", "MAIN", "Corosync Cluster Engine ('%s'): started and ready to provide service.", e.cfg.Version)
	e.wg.Add(1)
	go e.reserve(saved)
	e.runArbiter(ctx)
	e.tick()
	e.serve(ctx)
	if e.trouble == nil {
		e.announce("notice", "MAIN", "Node was shut down by a signal")
		e.now = e.cfg.Clock.Now()
		e.step(&totem.Leave{})
	}
	return e.trouble
}

// closeWire closes the sockets; their readers may be waiting to hand over.
func (e *Engine) closeWire() {
	gone := make(chan struct{})
	go func() {
		for {
			select {
			case <-gone:
				return
			case <-e.turn.in:
			}
		}
	}()
	if err := e.wire.Close(); err != nil {
		e.cfg.Log.Warn("sockets not closed", "error", err)
	}
	close(gone)
	for _, t := range e.timers {
		t.Stop()
	}
}

// Done is closed when the engine has ended.
func (e *Engine) Done() <-chan struct{} { return e.done }

// The events of the engine, besides functions.
type (
	rxBatch struct {
		packets []rxPacket
		wants   []wanted // hellos to answer
	}
	rxPacket struct {
		recv totem.Recv
		link int
		src  netip.AddrPort
		kind auth.Kind
		// newBoot tells that the sender has started since the packet before.
		newBoot bool
	}
	wanted struct {
		peer messaging.NodeID
		link int
		src  netip.AddrPort
	}
	refused struct {
		link int
		dst  netip.Addr
	}
	tooBig struct {
		link int
		dst  netip.Addr
		size int
	}
	// otherKey tells of a packet that is sealed with a key not accepted.
	otherKey   struct{ id uint64 }
	timerFired struct{ id totem.TimerID }
	ticked     struct{}
)

func (e *Engine) handle(ev any) {
	e.now = e.cfg.Clock.Now()
	switch ev := ev.(type) {
	case *rxBatch:
		e.received(ev)
	case timerFired:
		// What is sent once more had better not get lost again.
		e.again = ev.id == totem.TimerRetransmit
		e.step(&totem.Timer{ID: ev.id})
		e.again = false
	case ticked:
		e.tick()
	case refused:
		e.peerRefused(ev)
	case tooBig:
		e.peerTooBig(ev)
	case otherKey:
		e.missedKey(ev.id)
	case func():
		ev()
		e.step(nil)
	}
}

// maxTodo bounds what the list of waiting events keeps for the next step.
const maxTodo = 4096

// step lets the ring take an event (nil: none) and carries out all that follows,
// then sends what was queued meanwhile.
func (e *Engine) step(ev totem.Event) {
	if ev != nil {
		e.todo = append(e.todo, ev)
	}
	if e.stepping {
		return
	}
	e.stepping = true
	for {
		for i := 0; i < len(e.todo); i++ { // carrying out adds to it
			next := e.todo[i]
			e.todo[i] = nil
			for _, a := range e.stepCore(next) {
				e.act(a)
			}
		}
		if cap(e.todo) > maxTodo {
			e.todo = nil
		}
		e.todo = e.todo[:0]
		if !e.feed() {
			break
		}
	}
	e.wakeReaders()
	e.flush()
	e.stepping = false
}

// feed hands one waiting submission to the ring, if it has room.
func (e *Engine) feed() bool {
	if len(e.waiting) == 0 || e.groups.Syncing() || !e.core.Room(len(e.waiting[0].body)) {
		return false
	}
	s := e.waiting[0]
	e.waiting[0] = submission{}
	e.waiting = e.waiting[1:]
	if len(e.waiting) == 0 {
		e.waiting = nil
	}
	if s.release != nil {
		s.release()
	}
	e.todo = append(e.todo, &totem.Submit{Body: s.body})
	return true
}

// A submission is an ordered message that waits for room.
type submission struct {
	body    []byte
	release func()
}

// fail ends the engine: going on would be wrong.
func (e *Engine) fail(err error) {
	e.trouble = errors.Join(e.trouble, err)
}

func (e *Engine) announce(level, subsys, format string, args ...any) {
	if e.cfg.Announce != nil {
		e.cfg.Announce(Announcement{Level: level, Subsys: subsys, Text: fmt.Sprintf(format, args...)})
	}
}
