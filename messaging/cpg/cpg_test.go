// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cpg

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/internal/hammer"
	"github.com/quorate/quorate/messaging"
)

// A world is a model of the ring below: partitions with a total order each. It
// keeps the promises of extended virtual synchrony and nothing more.
type world struct {
	nodes   map[messaging.NodeID]*wnode
	nextSeq uint64
}

type wnode struct {
	id     messaging.NodeID
	core   *Core
	ring   *wring
	pos    int
	next   uint64              // next client
	seen   map[uint64][]string // events of each client, as text
	spans  map[uint64][]string // the same, views named by ring and members
	joined map[uint64]bool     // clients asked to join and not to leave
	last   map[uint64][]messaging.MemberID
	fail   func(string, ...any)
}

type wring struct {
	id      messaging.RingID
	members []messaging.NodeID
	log     []wmsg
}

type wmsg struct {
	from messaging.NodeID
	body []byte
}

func newWorld(n int, fail func(string, ...any)) *world {
	w := &world{nodes: map[messaging.NodeID]*wnode{}}
	for id := messaging.NodeID(1); id <= messaging.NodeID(n); id++ {
		w.nodes[id] = w.fresh(id, fail)
	}
	return w
}

func (w *world) fresh(id messaging.NodeID, fail func(string, ...any)) *wnode {
	// Client ids of a later start are higher, as the engine makes them.
	next := uint64(0)
	if old := w.nodes[id]; old != nil {
		next = old.next + 1000
	}
	return &wnode{id: id, core: New(id), next: next, seen: map[uint64][]string{}, spans: map[uint64][]string{}, joined: map[uint64]bool{}, last: map[uint64][]messaging.MemberID{}, fail: fail}
}

func (n *wnode) run(as []Action) {
	for _, a := range as {
		switch a := a.(type) {
		case *Submit:
			n.ring.log = append(n.ring.log, wmsg{n.id, a.Body})
		case *Deliver:
			n.seen[a.Client] = append(n.seen[a.Client], eventText(a.Event))
			if cc, ok := a.Event.(*messaging.ConfigChange); ok {
				n.check(a.Client, cc)
				n.spans[a.Client] = append(n.spans[a.Client], fmt.Sprintf("view %s %v;%v %v", cc.Ring, cc.Members, cc.Joined, cc.Left))
			} else {
				n.spans[a.Client] = append(n.spans[a.Client], eventText(a.Event))
			}
		case *Protest:
			n.fail("node %d protests against %d: %s", n.id, a.From, a.What)
		}
	}
}

// check demands that left and joined explain the members.
func (n *wnode) check(client uint64, cc *messaging.ConfigChange) {
	have := slices.Clone(n.last[client])
	for _, l := range cc.Left {
		have = slices.DeleteFunc(have, func(id messaging.MemberID) bool { return id == l.Member })
	}
	if n.last[client] != nil {
		for _, j := range cc.Joined {
			have = append(have, j.Member)
		}
		slices.SortFunc(have, compareMembers)
		if !slices.Equal(have, cc.Members) {
			n.fail("node %d client %d: members %v do not follow from %v", n.id, client, cc.Members, n.last[client])
		}
	} else if !slices.Contains(cc.Members, messaging.MemberID{Node: n.id, Client: client}) {
		n.fail("node %d client %d: the first change lacks itself", n.id, client)
	}
	n.last[client] = slices.Clone(cc.Members)
}

func eventText(ev messaging.Event) string {
	switch ev := ev.(type) {
	case *messaging.Message:
		return fmt.Sprintf("msg %d/%d %s", ev.From.Node, ev.From.Client, ev.Body)
	case *messaging.ConfigChange:
		return fmt.Sprintf("view %v +%v -%v", ev.Members, ev.Joined, ev.Left)
	}
	return "?"
}

func (w *world) deliver(n *wnode, upTo int) {
	for n.ring != nil && n.pos < upTo && n.pos < len(n.ring.log) {
		m := n.ring.log[n.pos]
		n.pos++
		n.run(n.core.Deliver(m.from, m.body))
	}
}

// change moves to new rings: parts lists their members. Members of one old ring
// that go to the same new one deliver the same messages before.
func (w *world) change(parts [][]messaging.NodeID, cut func(lo, hi int) int) {
	type move struct {
		n    *wnode
		ring *wring
	}
	var moves []move
	for _, part := range parts {
		w.nextSeq += 4
		ring := &wring{id: messaging.RingID{Rep: part[0], Seq: w.nextSeq}, members: part}
		byOld := map[*wring][]messaging.NodeID{}
		for _, id := range part {
			byOld[w.nodes[id].ring] = append(byOld[w.nodes[id].ring], id)
		}
		olds := slices.SortedFunc(maps.Keys(byOld), func(a, b *wring) int { return cmp.Compare(byOld[a][0], byOld[b][0]) })
		for _, old := range olds {
			ids := byOld[old]
			if old == nil {
				for _, id := range ids {
					moves = append(moves, move{w.nodes[id], ring})
				}
				continue
			}
			// All deliver up to a message that none of them has; nobody has it
			// only if its sender is not among them. After the transitional
			// configuration come their own messages behind that gap.
			gaps := []int{len(old.log)}
			lo := 0
			for _, id := range ids {
				lo = max(lo, w.nodes[id].pos)
			}
			for i := lo; i < len(old.log); i++ {
				if !slices.Contains(ids, old.log[i].from) {
					gaps = append(gaps, i)
				}
			}
			gap := gaps[cut(0, len(gaps)-1)]
			for _, id := range ids {
				n := w.nodes[id]
				w.deliver(n, gap)
				n.core.Transitional(ids)
				for i := gap; i < len(old.log); i++ {
					if m := old.log[i]; slices.Contains(ids, m.from) {
						n.run(n.core.Deliver(m.from, m.body))
					}
				}
				moves = append(moves, move{n, ring})
			}
		}
	}
	for _, m := range moves {
		m.n.ring, m.n.pos = m.ring, 0
		m.n.run(m.n.core.Regular(m.ring.id, m.ring.members, []byte(fmt.Sprint(m.n.id))))
	}
}

// wholly leaves no gap.
func wholly(_, _ int) int { return 0 }

func (n *wnode) join(group string) {
	n.next++
	b, err := n.core.Join(n.next, 100, group)
	if err != nil {
		n.fail("join: %v", err)
	}
	n.joined[n.next] = true
	n.ring.log = append(n.ring.log, wmsg{n.id, b})
}

// TestVirtualSynchrony: whatever happens, members that see the same two
// consecutive views saw the same messages between them, views follow from each
// other, and at rest all nodes of a ring have the same groups.
func TestVirtualSynchrony(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		count := rapid.IntRange(1, 4).Draw(t, "nodes")
		w := newWorld(count, t.Fatalf)
		ids := make([]messaging.NodeID, count)
		for i := range ids {
			ids[i] = messaging.NodeID(i + 1)
			w.change([][]messaging.NodeID{{ids[i]}}, nil)
		}
		var past []*wnode // before their restart
		cut := func(lo, hi int) int { return rapid.IntRange(lo, hi).Draw(t, "cut") }
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			n := w.nodes[rapid.SampledFrom(ids).Draw(t, "node")]
			switch rapid.IntRange(0, 11).Draw(t, "what") {
			case 0, 1:
				n.join(rapid.SampledFrom([]string{"a", "b"}).Draw(t, "group"))
			case 2:
				if c := lowest(n.joined); c != 0 {
					delete(n.joined, c)
					n.ring.log = append(n.ring.log, wmsg{n.id, n.core.Leave(c, messaging.ReasonLeave)})
				}
			case 3, 4, 5:
				if c := lowest(n.joined); c != 0 {
					b, _ := n.core.Multicast(c, []byte(fmt.Sprint(rapid.IntRange(0, 1<<30).Draw(t, "text"))))
					n.ring.log = append(n.ring.log, wmsg{n.id, b})
				}
			case 6, 7, 8, 9:
				w.deliver(n, n.pos+rapid.IntRange(1, 10).Draw(t, "deliver"))
			case 10:
				w.change(split(t, ids), cut)
			case 11:
				past = append(past, n)
				w.nodes[n.id] = w.fresh(n.id, t.Fatalf)
				w.change(split(t, ids), cut)
			}
		}
		w.change([][]messaging.NodeID{ids}, cut)
		for range 3 { // deliveries may add to the log
			for _, id := range ids {
				w.deliver(w.nodes[id], 1<<30)
			}
		}
		for _, id := range ids {
			past = append(past, w.nodes[id])
			if w.nodes[id].core.Syncing() {
				t.Fatalf("node %d still waits", id)
			}
			if d := gocmp.Diff(w.nodes[1].core.Groups(), w.nodes[id].core.Groups()); d != "" {
				t.Fatalf("groups of 1 and %d differ:\n%s", id, d)
			}
		}
		compareIntervals(t, past)
	})
}

func lowest(set map[uint64]bool) uint64 {
	var low uint64
	for c := range set {
		if low == 0 || c < low {
			low = c
		}
	}
	return low
}

func split(t *rapid.T, ids []messaging.NodeID) [][]messaging.NodeID {
	var parts [3][]messaging.NodeID
	for _, id := range ids {
		p := rapid.IntRange(0, 2).Draw(t, "part")
		parts[p] = append(parts[p], id)
	}
	return slices.DeleteFunc(parts[:], func(p []messaging.NodeID) bool { return len(p) == 0 })
}

// compareIntervals compares what came between two views at all who saw both in
// a row. Ring and members name the first: what left and joined differs between
// the sides of a merge that led to it. All four name the second: nodes that part
// and meet again before a round ends have the same members, but see each other
// leave and join.
func compareIntervals(t *rapid.T, nodes []*wnode) {
	type span struct{ from, to string }
	between := map[span]string{}
	for _, n := range nodes {
		for _, events := range n.spans {
			from, msgs := "", ""
			for _, e := range events {
				if !strings.HasPrefix(e, "view") {
					msgs += e + "\n"
					continue
				}
				k := span{from, e}
				if old, ok := between[k]; ok && from != "" && old != msgs {
					t.Fatalf("between %s and %s:\n%s---\n%s", from, e, old, msgs)
				}
				between[k] = msgs
				from, _, _ = strings.Cut(e, ";")
				msgs = ""
			}
		}
	}
}

func TestJoinTakesEffectWhereItIsDelivered(t *testing.T) {
	w := newWorld(2, t.Fatalf)
	ids := []messaging.NodeID{1, 2}
	w.change([][]messaging.NodeID{{1}}, nil)
	w.change([][]messaging.NodeID{{2}}, nil)
	w.nodes[1].join("g")
	w.deliver(w.nodes[1], 9)
	w.nodes[2].join("g")
	w.deliver(w.nodes[2], 9)
	w.change([][]messaging.NodeID{ids}, wholly)
	b, _ := w.nodes[1].core.Multicast(1, []byte("early")) // sent before the round ended
	w.nodes[1].ring.log = append([]wmsg{{1, b}}, w.nodes[1].ring.log...)
	w.deliver(w.nodes[1], 9)
	w.deliver(w.nodes[2], 9)
	want := []string{
		"view [{2 1}] +[{{2 1} 1}] -[]",
		"view [{1 1} {2 1}] +[{{1 1} 4}] -[]",
		"msg 1/1 early",
	}
	if d := gocmp.Diff(want, w.nodes[2].seen[1]); d != "" {
		t.Error(d)
	}
	w.change([][]messaging.NodeID{{2}}, wholly)
	w.deliver(w.nodes[2], 9)
	want = append(want, "view [{2 1}] +[] -[{{1 1} 3}]")
	if d := gocmp.Diff(want, w.nodes[2].seen[1]); d != "" {
		t.Error(d)
	}
}

func TestBadNamesAndSizesAreRefused(t *testing.T) {
	c := New(1)
	for _, name := range []string{"", strings.Repeat("x", MaxName+1)} {
		if _, err := c.Join(1, 1, name); err == nil {
			t.Errorf("joined %d bytes", len(name))
		}
	}
	if _, err := c.Multicast(1, make([]byte, messaging.MaxMessage+1)); err == nil {
		t.Error("too big a message was taken")
	}
}

// seeds has a message of each kind.
func seeds() [][]byte {
	return [][]byte{
		encodeJoin(7, 42, "crmd"), encodeLeave(7, messaging.ReasonLeave), encodeMcast(7, []byte("x")),
		encodeSync(messaging.RingID{Rep: 1, Seq: 9}, []byte("votes"), []local{{1, 2, "a"}, {3, 4, "b"}}),
	}
}

// FuzzDecode: no input panics, and what decodes encodes to itself.
func FuzzDecode(f *testing.F) {
	for _, b := range seeds() {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { decodes(t, b) })
}

func decodes(t testing.TB, b []byte) {
	t.Helper()
	m, err := decode(b)
	if err != nil {
		return
	}
	var again []byte
	switch m.kind {
	case kindJoin:
		again = encodeJoin(m.client, m.pid, m.group)
	case kindLeave:
		again = encodeLeave(m.client, m.reason)
	case kindMcast:
		again = encodeMcast(m.client, m.body)
	case kindSync:
		again = encodeSync(m.ring, m.body, m.locals)
	case kindService:
		return
	}
	m2, err := decode(again)
	if err != nil || fmt.Sprint(m) != fmt.Sprint(m2) {
		t.Fatalf("%v, %v, %v", m, m2, err)
	}
}

func TestDecodeHammered(t *testing.T) {
	hammer.Run(t, "FuzzDecode", func(b []byte) { decodes(t, b) }, seeds()...)
}
