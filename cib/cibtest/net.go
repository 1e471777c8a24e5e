// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cibtest

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/quorate/quorate/messaging"
)

// Net is a ring in memory. It is safe for concurrent use.
type Net struct {
	mu     sync.Mutex
	nodes  map[messaging.NodeID]*Bus // guarded by mu, as all below
	groups []*group
	client uint64
	seq    uint64
}

// NewNet makes a net without nodes.
func NewNet() *Net {
	return &Net{nodes: map[messaging.NodeID]*Bus{}}
}

// Bus is one node's messaging in a net. It implements messaging.Bus.
type Bus struct {
	net  *Net
	id   messaging.NodeID
	name string
	part int
	down bool
	quor chan struct{} // closed when the view changes
}

// Bus gives the node with the id, which is made if need be.
func (n *Net) Bus(id messaging.NodeID, name string) *Bus {
	n.mu.Lock()
	defer n.mu.Unlock()
	if b := n.nodes[id]; b != nil {
		return b
	}
	b := &Bus{net: n, id: id, name: name, quor: make(chan struct{})}
	n.nodes[id] = b
	n.viewChangedLocked()
	return b
}

// Split puts nodes into partitions. Nodes that are not named stay in the first.
func (n *Net) Split(parts ...[]messaging.NodeID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.changeLocked(func() {
		for _, b := range n.nodes {
			b.part = 0
		}
		for i, p := range parts {
			for _, id := range p {
				n.nodes[id].part = i
			}
		}
	}, messaging.ReasonNodeDown, messaging.ReasonNodeUp)
}

// Heal puts all nodes into one partition.
func (n *Net) Heal() { n.Split() }

// Kill powers a node off: its groups are lost, its bus refuses.
func (n *Net) Kill(id messaging.NodeID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.changeLocked(func() {
		n.nodes[id].down = true
		n.dropLocked(id, messaging.ErrClosed)
	}, messaging.ReasonNodeDown, messaging.ReasonNodeUp)
}

// Start powers a node on again.
func (n *Net) Start(id messaging.NodeID) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.nodes[id].down = false
	n.seq++
	n.viewChangedLocked()
}

func (n *Net) dropLocked(id messaging.NodeID, err error) {
	for _, g := range slices.Clone(n.groups) {
		if g.self.Node == id {
			g.endLocked(err)
		}
	}
}

// changeLocked carries a change of nodes out and tells the members of groups.
func (n *Net) changeLocked(change func(), left, joined messaging.Reason) {
	before := map[*group][]messaging.MemberID{}
	for _, g := range n.groups {
		before[g] = g.membersLocked()
	}
	change()
	n.seq++
	for _, g := range slices.Clone(n.groups) {
		g.tellLocked(before[g], left, joined)
	}
	n.viewChangedLocked()
}

func (n *Net) viewChangedLocked() {
	for _, b := range n.nodes {
		close(b.quor)
		b.quor = make(chan struct{})
	}
}

// group is one membership; it implements messaging.Group.
type group struct {
	bus   *Bus
	name  string
	self  messaging.MemberID
	queue []messaging.Event // guarded by net.mu
	err   error             // guarded by net.mu
	more  chan struct{}
}

func (g *group) membersLocked() []messaging.MemberID {
	var ms []messaging.MemberID
	for _, o := range g.bus.net.groups {
		if o.name == g.name && o.bus.part == g.bus.part {
			ms = append(ms, o.self)
		}
	}
	slices.SortFunc(ms, func(a, b messaging.MemberID) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Client, b.Client))
	})
	return ms
}

func (g *group) tellLocked(before []messaging.MemberID, left, joined messaging.Reason) {
	now := g.membersLocked()
	ch := &messaging.ConfigChange{Ring: messaging.RingID{Rep: now[0].Node, Seq: g.bus.net.seq}, Members: now}
	for _, m := range before {
		if !slices.Contains(now, m) {
			ch.Left = append(ch.Left, messaging.MemberChange{Member: m, Reason: left})
		}
	}
	for _, m := range now {
		if !slices.Contains(before, m) {
			ch.Joined = append(ch.Joined, messaging.MemberChange{Member: m, Reason: joined})
		}
	}
	if len(ch.Left)+len(ch.Joined) > 0 {
		g.putLocked(ch)
	}
}

func (g *group) putLocked(ev messaging.Event) {
	g.queue = append(g.queue, ev)
	select {
	case g.more <- struct{}{}:
	default:
	}
}

func (g *group) endLocked(err error) {
	n := g.bus.net
	n.groups = slices.DeleteFunc(n.groups, func(o *group) bool { return o == g })
	if g.err == nil {
		g.err = err
	}
	select {
	case g.more <- struct{}{}:
	default:
	}
}

// Join implements messaging.Bus.
func (b *Bus) Join(_ context.Context, name string) (messaging.Group, error) {
	n := b.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if b.down {
		return nil, fmt.Errorf("join %s: %w", name, messaging.ErrClosed)
	}
	n.client++
	g := &group{bus: b, name: name, self: messaging.MemberID{Node: b.id, Client: n.client}, more: make(chan struct{}, 1)}
	before := map[*group][]messaging.MemberID{}
	for _, o := range n.groups {
		before[o] = o.membersLocked()
	}
	n.groups = append(n.groups, g)
	for _, o := range n.groups {
		if o.name == name {
			o.tellLocked(before[o], 0, messaging.ReasonJoin)
		}
	}
	return g, nil
}

// Self implements messaging.Group.
func (g *group) Self() messaging.MemberID { return g.self }

// Multicast implements messaging.Group.
func (g *group) Multicast(_ context.Context, body []byte) error {
	n := g.bus.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if g.err != nil {
		return g.err
	}
	if len(body) > messaging.MaxMessage {
		return messaging.ErrTooBig
	}
	for _, o := range n.groups {
		if o.name == g.name && o.bus.part == g.bus.part {
			o.putLocked(&messaging.Message{From: g.self, Body: slices.Clone(body)})
		}
	}
	return nil
}

// Next implements messaging.Group.
func (g *group) Next(ctx context.Context) (messaging.Event, error) {
	n := g.bus.net
	for {
		n.mu.Lock()
		if g.err != nil {
			n.mu.Unlock()
			return nil, g.err
		}
		if len(g.queue) > 0 {
			ev := g.queue[0]
			g.queue = g.queue[1:]
			n.mu.Unlock()
			return ev, nil
		}
		n.mu.Unlock()
		select {
		case <-g.more:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// Leave implements messaging.Group.
func (g *group) Leave(context.Context) error {
	n := g.bus.net
	n.mu.Lock()
	defer n.mu.Unlock()
	if g.err != nil {
		return nil
	}
	before := map[*group][]messaging.MemberID{}
	for _, o := range n.groups {
		before[o] = o.membersLocked()
	}
	g.endLocked(messaging.ErrClosed)
	for _, o := range n.groups {
		if o.name == g.name {
			o.tellLocked(before[o], messaging.ReasonLeave, 0)
		}
	}
	return nil
}

// view gives the quorum view of a node; every node has one vote.
func (b *Bus) viewLocked() messaging.QuorumView {
	v := messaging.QuorumView{Ring: messaging.RingID{Rep: b.id, Seq: b.net.seq}, Self: b.id}
	for _, o := range b.net.nodes {
		member := !o.down && o.part == b.part
		v.Nodes = append(v.Nodes, messaging.Node{ID: o.id, Name: o.name, Votes: 1, Member: member})
		v.ExpectedVotes++
		if member {
			v.TotalVotes++
			v.Ring.Rep = min(v.Ring.Rep, o.id)
		}
	}
	slices.SortFunc(v.Nodes, func(a, c messaging.Node) int { return cmp.Compare(a.ID, c.ID) })
	v.Quorum = v.ExpectedVotes/2 + 1
	v.Quorate = v.TotalVotes >= v.Quorum
	return v
}

// WatchQuorum implements messaging.Bus.
func (b *Bus) WatchQuorum(context.Context) (messaging.QuorumWatch, error) {
	return &quorumWatch{bus: b, closed: make(chan struct{})}, nil
}

type quorumWatch struct {
	bus    *Bus
	last   string
	closed chan struct{}
	once   sync.Once
}

// Next implements messaging.QuorumWatch.
func (w *quorumWatch) Next(ctx context.Context) (messaging.QuorumView, error) {
	for {
		w.bus.net.mu.Lock()
		v, changed := w.bus.viewLocked(), w.bus.quor
		down := w.bus.down
		w.bus.net.mu.Unlock()
		if down {
			return messaging.QuorumView{}, messaging.ErrClosed
		}
		if s := fmt.Sprint(v); s != w.last {
			w.last = s
			return v, nil
		}
		select {
		case <-changed:
		case <-w.closed:
			return messaging.QuorumView{}, messaging.ErrClosed
		case <-ctx.Done():
			return messaging.QuorumView{}, ctx.Err()
		}
	}
}

// Close implements messaging.QuorumWatch.
func (w *quorumWatch) Close() error {
	w.once.Do(func() { close(w.closed) })
	return nil
}

// Status implements messaging.Bus.
func (b *Bus) Status(context.Context) (messaging.Status, error) {
	b.net.mu.Lock()
	defer b.net.mu.Unlock()
	if b.down {
		return messaging.Status{}, messaging.ErrClosed
	}
	return messaging.Status{View: b.viewLocked(), Self: b.id, Name: b.name, ClusterName: "test", State: "operational"}, nil
}

// Cmap implements messaging.Bus; the map is empty.
func (b *Bus) Cmap(context.Context, string) ([]messaging.CmapEntry, error) { return nil, nil }

// SetExpectedVotes implements messaging.Bus; votes follow the nodes.
func (b *Bus) SetExpectedVotes(context.Context, uint32) error { return nil }

// Close implements messaging.Bus: the node's groups are left as by a process
// that ended.
func (b *Bus) Close() error {
	b.net.mu.Lock()
	defer b.net.mu.Unlock()
	b.net.changeLocked(func() { b.net.dropLocked(b.id, messaging.ErrClosed) }, messaging.ReasonProcDown, 0)
	return nil
}
