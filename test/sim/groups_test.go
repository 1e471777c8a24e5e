// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/cpg"
	"github.com/quorate/quorate/messaging/totem"
)

// groups is the application of a node in seeds that have process groups: the
// real core of messaging/cpg with clients that join, leave and talk.
type groups struct {
	n       *node
	core    *cpg.Core
	votes   *ballots
	next    uint64                          // client
	clients map[uint64][]messaging.MemberID // the last members each was told of
	left    map[uint64]bool                 // asked to leave
	table   map[messaging.MemberID]messaging.Reason
}

var groupNames = []string{"cib", "crmd", "web"}

func newGroups(n *node) *groups {
	g := &groups{
		n: n, core: cpg.New(n.id), next: uint64(n.life) << 32,
		clients: map[uint64][]messaging.MemberID{}, left: map[uint64]bool{}, table: map[messaging.MemberID]messaging.Reason{},
	}
	g.votes = newBallots(n, g)
	return g
}

// work lets a client do something, if the engine would take it now.
func (g *groups) work(size int) {
	n := g.n
	if g.core.Syncing() || !n.core.Room(size+100) {
		return
	}
	r := n.c.w.Rand()
	if n.c.options.admin != "" && r.IntN(15) == 0 {
		g.votes.ask()
	}
	clients := slices.DeleteFunc(slices.Sorted(maps.Keys(g.clients)), func(id uint64) bool { return g.left[id] })
	what := r.IntN(10)
	var body []byte
	var err error
	switch {
	case len(clients) == 0 || what == 0 && len(clients) < 6:
		g.next++
		g.clients[g.next] = nil
		body, err = g.core.Join(g.next, uint32(g.next), groupNames[r.IntN(len(groupNames))])
	case what == 1:
		id := clients[r.IntN(len(clients))]
		g.left[id] = true
		body = g.core.Leave(id, messaging.ReasonLeave)
	default:
		id := clients[r.IntN(len(clients))]
		body, err = g.core.Multicast(id, filler(msgID{n.id, n.life, n.count}, size))
	}
	if err != nil {
		n.c.check.expect("groups", false, "%v", err)
		return
	}
	n.step(n.message(false, body))
}

func (g *groups) transitional(a *totem.ConfChange) {
	g.core.Transitional(a.Members)
	g.votes.transitional(a)
}

func (g *groups) regular(a *totem.ConfChange) []totem.Event {
	round := g.core.Regular(a.Ring, a.Members, nil)
	out := g.act(round[:len(round)-1]) // the last is this node's word
	return append(out, g.act(g.votes.regular(a))...)
}

func (g *groups) deliver(a *totem.Deliver) []totem.Event {
	return g.act(g.core.Deliver(a.From, a.Body[bodyHead:]))
}

func (g *groups) act(as []cpg.Action) (out []totem.Event) {
	k, n := g.n.c.check, g.n
	for _, a := range as {
		switch a := a.(type) {
		case *cpg.Submit:
			out = append(out, n.message(a.Sync, a.Body))
		case *cpg.Deliver:
			g.event(a)
		case *cpg.Synced:
			k.expect("synchronisation completes", a.Ring == n.ring, "node %d: %v on %v", n.id, a.Ring, n.ring)
			g.votes.synced(a)
		case *cpg.Service:
			g.votes.service(a)
		case *cpg.SyncDone:
			k.synced(n.id, n.life, n.ring, g.digest())
			out = append(out, &totem.SyncDone{})
		case *cpg.Protest:
			k.expect("groups agree", false, "node %d life %d ring %v: against %d: %s", n.id, n.life, n.ring, a.From, a.What)
		}
	}
	return out
}

// digest stands for the tables of all groups.
func (g *groups) digest() uint64 {
	h := fnv.New64a()
	all := g.core.Groups()
	for _, name := range slices.Sorted(maps.Keys(all)) {
		fmt.Fprintf(h, "%s %v\n", name, all[name])
	}
	return h.Sum64()
}

// event checks what a client is told.
func (g *groups) event(d *cpg.Deliver) {
	k, n := g.n.c.check, g.n
	have := g.clients[d.Client]
	if n.c.trace != nil {
		n.tracef("  client %d gets %T %+v", d.Client&0xffff, d.Event, d.Event)
	}
	switch ev := d.Event.(type) {
	case *messaging.Message:
		_, ok := slices.BinarySearchFunc(have, ev.From, compareMembers)
		k.expect("sender is in the group", ok, "node %d client %d: message of %v, members %v", n.id, d.Client, ev.From, have)
		k.spans.add(n, d.Client, string(ev.Body[:min(len(ev.Body), 16)]))
	case *messaging.ConfigChange:
		if have != nil {
			want := slices.Clone(have)
			for _, l := range ev.Left {
				at, ok := slices.BinarySearchFunc(want, l.Member, compareMembers)
				k.expect("group changes once", ok, "node %d client %d: %v left twice, or never joined", n.id, d.Client, l.Member)
				if ok {
					want = slices.Delete(want, at, at+1)
				}
			}
			for _, j := range ev.Joined {
				at, ok := slices.BinarySearchFunc(want, j.Member, compareMembers)
				k.expect("group changes once", !ok, "node %d client %d: %v joined twice", n.id, d.Client, j.Member)
				if !ok {
					want = slices.Insert(want, at, j.Member)
				}
			}
			k.expect("group changes once", slices.Equal(want, ev.Members), "node %d client %d: members %v do not follow from %v", n.id, d.Client, ev.Members, have)
		}
		g.clients[d.Client] = ev.Members
		k.spans.view(k, n, d.Client, ev)
	}
}

func compareMembers(a, b messaging.MemberID) int {
	if a.Node != b.Node {
		return int(a.Node) - int(b.Node)
	}
	return int(int64(a.Client) - int64(b.Client))
}

// spans compares what clients saw between the same two views of a group.
type spans struct {
	now  map[messaging.MemberID]*span
	seen map[string]string // from view and to view: messages
}

type span struct {
	from string
	msgs strings.Builder
}

func newSpans() *spans { return &spans{now: map[messaging.MemberID]*span{}, seen: map[string]string{}} }

func (s *spans) add(n *node, client uint64, text string) {
	if sp := s.now[messaging.MemberID{Node: n.id, Client: client}]; sp != nil {
		sp.msgs.WriteString(text)
		sp.msgs.WriteByte(0)
	}
}

func (s *spans) view(k *checker, n *node, client uint64, ev *messaging.ConfigChange) {
	id := messaging.MemberID{Node: n.id, Client: client}
	// A view is named by its ring and members; the same two after each other
	// within one ring happen when somebody joins and leaves again.
	name := fmt.Sprint(ev.Ring, ev.Members)
	if sp := s.now[id]; sp != nil {
		// Nodes that part and meet again have the same members then, but see
		// each other leave and join.
		key := fmt.Sprint(sp.from, " to ", name, ev.Joined, ev.Left)
		got := sp.msgs.String()
		if want, ok := s.seen[key]; ok {
			k.expect("virtual synchrony of groups", got == want, "node %d client %d from %s: %q, elsewhere %q", n.id, client, key, got, want)
		} else {
			s.seen[key] = got
		}
	}
	s.now[id] = &span{from: name}
}
