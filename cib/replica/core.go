// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package replica

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/attrs"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/operation"
	"github.com/quorate/quorate/messaging"
)

// A Core is one replica. It is for one goroutine.
type Core struct {
	self  messaging.MemberID
	root  *etree.Element
	table attrs.Table

	mode    Mode
	members []messaging.MemberID
	tag     string // names the group and meeting
	lineage string // tag of the latest group in which this replica was ready
	// along are those of that group's members that came along to this one.
	along   []messaging.MemberID
	splitAt cib.Version
	// cut: this is the smaller part of a group that fell apart, whatever its
	// document still says of quorum, until the next meeting.
	cut bool

	applied uint64 // writes applied since the group became ready
	acked   map[messaging.MemberID]uint64
	sentAck uint64 // position of the latest own ack
	ackOut  bool   // an own ack is under way
	needAck uint64 // position up to which others wait for us
	checks  []check

	ops       map[uint64]*op // own writes, by sequence number
	waits     []*op          // those of them that are applied and not answered, by position
	byID      map[uint64]uint64
	seq       uint64
	persisted uint64 // index of the latest Persist
	stored    uint64

	meet  meeting
	stale uint64 // the write that waited longest at the latest tick
	doubt bool   // a neighbour hangs: every member is to echo
	out   []Action
}

type check struct {
	n      uint64
	digest string
}

// op is an own write under way.
type op struct {
	id      uint64
	seq     uint64
	body    []byte
	sent    bool
	applied bool
	pos     uint64 // in the group, once applied
	persist uint64 // index that must be stored
	enough  bool   // enough members have it
	result  cib.Result
	err     error
}

// New makes a replica with the document from disk.
func New(root *etree.Element) *Core {
	return &Core{root: root, mode: ModeAlone, ops: map[uint64]*op{}, byID: map[uint64]uint64{}}
}

// Root gives the document. It is not to be changed.
func (c *Core) Root() *etree.Element { return c.root }

// Mode tells what the replica is at.
func (c *Core) Mode() Mode { return c.mode }

// Waiting tells whether the core wants to be told how time passes.
func (c *Core) Waiting() bool { return c.mode == ModeMeeting || len(c.waits) > 0 }

// tick helps along what waits for a member that hangs.
func (c *Core) tick() {
	switch {
	case c.mode == ModeMeeting:
		c.hurry()
	case len(c.waits) > 0 && !c.waits[0].enough:
		if c.stale == c.waits[0].seq {
			c.doubt = true
			c.send(message{Kind: kindAsk, Tag: c.tag})
		}
		c.stale = c.waits[0].seq
	}
}

// Members counts the members of the group.
func (c *Core) Members() int { return len(c.members) }

// Attrs lists transient attributes.
func (c *Core) Attrs(name, node string) []cib.Attr { return c.table.List(c.root, name, node) }

// Step handles one event. The actions are valid until the next Step.
func (c *Core) Step(ev Event) []Action {
	c.out = c.out[:0]
	switch ev := ev.(type) {
	case *Joined:
		c.self = ev.Self
		c.sendWaiting()
	case *View:
		c.view(ev.Change)
	case *Deliver:
		c.deliver(ev.From, ev.Body)
	case *Lost:
		c.lost()
	case *Write:
		c.submit(ev.ID, message{Kind: kindWrite, Req: &ev.Req, Meta: &ev.Meta})
	case *SetAttr:
		c.submit(ev.ID, message{Kind: kindAttr, Attr: &ev.Up})
	case *Stored:
		c.storedTo(ev)
	case *TimerFired:
		c.send(message{Kind: kindFlush, Name: ev.Name})
	case *Tick:
		c.tick()
	case *GiveUp:
		if seq, ok := c.byID[ev.ID]; ok {
			delete(c.byID, ev.ID)
			if o := c.ops[seq]; o != nil && !o.sent {
				delete(c.ops, seq)
			}
		}
	}
	return c.out
}

func (c *Core) act(a Action) { c.out = append(c.out, a) }

func (c *Core) notice(level int, name string, attrs ...any) {
	c.act(&Notice{Level: level, Name: name, Attrs: attrs})
}

func (c *Core) send(m message) {
	if c.self == (messaging.MemberID{}) {
		return
	}
	m.Proto = Protocol
	c.act(&Multicast{Body: encode(&m)})
}

func (c *Core) submit(id uint64, m message) {
	c.seq++
	m.Proto, m.Seq, m.All = Protocol, c.seq, c.doubt
	o := &op{id: id, seq: c.seq, body: encode(&m)}
	c.ops[c.seq] = o
	c.byID[id] = c.seq
	c.sendOp(o)
}

func (c *Core) sendOp(o *op) {
	if c.self == (messaging.MemberID{}) {
		return
	}
	o.sent = true
	c.act(&Multicast{Body: o.body})
}

// ordered gives the own writes in the order of their making.
func (c *Core) ordered() []*op {
	all := make([]*op, 0, len(c.ops))
	for _, o := range c.ops {
		all = append(all, o)
	}
	slices.SortFunc(all, func(a, b *op) int { return cmp.Compare(a.seq, b.seq) })
	return all
}

func (c *Core) sendWaiting() {
	for _, o := range c.ordered() {
		if !o.sent {
			c.sendOp(o)
		}
	}
}

func (c *Core) finish(o *op) {
	delete(c.ops, o.seq)
	if c.byID[o.id] != o.seq {
		return
	}
	delete(c.byID, o.id)
	c.act(&Answer{ID: o.id, Result: o.result, Err: o.err})
}

// settle answers what may be answered.
func (c *Core) settle() {
	left := c.waits[:0]
	for _, o := range c.waits {
		if !o.enough {
			o.enough = c.holders(o.pos) >= len(c.members)/2
		}
		if o.err != nil || (o.enough && o.persist <= c.stored) {
			c.finish(o)
			continue
		}
		left = append(left, o)
	}
	clear(c.waits[len(left):])
	c.waits = left
}

// holders counts the other members that told that they have a position.
func (c *Core) holders(pos uint64) int {
	n := 0
	for _, m := range c.members {
		if m != c.self && c.acked[m] >= pos {
			n++
		}
	}
	return n
}

func (c *Core) storedTo(ev *Stored) {
	if ev.Err == nil {
		c.stored = max(c.stored, ev.Index)
		c.settle()
		return
	}
	for _, o := range c.waits {
		if o.persist > c.stored && o.persist <= ev.Index {
			o.err = &cib.Error{Code: cib.CodeError, Msg: "Change is in effect, but could not be stored on this node: " + ev.Err.Error()}
		}
	}
	c.settle()
}

// lost forgets the group. What was sent may or may not happen elsewhere.
func (c *Core) lost() {
	for _, o := range c.ordered() {
		if o.sent {
			o.err = &cib.Error{Code: cib.CodeDisconnect, Msg: "Connection to the cluster was lost: whether the change is in effect is not known"}
			c.finish(o)
		}
	}
	c.waits = nil
	c.self, c.members, c.mode = messaging.MemberID{}, nil, ModeAlone
	c.lineage, c.tag, c.along = "", "", nil
	c.meet = meeting{}
}

// view handles a change of the group.
func (c *Core) view(ch *messaging.ConfigChange) {
	before := c.members
	c.members = slices.Clone(ch.Members)
	if c.mode == ModeReady {
		c.along = before
		c.shrunk(before)
	}
	c.along = slices.DeleteFunc(slices.Clone(c.along), func(m messaging.MemberID) bool {
		is := func(ch messaging.MemberChange) bool { return ch.Member == m }
		return slices.ContainsFunc(ch.Joined, is) || slices.ContainsFunc(ch.Left, is)
	})
	gone := map[messaging.NodeID]bool{}
	for _, l := range ch.Left {
		if l.Reason == messaging.ReasonNodeDown {
			gone[l.Member.Node] = true
		}
	}
	for node := range gone {
		c.table.Forget(fmt.Sprint(node))
	}
	if c.mode == ModeReady && len(ch.Joined) == 0 {
		c.notice(0, "member left", "members", len(c.members))
		// The same members may have been a group before: the tag tells the two apart.
		c.newGroup(chain(c.tag, ch))
		if c.table.Pending() && c.members[0] == c.self {
			c.send(message{Kind: kindFlush})
		}
		return
	}
	c.beginMeeting(tagOf(ch))
}

// shrunk answers the applied writes that wait for other members: all that came
// along have them.
func (c *Core) shrunk(before []messaging.MemberID) {
	along := 0
	for _, m := range before {
		if slices.Contains(c.members, m) {
			along++
		}
	}
	if along < len(before) {
		c.splitAt = operation.VersionOf(c.root)
	}
	c.cut = c.cut || 2*along < len(before)
	for _, o := range c.waits {
		if o.enough {
			continue
		}
		if 2*along >= len(before) {
			o.enough = true
			continue
		}
		o.err = &cib.Error{Code: cib.CodeTimeout, Msg: fmt.Sprintf(
			"Change is in effect on a part of the cluster (%d of %d nodes) that may have to give way to the other", along, len(before))}
	}
	c.settle()
}

// newGroup begins the counting of positions anew.
func (c *Core) newGroup(tag string) {
	c.tag, c.lineage = tag, tag
	c.applied, c.sentAck, c.needAck, c.ackOut = 0, 0, 0, false
	c.acked = map[messaging.MemberID]uint64{}
	c.checks, c.doubt = nil, false
	for _, o := range c.waits {
		o.pos = 0 // all that are here have it
	}
	c.settle()
}

// tagOf names a group by its ring and members. A meeting has a member or a ring
// that was in no group before.
func tagOf(ch *messaging.ConfigChange) string {
	return fmt.Sprintf("%s %v", ch.Ring, ch.Members)
}

func chain(before string, ch *messaging.ConfigChange) string {
	sum := sha256.Sum256([]byte(before))
	return tagOf(ch) + " " + hex.EncodeToString(sum[:8])
}

// digest is that of document and table.
func (c *Core) digest() string {
	h := sha256.New()
	h.Write(document.Compact(c.root))
	h.Write(encode(c.table.Entries()))
	return hex.EncodeToString(h.Sum(nil))
}
