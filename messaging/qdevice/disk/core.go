// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package disk

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"time"
)

// Defaults of the timing.
const (
	DefaultInterval = 500 * time.Millisecond
	DefaultMisses   = 6
	// MinMisses is the least that leaves time for the steps of an election.
	MinMisses = 4
	// rateShare is the part of a time that is added for clocks that run at
	// different rates.
	rateShare = 64
)

// Config is how a node uses the disk.
type Config struct {
	Node    uint32
	Nodes   []uint32 // all, this one among them
	Cluster string
	Boot    uint64 // another at each start
	// Interval is the time between two writes of a slot, Misses how many may fail
	// to come before a node counts as gone.
	Interval time.Duration
	Misses   int
}

// lease is T of the package's comment, limit is D.
func (c *Config) lease() time.Duration { return c.Interval * time.Duration(c.Misses) }
func (c *Config) limit() time.Duration { return c.lease() / 4 }

// patience is how long a value must stay before its writer is surely gone.
func (c *Config) patience() time.Duration {
	t := c.lease() + c.limit()
	return t + t/rateShare
}

// Failover is the longest time from the end of a leader to the next, on a disk
// that is quick.
func (c *Config) Failover() time.Duration { return c.patience() + 2*c.limit() + 6*c.Interval }

// An Event is one input: *Ring, *Checked, *Read, *Wrote, *Ticked.
type Event interface{ event() }

// Ring is a new membership.
type Ring struct {
	Rep     uint32
	Seq     uint64
	Members []uint32
}

// Checked is the state of the heuristics.
type Checked struct{ Pass bool }

// Read is one reading of all blocks. Err tells that it failed.
type Read struct {
	Start  time.Duration
	Blocks []byte
	Err    error
}

// Wrote is the end of the write of a *Write.
type Wrote struct {
	Write *Write
	Start time.Duration
	Err   error
}

// Ticked tells that the time of [Core.Deadline] has come.
type Ticked struct{}

func (*Ring) event()    {}
func (*Checked) event() {}
func (*Read) event()    {}
func (*Wrote) event()   {}
func (*Ticked) event()  {}

// An Action is one output: *Write, *Vote, *Notice. Writes are made in order, and
// each is reported before the next reading.
type Action interface{ action() }

// Write puts a block on the disk.
type Write struct {
	Block int
	Data  []byte
	claim bool
	lead  bool
}

// Vote tells whether the node has the vote for a ring.
type Vote struct {
	Rep  uint32
	Seq  uint64
	Cast bool
}

// Notice is for the log.
type Notice struct {
	Warn bool
	Text string
	Args []any
}

func (*Write) action()  {}
func (*Vote) action()   {}
func (*Notice) action() {}

// A Core is one node's side. It is not safe for concurrent use.
type Core struct {
	cfg   Config
	ids   []uint32 // sorted
	index int
	list  uint64
	now   time.Duration
	out   []Action

	ring    Ring
	known   bool
	decided bool
	cast    bool
	pass    bool
	evicted bool
	seq     uint64
	failing bool // the disk, as last told

	lastRead time.Duration // beginning of the reading before this one
	term     uint64        // the highest seen
	reads    int
	leader   seen
	slots    []seen

	// Of this node's leadership.
	leading bool
	until   time.Duration // of the lease
	claimed uint64        // seq of the claim that waits, 0 for none
	claimAt time.Duration // beginning of its write
	verify  time.Duration // not before; 0 while it is being written
}

// seen is what is known of a block.
type seen struct {
	raw     [8]byte // stands for its bytes
	rec     record
	ok      bool
	since   time.Duration // end of the reading that first showed this value
	trusted time.Duration // beginning of the reading before that one
	changed bool          // it was seen to change at all
}

// New makes a core.
func New(cfg Config) *Core {
	if cfg.Interval <= 0 {
		cfg.Interval = DefaultInterval
	}
	if cfg.Misses < MinMisses {
		cfg.Misses = DefaultMisses
	}
	c := &Core{cfg: cfg, ids: slices.Sorted(slices.Values(cfg.Nodes)), pass: true}
	c.ids = c.ids[:min(len(c.ids), MaxNodes)]
	c.index = slices.Index(c.ids, cfg.Node)
	c.slots = make([]seen, len(c.ids))
	h := fnv.New64a()
	for _, id := range c.ids {
		_, _ = h.Write(binary.BigEndian.AppendUint32(nil, id))
	}
	c.list = h.Sum64()
	return c
}

// Step takes one event and returns what follows from it.
func (c *Core) Step(now time.Duration, ev Event) []Action {
	c.now, c.out = now, nil
	c.expire() // before anything is done on the strength of it
	switch ev := ev.(type) {
	case *Ring:
		if !c.known || ev.Rep != c.ring.Rep || ev.Seq != c.ring.Seq {
			c.ring, c.known, c.decided, c.cast = *ev, true, false, false
		}
	case *Checked:
		c.pass = ev.Pass
	case *Read:
		c.read(ev)
	case *Wrote:
		c.wrote(ev)
	}
	c.expire()
	return c.out
}

func (c *Core) emit(a Action) { c.out = append(c.out, a) }

// Deadline is the time at which [Ticked] is due; ok is false for never.
func (c *Core) Deadline() (at time.Duration, ok bool) {
	if !c.cast {
		return 0, false
	}
	return c.trust(), true
}

// trust is the time up to which this node counts on the leader that it knows.
func (c *Core) trust() time.Duration {
	if c.leading {
		return c.until
	}
	return c.leader.trusted + c.cfg.lease()
}

// expire takes the vote away when the leader is not to be trusted any more.
func (c *Core) expire() {
	if c.leading && c.now >= c.until {
		c.leading = false
		c.emit(&Notice{Warn: true, Text: "leadership of the disk lost", Args: []any{"reason", "the lease was not renewed in time"}})
	}
	if c.cast && c.now >= c.trust() {
		c.vote(false)
	}
}

func (c *Core) vote(cast bool) {
	if !c.known || c.decided && c.cast == cast {
		return
	}
	c.cast, c.decided = cast, true
	c.emit(&Vote{c.ring.Rep, c.ring.Seq, cast})
}

// bits gives the ring's members by their places.
func (c *Core) bits(ids []uint32) (b bitmap) {
	for _, id := range ids {
		if i := slices.Index(c.ids, id); i >= 0 {
			b.set(i)
		}
	}
	return b
}

// record is what this node writes into a block.
func (c *Core) record(kind uint8) *record {
	c.seq++
	return &record{
		Kind: kind, Pass: c.pass, Node: c.cfg.Node, Boot: c.cfg.Boot, Seq: c.seq, List: c.list, RingRep: c.ring.Rep, RingSeq: c.ring.Seq,
		Members: c.bits(c.ring.Members),
	}
}

// read takes in what the disk says and writes what this node has to say.
func (c *Core) read(ev *Read) {
	if ev.Err != nil || len(ev.Blocks) < (firstSlot+len(c.ids))*BlockSize {
		c.trouble("the disk cannot be read", ev.Err)
		c.claimed = 0
		return
	}
	if c.now-ev.Start > c.cfg.limit() {
		c.trouble("the disk is slow", nil)
		c.claimed = 0
	} else {
		c.healed()
	}
	c.take(&c.leader, ev, leaderBlock, kindLeader)
	for i := range c.slots {
		c.take(&c.slots[i], ev, firstSlot+i, kindSlot)
	}
	c.lastRead = ev.Start
	c.reads++
	c.term = max(c.term, c.leader.rec.Term)
	if !c.known || c.index < 0 {
		return
	}
	slot := c.record(kindSlot)
	c.emit(&Write{Block: firstSlot + c.index, Data: slot.encode(c.cfg.Cluster)})
	c.contend(ev.Start)
	c.judge()
}

// take notes a block's value and when it changed.
func (c *Core) take(s *seen, ev *Read, block int, kind uint8) {
	data := ev.Blocks[block*BlockSize : (block+1)*BlockSize]
	h := fnv.New64a()
	_, _ = h.Write(data)
	var raw [8]byte
	copy(raw[:], h.Sum(nil))
	if raw == s.raw && c.reads > 0 {
		return
	}
	rec, ok, _ := decode(data, kind, c.cfg.Cluster)
	*s = seen{raw: raw, rec: rec, ok: ok, since: c.now, trusted: c.lastRead, changed: c.reads > 0}
	// A block may have stood in between that this node did not see, if so much
	// time has passed: what is there now may be an old write that came late.
	if c.reads == 0 || c.now-c.lastRead >= 2*c.cfg.limit() {
		s.changed = false
	}
}

// mine tells whether the leader block says what this node has written.
func (c *Core) mine() bool {
	return c.leader.ok && c.leader.rec.Node == c.cfg.Node && c.leader.rec.Boot == c.cfg.Boot
}

// contend keeps, claims, wins or gives up the leadership.
func (c *Core) contend(started time.Duration) {
	switch {
	case c.claimed != 0:
		if !c.mine() || c.leader.rec.Seq != c.claimed {
			c.claimed = 0 // another one was later
			return
		}
		if c.verify == 0 || started < c.verify {
			return
		}
		c.claimed = 0
		c.leading, c.until = true, c.claimAt+c.cfg.lease()
		c.emit(&Notice{Text: "leader of the disk"})
		c.renew()
	case c.leading:
		switch {
		case !c.mine():
			c.leading = false
			c.emit(&Notice{Warn: true, Text: "leadership of the disk lost", Args: []any{"reason", "another node has written the leader block", "node", c.leader.rec.Node}})
		case !c.pass || c.outnumbered():
			c.resign()
		default:
			c.renew()
		}
	case started-c.leader.since >= c.cfg.patience() && c.candidate():
		r := c.record(kindLeader)
		r.Term = c.term + 1
		c.claimed, c.verify = r.Seq, 0
		c.emit(&Write{Block: leaderBlock, Data: r.encode(c.cfg.Cluster), claim: true})
	}
}

// renew writes the leader block anew.
func (c *Core) renew() {
	r := c.record(kindLeader)
	r.Term, r.Lead = c.term, true
	for i := range c.slots {
		if i != c.index && !c.fresh(i) {
			r.Evicted.set(i)
		}
	}
	c.emit(&Write{Block: leaderBlock, Data: r.encode(c.cfg.Cluster), lead: true})
}

// resign gives the leadership up; the vote goes first.
func (c *Core) resign() {
	c.leading = false
	c.vote(false)
	r := c.record(kindLeader)
	r.Node, r.Term = 0, c.term
	c.emit(&Notice{Warn: true, Text: "leadership of the disk given up", Args: []any{"heuristics", c.pass}})
	c.emit(&Write{Block: leaderBlock, Data: r.encode(c.cfg.Cluster)})
}

// fresh tells whether a node writes its slot, for the same list of nodes.
func (c *Core) fresh(i int) bool {
	s := &c.slots[i]
	return s.ok && s.changed && s.rec.List == c.list && s.rec.Node == c.ids[i] && c.now-s.since < c.cfg.lease()
}

// outnumbered tells whether another part of the cluster writes to the disk that
// is larger than this one, with heuristics that pass.
func (c *Core) outnumbered() bool {
	own := c.bits(c.ring.Members)
	for i := range c.slots {
		r := &c.slots[i].rec
		if !own.has(i) && c.fresh(i) && r.Pass && !r.Members.has(c.index) && r.Members.count() > own.count() {
			return true
		}
	}
	return false
}

// candidate tells whether this node should be the leader: the first of its part
// whose heuristics pass, in the largest part.
func (c *Core) candidate() bool {
	own := c.bits(c.ring.Members)
	if !c.pass || !own.has(c.index) || c.outnumbered() {
		return false
	}
	for i := range c.index {
		if own.has(i) && c.fresh(i) && c.slots[i].rec.Pass {
			return false
		}
	}
	return true
}

// wrote takes the end of a write.
func (c *Core) wrote(ev *Wrote) {
	late := c.now-ev.Start > c.cfg.limit()
	if ev.Err != nil || late {
		c.trouble("the disk cannot be written", ev.Err)
		if ev.Write.claim {
			c.claimed = 0
		}
		return
	}
	switch {
	case ev.Write.claim && c.claimed != 0:
		// From the reading that found the block free to here no more than D may
		// have passed: others rely on it.
		if c.now-c.lastRead > c.cfg.limit() {
			c.claimed = 0
			return
		}
		c.claimAt, c.verify = ev.Start, c.now+2*c.cfg.limit()
	case ev.Write.lead && c.leading && ev.Start < c.until:
		c.until = ev.Start + c.cfg.lease()
	}
}

// judge gives the node the vote if the leader is of its ring.
func (c *Core) judge() {
	if c.leading {
		if c.now < c.until {
			c.vote(true)
		}
		return
	}
	l := &c.leader
	if !l.ok || !l.changed || !l.rec.Lead || l.rec.Term < c.term || l.rec.Node == 0 || l.rec.List != c.list || c.now >= c.trust() {
		if c.cast {
			c.vote(false)
		}
		return
	}
	was := c.evicted
	c.evicted = l.rec.Evicted.has(c.index)
	if c.evicted && !was {
		c.emit(&Notice{Warn: true, Text: "evicted by the leader of the disk", Args: []any{"node", l.rec.Node}})
	}
	switch {
	case c.evicted || !l.rec.Members.has(c.index):
		c.vote(false)
	case l.rec.RingRep == c.ring.Rep && l.rec.RingSeq == c.ring.Seq:
		c.vote(true)
	case c.cast:
		c.vote(false)
	}
	// Else the leader is to say yet which ring it is in.
}

func (c *Core) trouble(text string, err error) {
	if c.failing {
		return
	}
	c.failing = true
	args := []any{}
	if err != nil {
		args = append(args, "error", err)
	}
	c.emit(&Notice{Warn: true, Text: text, Args: args})
}

func (c *Core) healed() {
	if c.failing {
		c.failing = false
		c.emit(&Notice{Text: "the disk is well again"})
	}
}

// A Status describes a node's side for the status tool.
type Status struct {
	Leader  uint32 // as this node knows it, 0 for none
	Cast    bool
	Evicted bool
	Failing bool
}

// Status describes the node's side as it is now.
func (c *Core) Status(now time.Duration) Status {
	s := Status{Cast: c.cast, Evicted: c.evicted, Failing: c.failing}
	if now < c.trust() && c.leader.rec.Lead {
		s.Leader = c.leader.rec.Node
	}
	return s
}

// Used is how many blocks a cluster of so many nodes uses.
func Used(nodes int) int { return firstSlot + min(nodes, MaxNodes) }
