// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package replica

import (
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/attrs"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/operation"
	"github.com/quorate/quorate/messaging"
)

// node is one simulated cibd with its disk.
type node struct {
	id     messaging.NodeID
	core   *Core // nil while down
	member messaging.MemberID
	disk   *etree.Element
	inbox  []Event // ordered by the group
	saves  []*Persist
	timers []string
	next   uint64
	asked  map[uint64]string // own writes: what they create
	paused bool
	log    []string
}

// world is a group with partitions. Messages are ordered per partition at
// the time when they are sent; each node handles its inbox at its own pace.
// When the group changes, members that stay together first get what any of
// them has been given (virtual synchrony).
type world struct {
	t     testing.TB
	rng   *rand.Rand
	nodes []*node
	part  map[messaging.NodeID]int // node → partition
	ring  uint64
	conns uint64
	acked map[string]bool // ids whose creation was acknowledged
	risky map[string]bool // acknowledged on a side without a majority
	quiet bool
	sent  map[messaging.NodeID][][]byte // multicast, not yet ordered
}

func newWorld(t testing.TB, seed uint64, n int) *world {
	w := &world{
		t: t, rng: rand.New(rand.NewPCG(seed, 7)), part: map[messaging.NodeID]int{},
		acked: map[string]bool{}, risky: map[string]bool{}, sent: map[messaging.NodeID][][]byte{},
	}
	for i := range n {
		nd := &node{id: messaging.NodeID(i + 1), disk: document.Empty(""), asked: map[uint64]string{}}
		w.nodes = append(w.nodes, nd)
		w.part[nd.id] = 0
	}
	return w
}

func (w *world) peers(part int) []*node {
	var p []*node
	for _, n := range w.nodes {
		if n.core != nil && w.part[n.id] == part {
			p = append(p, n)
		}
	}
	return p
}

func (w *world) members(part int) []messaging.MemberID {
	var ms []messaging.MemberID
	for _, n := range w.peers(part) {
		ms = append(ms, n.member)
	}
	slices.SortFunc(ms, func(a, b messaging.MemberID) int { return cmp.Compare(a.Node, b.Node) })
	return ms
}

// change gives every member of a partition its new configuration.
func (w *world) change(part int, before map[messaging.NodeID][]messaging.MemberID) {
	now := w.members(part)
	for _, n := range w.peers(part) {
		ch := &messaging.ConfigChange{Ring: messaging.RingID{Rep: 1, Seq: w.ring}, Members: now}
		for _, m := range now {
			if !slices.Contains(before[n.id], m) {
				ch.Joined = append(ch.Joined, messaging.MemberChange{Member: m, Reason: messaging.ReasonNodeUp})
			}
		}
		for _, m := range before[n.id] {
			if !slices.Contains(now, m) {
				ch.Left = append(ch.Left, messaging.MemberChange{Member: m, Reason: messaging.ReasonNodeDown})
			}
		}
		n.inbox = append(n.inbox, &View{Change: ch})
	}
}

// snapshot notes who was with whom.
func (w *world) snapshot() map[messaging.NodeID][]messaging.MemberID {
	before := map[messaging.NodeID][]messaging.MemberID{}
	for _, n := range w.nodes {
		if n.core != nil {
			before[n.id] = w.members(w.part[n.id])
		}
	}
	return before
}

func (w *world) start(n *node) {
	before := w.snapshot()
	w.conns++
	n.core = New(document.Clone(n.disk))
	n.member = messaging.MemberID{Node: n.id, Client: w.conns}
	n.inbox, n.saves, n.timers = nil, nil, nil
	w.sent[n.id] = nil
	before[n.id] = nil
	n.inbox = append(n.inbox, &Joined{Self: n.member})
	w.change(w.part[n.id], before)
}

// mayCrash keeps crashes to a minority at a time. A node that came back and has
// not met the others yet counts as down: it holds nothing for them.
func (w *world) mayCrash(n *node) bool {
	down := 1
	for _, o := range w.nodes {
		if o != n && (o.core == nil || o.core.Mode() != ModeReady || len(o.core.members) == 1 || o.fresh()) {
			down++
		}
	}
	return n.core != nil && 2*down < len(w.nodes)
}

// fresh tells whether a meeting is ahead of the node.
func (n *node) fresh() bool {
	return slices.ContainsFunc(n.inbox, func(ev Event) bool {
		v, ok := ev.(*View)
		return ok && len(v.Change.Joined) > 0
	})
}

// crash powers a node off. What it multicast and nobody has may be lost, even
// what it delivered to itself.
func (w *world) crash(n *node) {
	before := w.snapshot()
	n.core = nil
	w.sent[n.id] = nil
	w.ring++
	w.change(w.part[n.id], before)
}

// split puts nodes into partitions at random, or all into one.
func (w *world) split(parts int) {
	before := w.snapshot()
	w.ring++
	for _, n := range w.nodes {
		w.part[n.id] = 0
		if parts > 1 {
			w.part[n.id] = w.rng.IntN(parts)
		}
	}
	for p := range parts {
		w.change(p, before)
	}
}

// order takes one message of a random sender and gives it its place. The
// sender gets it at once; that others do is certain only while it lives.
func (w *world) order(n *node) {
	if len(w.sent[n.id]) == 0 || n.core == nil {
		return
	}
	body := w.sent[n.id][0]
	w.sent[n.id] = w.sent[n.id][1:]
	if w.rng.IntN(200) == 0 && !w.quiet && w.mayCrash(n) {
		// The sender delivers to itself and dies before anybody else has it.
		n.paused = false
		w.run(n, -1)
		w.handle(n, &Deliver{From: n.member, Body: body})
		w.crash(n)
		return
	}
	for _, p := range w.peers(w.part[n.id]) {
		p.inbox = append(p.inbox, &Deliver{From: n.member, Body: body})
	}
}

func (w *world) run(n *node, max int) {
	for i := 0; (max < 0 || i < max) && n.core != nil && len(n.inbox) > 0 && !n.paused; i++ {
		ev := n.inbox[0]
		n.inbox = n.inbox[1:]
		w.handle(n, ev)
	}
}

func (w *world) handle(n *node, ev Event) {
	for _, a := range slices.Clone(n.core.Step(ev)) {
		switch a := a.(type) {
		case *Multicast:
			w.sent[n.id] = append(w.sent[n.id], a.Body)
		case *Persist:
			n.saves = append(n.saves, a)
		case *StartTimer:
			n.timers = append(n.timers, a.Name)
		case *Answer:
			w.answered(n, a)
		case *Notice:
			n.log = append(n.log, a.Name)
			if a.Level == 2 {
				w.t.Fatalf("node %d: %s %v", n.id, a.Name, a.Attrs)
			}
		}
	}
}

func (w *world) answered(n *node, a *Answer) {
	id := n.asked[a.ID]
	if a.Err == nil && id != "" {
		w.acked[id] = true
		if 2*len(w.members(w.part[n.id])) <= len(w.nodes) {
			w.risky[id] = true
		}
	}
}

// save finishes the writes to disk that are under way.
func (w *world) save(n *node) {
	if n.core == nil || len(n.saves) == 0 {
		return
	}
	last := n.saves[len(n.saves)-1]
	n.saves = nil
	disk := document.Clone(last.Root)
	if st := document.Child(disk, "status"); st != nil {
		st.Child = nil
	}
	n.disk = disk
	w.handle(n, &Stored{Index: last.Index})
}

func (w *world) ask(n *node) {
	if n.core == nil {
		return
	}
	n.next++
	id := fmt.Sprintf("r%d-%d-%d", n.id, n.next, w.conns)
	meta := operation.Meta{Node: fmt.Sprint("node", n.id), Client: "test", Written: "now"}
	switch w.rng.IntN(4) {
	case 0:
		req := cib.Request{Op: cib.OpModify, Section: "status", CanCreate: true, Data: fmt.Appendf(nil, `<node_state id="%d" seen=%q/>`, n.id, id)}
		w.handle(n, &Write{ID: n.next, Req: req, Meta: meta})
	case 1:
		w.handle(n, &SetAttr{ID: n.next, Up: attrs.Update{NodeID: fmt.Sprint(n.id), AttrUpdate: cib.AttrUpdate{
			Node: meta.Node, Name: "count", Value: "value++", Dampen: 1000 * 1000 * 1000 * 1,
		}}})
	default:
		n.asked[n.next] = id
		req := cib.Request{Op: cib.OpCreate, Section: "resources", Data: fmt.Appendf(nil, `<primitive id=%q class="lsb" type="x"/>`, id)}
		w.handle(n, &Write{ID: n.next, Req: req, Meta: meta})
	}
}

// step does one random thing.
func (w *world) step(partitions bool) {
	n := w.nodes[w.rng.IntN(len(w.nodes))]
	switch r := w.rng.IntN(1000); {
	case r < 500:
		w.run(n, 1+w.rng.IntN(4))
	case r < 800:
		w.order(n)
	case r < 880:
		w.ask(n)
	case r < 960:
		w.save(n)
	case r < 970:
		n.paused = n.paused && w.rng.IntN(4) != 0 || w.rng.IntN(40) == 0
		if n.core != nil && !n.paused && n.core.Waiting() {
			w.handle(n, &Tick{})
		}
	case r < 980:
		if n.core != nil && len(n.timers) > 0 {
			name := n.timers[0]
			n.timers = n.timers[1:]
			w.handle(n, &TimerFired{Name: name})
		}
	case r < 990:
		if n.core == nil {
			w.start(n)
		}
	case r < 996:
		if w.mayCrash(n) {
			w.crash(n)
		}
	default:
		if partitions {
			w.split(1 + w.rng.IntN(2))
		}
	}
}

// settle heals everything and runs until nothing moves.
func (w *world) settle() {
	w.quiet = true
	w.split(1)
	for _, n := range w.nodes {
		n.paused = false
		if n.core == nil {
			w.start(n)
		}
	}
	for round := 0; ; round++ {
		moved := false
		for _, n := range w.nodes {
			moved = moved || len(n.inbox) > 0 || len(w.sent[n.id]) > 0 || len(n.saves) > 0
			w.run(n, -1)
			w.order(n)
			w.save(n)
		}
		if !moved {
			return
		}
		if round > 100_000 {
			w.t.Fatal("the group does not come to rest")
		}
	}
}

func (w *world) check(seed uint64, partitions bool) {
	first := w.nodes[0].core
	for _, n := range w.nodes {
		if n.core.Mode() != ModeReady {
			w.t.Fatalf("seed %d: node %d is %s", seed, n.id, n.core.Mode())
		}
		if got, want := n.core.digest(), first.digest(); got != want {
			w.t.Fatalf("seed %d: node %d has %s, node 1 has %s", seed, n.id,
				document.Compact(n.core.Root()), document.Compact(first.Root()))
		}
		if got := operation.VersionOf(n.disk); got.Epoch != operation.VersionOf(first.Root()).Epoch {
			w.t.Fatalf("seed %d: disk of node %d has %s, the group %s", seed, n.id, got, operation.VersionOf(first.Root()))
		}
		if len(n.core.ops) != 0 || len(n.core.byID) != 0 {
			w.t.Fatalf("seed %d: node %d has %d writes without answer", seed, n.id, len(n.core.ops))
		}
	}
	if partitions {
		return
	}
	have := document.NewIndex(first.Root())
	for id := range w.acked {
		if have[id] == nil {
			w.t.Fatalf("seed %d: acknowledged write %s is lost", seed, id)
		}
	}
}

// worlds is how many seeds are run.
func worlds() uint64 {
	if testing.Short() {
		return 5
	}
	return uint64(*seeds)
}

func simulate(t testing.TB, seed uint64, n int, partitions bool) *world {
	w := newWorld(t, seed, n)
	for _, nd := range w.nodes {
		w.start(nd)
	}
	for range 4000 {
		w.step(partitions)
	}
	w.settle()
	w.check(seed, partitions)
	return w
}

var seeds = flag.Int("seeds", 30, "worlds to simulate")

func TestAcknowledgedWritesSurviveCrashesOfAMinority(t *testing.T) {
	acked := 0
	for seed := range worlds() {
		acked += len(simulate(t, seed, 3+2*int(seed%2), false).acked)
	}
	if acked < 20*int(worlds()) {
		t.Errorf("only %d writes were acknowledged in %d runs", acked, worlds())
	}
}

func TestReplicasAgreeAfterPartitions(t *testing.T) {
	all := 0
	for seed := range worlds() {
		lost := 0
		w := simulate(t, seed, 2+int(seed%4), true)
		have := document.NewIndex(w.nodes[0].core.Root())
		for id := range w.acked {
			if have[id] == nil {
				lost++
			}
		}
		if lost > 0 {
			told := false
			for _, n := range w.nodes {
				told = told || slices.ContainsFunc(n.log, func(s string) bool { return strings.Contains(s, "configuration") })
			}
			if !told {
				t.Fatalf("seed %d: changes were lost in silence", seed)
			}
		}
		all += lost
	}
	t.Logf("%d writes of partitions gave way in %d runs", all, worlds())
}
