// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cpg

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/quorate/quorate/messaging"
)

// An Action is one output of the core: *Submit, *Deliver, *Synced, *Service,
// *SyncDone, *Protest.
type Action interface{ action() }

// Submit asks the ring to order a message. Sync marks those of the round after
// a ring change.
type Submit struct {
	Body []byte
	Sync bool
}

// Deliver hands an event to one local member.
type Deliver struct {
	Client uint64
	Event  messaging.Event
}

// Synced tells that all members of the ring sent their sync message; Extras are
// its opaque parts. It comes before the groups' changes.
type Synced struct {
	Ring    messaging.RingID
	Members []messaging.NodeID
	Extras  map[messaging.NodeID][]byte
}

// Service is an ordered message of the layer above.
type Service struct {
	From messaging.NodeID
	Body []byte
}

// SyncDone tells that the round is over and all that waited was delivered.
type SyncDone struct{}

// Protest reports something that cannot happen while all nodes follow the
// protocol; it is for the log.
type Protest struct {
	From messaging.NodeID
	What string
}

func (*Submit) action()   {}
func (*Deliver) action()  {}
func (*Synced) action()   {}
func (*Service) action()  {}
func (*SyncDone) action() {}
func (*Protest) action()  {}

// A Member is one member of a group, for status tools.
type Member struct {
	ID  messaging.MemberID
	PID uint32
}

type group struct {
	pids  map[messaging.MemberID]uint32
	order []messaging.MemberID // sorted; replaced, never changed in place
}

type waiting struct {
	from messaging.NodeID
	msg  message
}

// A Core holds the groups of one node's view. It is not safe for concurrent use.
type Core struct {
	self    messaging.NodeID
	ring    messaging.RingID
	nodes   []messaging.NodeID // members of the ring
	trans   map[messaging.NodeID]bool
	known   map[messaging.NodeID]bool // nodes whose members stand in groups
	syncing bool
	got     map[messaging.NodeID]message
	waits   []waiting
	mark    int // waits from here on came after the transitional configuration
	groups  map[string]*group
	where   map[messaging.MemberID]string
	left    map[string][]messaging.MemberChange // not yet told to local members; the next change of the group does
}

// New makes a core that belongs to no ring yet.
func New(self messaging.NodeID) *Core {
	return &Core{
		self: self, known: map[messaging.NodeID]bool{self: true}, trans: map[messaging.NodeID]bool{self: true}, syncing: true,
		groups: map[string]*group{}, where: map[messaging.MemberID]string{}, left: map[string][]messaging.MemberChange{},
	}
}

// Syncing tells whether a round is under way: until it ends nothing that is
// submitted gets through.
func (c *Core) Syncing() bool { return c.syncing }

// Join makes the message by which a local client joins a group.
func (c *Core) Join(client uint64, pid uint32, name string) ([]byte, error) {
	if !validName(name) {
		return nil, fmt.Errorf("%w: a group's name has 1 to %d bytes, not %d", messaging.ErrInvalid, MaxName, len(name))
	}
	return encodeJoin(client, pid, name), nil
}

// Leave makes the message by which a local client leaves its group.
func (c *Core) Leave(client uint64, reason messaging.Reason) []byte {
	return encodeLeave(client, reason)
}

// Multicast makes the message that carries a body to a client's group.
func (c *Core) Multicast(client uint64, body []byte) ([]byte, error) {
	if len(body) > messaging.MaxMessage {
		return nil, fmt.Errorf("%w: %d bytes", messaging.ErrTooBig, len(body))
	}
	return encodeMcast(client, body), nil
}

// ServiceMessage makes an ordered message of the layer above.
func (c *Core) ServiceMessage(body []byte) []byte {
	return append([]byte{kindService}, body...)
}

// Transitional notes which members come along to the next ring. What is
// delivered from here on may have gaps, and nodes that do not come along may see
// other messages. So members on those nodes are gone from here on:
//
//  1. Nodes 2 and 3 part. A client of node 2 sends a message, then one of node 3
//     joins its group. Node 3 lacks the message, and the join comes behind the gap.
//  2. Both tell their clients of the join. If both views had the same members,
//     the two sides would have seen other messages between the same two views.
func (c *Core) Transitional(members []messaging.NodeID) {
	c.trans = setOf(members)
	c.mark = len(c.waits)
	if !c.syncing {
		c.part()
	}
}

// part drops the members on nodes that do not come along; the next change of
// their groups tells of it.
func (c *Core) part() {
	maps.DeleteFunc(c.known, func(id messaging.NodeID, _ bool) bool { return !c.trans[id] })
	c.dropUnknown()
}

func setOf(ids []messaging.NodeID) map[messaging.NodeID]bool {
	s := make(map[messaging.NodeID]bool, len(ids))
	for _, id := range ids {
		s[id] = true
	}
	return s
}

// Regular begins a round: the ring has these members now. extra is this node's
// opaque part.
func (c *Core) Regular(ring messaging.RingID, members []messaging.NodeID, extra []byte) []Action {
	var out []Action
	if c.syncing {
		// The last round did not end. Its messages were ordered, and those that
		// come from nodes known to this side count, at all of them alike.
		for i, w := range c.waits {
			if i == c.mark {
				c.part()
			}
			if c.known[w.from] {
				out = c.process(out, w.from, w.msg)
			}
		}
	}
	c.part()
	now := setOf(members)
	maps.DeleteFunc(c.known, func(id messaging.NodeID, _ bool) bool { return !now[id] })
	c.dropUnknown()
	c.ring, c.nodes = ring, slices.Sorted(maps.Keys(now))
	c.syncing, c.got, c.waits, c.mark = true, map[messaging.NodeID]message{}, nil, 0
	c.trans = setOf([]messaging.NodeID{c.self})
	return append(out, c.Word(extra))
}

// Word makes this node's sync message of the present round with another opaque
// part: for callers that keep back the one of [Core.Regular].
func (c *Core) Word(extra []byte) *Submit {
	return &Submit{Body: encodeSync(c.ring, extra, c.locals(c.self)), Sync: true}
}

// dropUnknown removes the members on nodes that are not known.
func (c *Core) dropUnknown() {
	for _, name := range slices.Sorted(maps.Keys(c.groups)) {
		for _, id := range c.sorted(name) {
			if !c.known[id.Node] {
				c.remove(id, name)
				c.left[name] = append(c.left[name], messaging.MemberChange{Member: id, Reason: messaging.ReasonNodeDown})
			}
		}
	}
}

func (c *Core) locals(node messaging.NodeID) []local {
	var out []local
	for id, name := range c.where {
		if id.Node == node {
			out = append(out, local{client: id.Client, pid: c.groups[name].pids[id], group: name})
		}
	}
	slices.SortFunc(out, func(a, b local) int { return cmp.Compare(a.client, b.client) })
	return out
}

// Deliver takes one ordered message.
func (c *Core) Deliver(from messaging.NodeID, body []byte) []Action {
	m, err := decode(body)
	switch {
	case err != nil:
		return []Action{&Protest{From: from, What: err.Error()}}
	case m.kind == kindSync:
		if c.syncing && m.ring == c.ring && slices.Contains(c.nodes, from) {
			c.got[from] = m
			if len(c.got) == len(c.nodes) {
				return c.finish()
			}
		}
		return nil
	case c.syncing:
		c.waits = append(c.waits, waiting{from, m})
		return nil
	}
	return c.process(nil, from, m)
}

// finish ends the round.
func (c *Core) finish() []Action {
	s := &Synced{Ring: c.ring, Members: slices.Clone(c.nodes), Extras: map[messaging.NodeID][]byte{}}
	out := []Action{s}
	joined := map[string][]messaging.MemberChange{}
	for _, node := range c.nodes {
		m := c.got[node]
		s.Extras[node] = m.body
		if c.known[node] {
			out = c.compare(out, node, m.locals)
			continue
		}
		for _, l := range m.locals {
			id := messaging.MemberID{Node: node, Client: l.client}
			c.add(id, l.pid, l.group)
			joined[l.group] = append(joined[l.group], messaging.MemberChange{Member: id, Reason: messaging.ReasonNodeUp})
		}
	}
	c.known = setOf(c.nodes)
	names := setOfNames(c.left, joined)
	for _, name := range names {
		out = c.change(out, name, joined[name], nil)
	}
	c.syncing = false
	waits := c.waits
	c.waits, c.got, c.mark = nil, nil, 0
	for _, w := range waits {
		out = c.process(out, w.from, w.msg)
	}
	return append(out, &SyncDone{})
}

func setOfNames(a, b map[string][]messaging.MemberChange) []string {
	names := slices.AppendSeq(slices.Collect(maps.Keys(a)), maps.Keys(b))
	slices.Sort(names)
	return slices.Compact(names)
}

// compare checks what a node that came along says of itself against what is
// known of it. They cannot differ; if they do, its word counts, and the log
// says so.
func (c *Core) compare(out []Action, node messaging.NodeID, says []local) []Action {
	if slices.Equal(c.locals(node), says) {
		return out
	}
	out = append(out, &Protest{From: node, What: "its members differ from what was known of them"})
	for _, l := range c.locals(node) {
		if !slices.Contains(says, l) {
			id := messaging.MemberID{Node: node, Client: l.client}
			c.remove(id, l.group)
			c.left[l.group] = append(c.left[l.group], messaging.MemberChange{Member: id, Reason: messaging.ReasonProcDown})
		}
	}
	for _, l := range says {
		id := messaging.MemberID{Node: node, Client: l.client}
		if _, ok := c.where[id]; !ok {
			c.add(id, l.pid, l.group)
			out = c.change(out, l.group, []messaging.MemberChange{{Member: id, Reason: messaging.ReasonNodeUp}}, nil)
		}
	}
	return out
}

// process lets one message take effect.
func (c *Core) process(out []Action, from messaging.NodeID, m message) []Action {
	id := messaging.MemberID{Node: from, Client: m.client}
	name, member := c.where[id]
	switch {
	case m.kind == kindService:
		return append(out, &Service{From: from, Body: m.body})
	case m.kind == kindJoin && !member:
		c.add(id, m.pid, m.group)
		return c.change(out, m.group, []messaging.MemberChange{{Member: id, Reason: messaging.ReasonJoin}}, nil)
	case !member || m.kind == kindJoin:
		return append(out, &Protest{From: from, What: fmt.Sprintf("message of kind %d from client %d out of place", m.kind, m.client)})
	case m.kind == kindLeave:
		c.remove(id, name)
		return c.change(out, name, nil, []messaging.MemberChange{{Member: id, Reason: m.reason}})
	}
	msg := &messaging.Message{From: id, Body: m.body}
	for _, to := range c.sorted(name) {
		if to.Node == c.self {
			out = append(out, &Deliver{Client: to.Client, Event: msg})
		}
	}
	return out
}

func (c *Core) add(id messaging.MemberID, pid uint32, name string) {
	g := c.groups[name]
	if g == nil {
		g = &group{pids: map[messaging.MemberID]uint32{}}
		c.groups[name] = g
	}
	g.pids[id] = pid
	c.where[id] = name
	g.sort()
}

func (c *Core) remove(id messaging.MemberID, name string) {
	delete(c.where, id)
	g := c.groups[name]
	delete(g.pids, id)
	g.sort()
	if len(g.pids) == 0 {
		delete(c.groups, name)
	}
}

// sort renews the order of the members.
func (g *group) sort() {
	g.order = slices.SortedFunc(maps.Keys(g.pids), compareMembers)
}

// sorted gives the members in order; the slice is never changed afterwards.
func (c *Core) sorted(name string) []messaging.MemberID {
	if g := c.groups[name]; g != nil {
		return g.order
	}
	return nil
}

func compareMembers(a, b messaging.MemberID) int {
	return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Client, b.Client))
}

// change tells the local members of a group about a change of it, and of those
// who left it before without a word.
func (c *Core) change(out []Action, name string, joined, left []messaging.MemberChange) []Action {
	if gone := c.left[name]; len(gone) > 0 {
		left = append(gone, left...)
		delete(c.left, name)
	}
	ids := c.sorted(name)
	var ev *messaging.ConfigChange
	for _, id := range ids {
		if id.Node != c.self {
			continue
		}
		if ev == nil {
			ev = &messaging.ConfigChange{Ring: c.ring, Members: ids, Joined: joined, Left: left}
		}
		out = append(out, &Deliver{Client: id.Client, Event: ev})
	}
	return out
}

// Groups lists all groups with their members.
func (c *Core) Groups() map[string][]Member {
	out := make(map[string][]Member, len(c.groups))
	for name, g := range c.groups {
		for _, id := range c.sorted(name) {
			out[name] = append(out[name], Member{ID: id, PID: g.pids[id]})
		}
	}
	return out
}

// Count tells the numbers of groups and members, for metrics.
func (c *Core) Count() (groups, members int) { return len(c.groups), len(c.where) }
