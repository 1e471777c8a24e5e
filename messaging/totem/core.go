// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/totem/pack"
	"github.com/quorate/quorate/messaging/totem/wire"
)

// maxSelfVisits bounds the visits of a token that a ring of one passes to
// itself within one step; the rest goes through the shell's event queue.
const maxSelfVisits = 16

// A Core is the protocol of one node.
type Core struct {
	cfg   Config
	self  messaging.NodeID
	now   time.Duration
	out   outbox
	stats Stats
	rng   *rand.PCG

	started, left bool
	state         State
	timers        [numTimers]timer
	lastStep      time.Duration // to notice that this process was not running
	flushUntil    time.Duration // after a pause: JOIN packets are stale till then
	forgiven      time.Duration // by which the token timer was prolonged since the last token
	graceUsed     bool          // the token timer was prolonged since the last token

	// Membership. ring is the newest ring this node agreed to, installed or
	// not; oldRing is the installed one.
	ring, oldRing messaging.RingID
	deadRings     [4]messaging.RingID // left or never born: nobody is in them
	deadNext      int
	memb          nodeSet // of oldRing
	newMemb       nodeSet // of ring, in commit and recovery
	transMemb     nodeSet // those of memb that come along to newMemb
	proc, failed  nodeSet
	consensus     nodeSet       // nodes whose JOIN says what mine says
	announced     nodeSet       // nodes that said they leave
	suspects      nodeSet       // nodes that the link layer holds for dead
	maxRingSeq    uint64        // highest ring sequence ever heard of
	reserved      uint64        // ring sequences up to here were asked to be persisted
	durable       uint64        // ring sequences up to here are persisted
	diskWait      int           // how often more of them were needed
	reports       reports       // whom others do not hear
	doubts        []doubt       // newcomers in the light of that
	asked         time.Duration // when I asked for more of it
	answered      time.Duration // when I answered such a question
	joins         int           // expiries of the join timer since the last ring
	failedToRecv  bool
	lastCommitSeq uint64
	originated    bool
	penalties     penalties

	// Ordering.
	cur, next *msgSet // messages of oldRing; of ring while in recovery
	token     wire.Token
	tokenSeq  uint64 // of the last accepted token
	lastSeq   uint64 // token.Seq of the last accepted token
	unchanged int    // tokens in a row that did not move it
	lastAru   uint64
	aruCount  int           // tokens in a row whose aru I keep down
	aruSince  time.Duration // since when
	lastMine  uint64        // newest message of the ring that I sent
	held      bool          // the token rests, here or at who sent last
	wanted    bool          // somebody wants the token not to rest at my next visit
	stored    []byte        // the token or commit token that I sent last
	storedTo  messaging.NodeID
	storedSeq uint64 // its Seq
	arrived   bool   // there is proof that it arrived
	loop      []byte // a token from me to myself
	flow      flow

	// Recovery.
	retrans    []uint64 // messages of the old ring that are mine to send
	setRetrans bool
	flagCount  int
	rotations  int
	installSeq uint64

	// The application's messages.
	queue, syncQueue pack.Queue
	waitSync         bool
	assemblies       map[messaging.NodeID]*pack.Assembly
}

// New makes the core of one node. It does nothing before Start.
func New(cfg Config) (*Core, error) {
	cfg.derive()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Core{
		cfg: cfg, self: cfg.Self, state: Gather,
		rng:        rand.NewPCG(cfg.Seed, uint64(cfg.Self)),
		cur:        newMsgSet(messaging.RingID{}),
		assemblies: map[messaging.NodeID]*pack.Assembly{},
	}, nil
}

// Step takes one event and gives the actions that follow from it.
func (c *Core) Step(now time.Duration, ev Event) []Action {
	c.out.reset()
	if c.left {
		return nil
	}
	if now > c.now {
		c.now = now
	}
	if !c.started {
		if start, ok := ev.(*Start); ok {
			c.start(start)
		}
		return c.out.acts
	}
	c.notePause()
	switch ev := ev.(type) {
	case *Recv:
		c.receive(ev.From, ev.Packet)
	case *Timer:
		c.expire(ev.ID)
	case *Submit:
		c.submit(ev)
	case *SuspectDown:
		c.suspect(ev.Nodes)
	case *SuspectCleared:
		c.heard(ev.Node)
	case *SyncDone:
		c.syncDone()
	case *Persisted:
		c.persisted(ev.Seq)
	case *Reconfigure:
		c.reconfigure(ev.Config)
	case *ForceGather:
		if c.state == Operational {
			c.enterGather("forced")
		}
	case *Leave:
		c.leave()
	}
	for visits := 0; c.loop != nil; visits++ {
		if visits == maxSelfVisits {
			c.setTimer(TimerSelf, 0)
			break
		}
		packet := c.loop
		c.loop = nil
		c.receive(c.self, packet)
	}
	return c.out.acts
}

// reconfigure takes new settings. Running timers end as they were set.
func (c *Core) reconfigure(cfg Config) {
	cfg.Self = c.self
	cfg.derive()
	if err := cfg.validate(); err != nil {
		c.notice("configuration_refused", "", "", err.Error())
		return
	}
	c.cfg = cfg
	if !cfg.HoldForSync {
		c.syncDone()
	}
	c.notice("configuration_changed", "", "", "")
}

func (c *Core) start(ev *Start) {
	c.started = true
	c.lastStep = c.now
	c.ring = messaging.RingID{Rep: c.self, Seq: min(ev.SavedRingSeq, wire.MaxRingSeq-reserveAhead) + 1}
	c.maxRingSeq = c.ring.Seq
	c.durable = max(ev.SavedRingSeq, ev.Durable)
	c.reserved = c.durable
	c.reserve()
	c.setTimer(TimerPause, c.cfg.Token/5)
	c.enterGather("start")
}

// Numbers of ring ids are persisted ahead and meanwhile, so that no write lies
// in the path of a membership change.
const (
	reserveAhead = 4096
	reserveLow   = 1024
)

func (c *Core) reserve() {
	if c.maxRingSeq+reserveLow > c.reserved {
		c.reserved = c.maxRingSeq + reserveAhead
		c.out.add(&PersistRingSeq{Seq: c.reserved})
	}
}

func (c *Core) persisted(seq uint64) {
	c.durable = max(c.durable, seq)
	waited := c.diskWait > 0
	c.diskWait = 0
	if waited && c.state == Gather {
		c.sendJoin()
	}
	c.checkConsensus()
}

// diskPatience is how often a number is missed before it is worth a notice.
const diskPatience = 3

// waitsForDisk tells whether the number of a ring is not durable yet.
func (c *Core) waitsForDisk(seq uint64) bool {
	if seq <= c.durable {
		return false
	}
	if c.diskWait++; c.diskWait == diskPatience {
		c.notice("waiting_for_disk", "", "", "the number of the next ring is not durable yet")
	}
	return true
}

// heardOf takes note of a ring number.
func (c *Core) heardOf(seq uint64) {
	c.maxRingSeq = max(c.maxRingSeq, seq)
	c.reserve()
}

// receive takes a packet from another node, or a token from this one.
func (c *Core) receive(from messaging.NodeID, packet []byte) {
	t, err := wire.TypeOf(packet)
	if err != nil {
		c.reject(from, err)
		return
	}
	if from == 0 || (from == c.self && t != wire.TypeToken && t != wire.TypeCommit) {
		c.stats.Foreign++
		c.notice("duplicate_node_id", "", "", "packet with my own node id from elsewhere")
		return
	}
	if c.suspects.has(from) {
		c.heard(from)
	}
	switch t {
	case wire.TypeToken:
		if err = wire.DecodeToken(packet, &c.token); err == nil {
			c.onToken(&c.token)
		}
	case wire.TypeMcast:
		var m wire.Mcast
		if m, err = wire.DecodeMcast(packet); err == nil {
			c.onMcast(&m, packet)
		}
	case wire.TypeMergeDetect:
		var m wire.MergeDetect
		if m, err = wire.DecodeMergeDetect(packet); err == nil {
			c.onMergeDetect(from, &m)
		}
	case wire.TypeJoin:
		var j wire.Join
		if j, err = wire.DecodeJoin(packet); err == nil {
			c.onJoin(from, &j)
		}
	case wire.TypeCommit:
		var ct *wire.Commit
		if ct, err = wire.DecodeCommit(packet); err == nil {
			c.onCommit(ct)
		}
	case wire.TypeHoldCancel:
		var h wire.HoldCancel
		if h, err = wire.DecodeHoldCancel(packet); err == nil {
			c.onHoldCancel(h)
		}
	}
	if err != nil {
		c.reject(from, err)
	}
}

// reject counts a packet that cannot be read.
func (c *Core) reject(from messaging.NodeID, err error) {
	c.stats.Malformed++
	if c.stats.Malformed == 1 || c.stats.Malformed%1000 == 0 {
		c.notice("packet_rejected", nodeName(from), "", err.Error())
	}
}

// leave tells the others that this node goes, twice since packets get lost.
func (c *Core) leave() {
	j := wire.Join{
		RingSeq: c.ring.Seq, Leave: true,
		Proc:   c.proc.minus(nodeSet{c.self}),
		Failed: c.failed.with(c.self),
	}
	if c.state == Operational {
		j.Proc, j.Failed = c.memb.minus(nodeSet{c.self}), nodeSet{c.self}
	}
	packet := j.Append(make([]byte, 0, j.Size()))
	c.out.send(0, packet, false)
	c.out.send(0, packet, false)
	for id := range c.timers {
		c.out.add(&StopTimer{ID: TimerID(id)})
	}
	c.notice("left", c.state.String(), "", "asked to leave")
	c.left = true
}

func (c *Core) setState(s State, why string) {
	if s != c.state || s == Gather {
		c.notice("state_changed", c.state.String(), s.String(), why)
	}
	c.state = s
}

func (c *Core) notice(name, from, to, why string) {
	c.out.add(&Notice{Name: name, From: from, To: to, Why: why})
}

// State tells where the protocol is.
func (c *Core) State() State { return c.state }

// Ring gives the installed ring; its Seq is 0 before the first.
func (c *Core) Ring() messaging.RingID { return c.oldRing }

// Members gives the members of the installed ring, sorted.
func (c *Core) Members() []messaging.NodeID { return slices.Clone(c.memb) }

// members gives the nodes among which a token goes round now.
func (c *Core) members() nodeSet {
	if c.state == Commit || c.state == Recovery {
		return c.newMemb
	}
	return c.memb
}

// active gives the messages of the ring whose token goes round now.
func (c *Core) active() *msgSet {
	if c.state == Recovery {
		return c.next
	}
	return c.cur
}
