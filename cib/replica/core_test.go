// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package replica

import (
	"errors"
	"fmt"
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

// rig is a group under the control of a test: nothing is delivered or stored
// but by its word.
type rig struct {
	t       *testing.T
	cores   map[messaging.NodeID]*Core
	sent    []Deliver // in the order of sending
	answers map[uint64]error
	saves   []*Persist
	notices []string
	ring    uint64
}

func newRig(t *testing.T) *rig {
	return &rig{t: t, cores: map[messaging.NodeID]*Core{}, answers: map[uint64]error{}}
}

func member(n messaging.NodeID) messaging.MemberID { return messaging.MemberID{Node: n, Client: 1} }

func (r *rig) step(n messaging.NodeID, ev Event) {
	for _, a := range slices.Clone(r.cores[n].Step(ev)) {
		switch a := a.(type) {
		case *Multicast:
			r.sent = append(r.sent, Deliver{From: member(n), Body: a.Body})
		case *Answer:
			r.answers[a.ID] = a.Err
		case *Persist:
			r.saves = append(r.saves, a)
			r.step(n, &Stored{Index: a.Index})
		case *Notice:
			r.notices = append(r.notices, fmt.Sprintf("%d: %d %s %v", n, a.Level, a.Name, a.Attrs))
		}
	}
}

// add starts a replica with a document.
func (r *rig) add(n messaging.NodeID, root *etree.Element) {
	r.cores[n] = New(root)
	r.step(n, &Joined{Self: member(n)})
}

// group gives nodes a new configuration; joined are new among them.
func (r *rig) group(nodes, joined, left []messaging.NodeID) {
	r.ring++
	ch := &messaging.ConfigChange{Ring: messaging.RingID{Rep: nodes[0], Seq: r.ring}}
	for _, n := range nodes {
		ch.Members = append(ch.Members, member(n))
	}
	for _, n := range joined {
		ch.Joined = append(ch.Joined, messaging.MemberChange{Member: member(n), Reason: messaging.ReasonNodeUp})
	}
	for _, n := range left {
		ch.Left = append(ch.Left, messaging.MemberChange{Member: member(n), Reason: messaging.ReasonNodeDown})
	}
	for _, n := range nodes {
		r.step(n, &View{Change: ch})
	}
}

// flow delivers all that is sent to all nodes, until nothing is sent.
func (r *rig) flow(nodes ...messaging.NodeID) {
	for i := 0; len(r.sent) > 0; i++ {
		if i > 10_000 {
			r.t.Fatal("the group does not come to rest")
		}
		d := r.sent[0]
		r.sent = r.sent[1:]
		if !slices.Contains(nodes, d.From.Node) {
			continue
		}
		for _, n := range nodes {
			r.step(n, &d)
		}
	}
}

// write submits the creation of a resource.
func (r *rig) write(n messaging.NodeID, id uint64, name string) {
	r.step(n, &Write{ID: id, Req: cib.Request{
		Op: cib.OpCreate, Section: "resources", Data: fmt.Appendf(nil, `<primitive id=%q class="lsb" type="x"/>`, name),
	}})
}

func (r *rig) answered(id uint64) bool {
	_, ok := r.answers[id]
	return ok
}

// three makes a group of three that agrees.
func three(t *testing.T) *rig {
	r := newRig(t)
	all := []messaging.NodeID{1, 2, 3}
	for _, n := range all {
		r.add(n, document.Empty(""))
	}
	r.group(all, all, nil)
	r.flow(all...)
	for n, c := range r.cores {
		if c.Mode() != ModeReady {
			t.Fatalf("node %d is %s", n, c.Mode())
		}
	}
	return r
}

func has(root *etree.Element, id string) bool { return document.ByID(root, "", id) != nil }

func TestAWriteIsAnsweredOnlyWhenAMajorityHoldsIt(t *testing.T) {
	r := three(t)
	r.write(1, 7, "a")
	d := r.sent[0]
	r.sent = nil
	r.step(1, &d)
	if !has(r.cores[1].Root(), "a") || r.answered(7) {
		t.Fatal("answered when only the origin held it")
	}
	r.step(2, &d)
	echo := r.sent
	if len(echo) != 1 {
		t.Fatalf("node 2 sent %d messages", len(echo))
	}
	r.sent = nil
	r.step(3, &d)
	if len(r.sent) != 0 {
		t.Error("node 3 echoed, which was not needed")
	}
	r.step(1, &echo[0])
	if !r.answered(7) || r.answers[7] != nil {
		t.Errorf("not answered after the echo: %v", r.answers)
	}
}

func TestAWriteIsAnsweredOnlyWhenItIsStored(t *testing.T) {
	c := New(document.Empty(""))
	c.Step(&Joined{Self: member(1)})
	c.Step(&View{Change: &messaging.ConfigChange{
		Members: []messaging.MemberID{member(1)}, Joined: []messaging.MemberChange{{Member: member(1), Reason: messaging.ReasonJoin}},
	}})
	// deliver hands the core its own messages until there are none.
	var last []Action
	deliver := func(actions []Action) {
		for len(actions) > 0 {
			var more []Action
			for _, a := range slices.Clone(actions) {
				last = append(last, a)
				if m, ok := a.(*Multicast); ok {
					more = append(more, slices.Clone(c.Step(&Deliver{From: member(1), Body: m.Body}))...)
				}
			}
			actions = more
		}
	}
	st := state{Version: operation.VersionOf(c.root), Digest: c.digest(), Min: Protocol, Max: Protocol}
	deliver([]Action{&Multicast{Body: encode(&message{Proto: Protocol, Kind: kindState, Tag: c.tag, St: &st})}})
	if c.Mode() != ModeReady {
		t.Fatal(c.Mode())
	}
	write := func(id uint64, section, data string) {
		last = nil
		deliver(slices.Clone(c.Step(&Write{ID: id, Req: cib.Request{Op: cib.OpModify, Section: section, CanCreate: true, Data: []byte(data)}})))
	}
	answer := func() *Answer {
		for _, a := range last {
			if a, ok := a.(*Answer); ok {
				return a
			}
		}
		return nil
	}
	write(1, "resources", `<primitive id="a" class="lsb" type="x"/>`)
	if answer() != nil {
		t.Fatal("answered before it was stored")
	}
	write(2, "status", `<node_state id="1"/>`)
	if a := answer(); a == nil || a.ID != 2 || a.Err != nil {
		t.Fatalf("a change of the status waits for the disk: %v", a)
	}
	last = slices.Clone(c.Step(&Stored{Index: 1, Err: errors.New("no space left")}))
	if a := answer(); a == nil || a.ID != 1 || a.Err == nil || !strings.Contains(a.Err.Error(), "no space left") {
		t.Errorf("after the failure: %v", a)
	}
}

func TestWhenTheGroupShrinksWritesAreAnsweredByTheMajorityOnly(t *testing.T) {
	for _, tc := range []struct {
		nodes, left []messaging.NodeID
		acked       bool
	}{
		{[]messaging.NodeID{1, 2}, []messaging.NodeID{3}, true},
		{[]messaging.NodeID{1}, []messaging.NodeID{2, 3}, false},
	} {
		r := three(t)
		r.write(1, 7, "a")
		d := r.sent[0]
		r.sent = nil
		for _, n := range tc.nodes {
			r.step(n, &d)
		}
		r.sent = nil // the echo is lost with the group
		r.group(tc.nodes, nil, tc.left)
		if !r.answered(7) || (r.answers[7] == nil) != tc.acked {
			t.Errorf("with %v: answered %t, %v", tc.nodes, r.answered(7), r.answers[7])
		}
	}
}

func TestANodeWithANewerDiskGivesTheConfigurationAndTakesTheStatus(t *testing.T) {
	r := newRig(t)
	r.add(1, document.Empty(""))
	r.add(2, document.Empty(""))
	r.group([]messaging.NodeID{1, 2}, []messaging.NodeID{1, 2}, nil)
	r.flow(1, 2)
	r.step(1, &Write{ID: 1, Req: cib.Request{Op: cib.OpCreate, Section: "status", Data: []byte(`<node_state id="1" uname="node1"/>`)}})
	r.step(1, &SetAttr{ID: 2, Up: attrs.Update{NodeID: "1", AttrUpdate: cib.AttrUpdate{Node: "node1", Name: "x", Value: "1", Private: true}}})
	r.flow(1, 2)
	newer := document.Empty("")
	document.SetVersions(newer, 0, 9, 0)
	document.Add(document.Section(newer, "resources"), "primitive", "id", "fromdisk", "class", "lsb", "type", "x")
	r.add(3, newer)
	r.group([]messaging.NodeID{1, 2, 3}, []messaging.NodeID{3}, nil)
	r.flow(1, 2, 3)
	for n, c := range r.cores {
		root := c.Root()
		if !has(root, "fromdisk") || document.ChildWith(document.Section(root, "status"), "node_state", "id", "1") == nil {
			t.Errorf("node %d has %s", n, document.Compact(root))
		}
		if v := operation.VersionOf(root); v.String() != "0.9.1" {
			t.Errorf("node %d has version %s", n, v)
		}
		if got := fmt.Sprint(c.Attrs("x", "")); got != "[{node1 x 1}]" {
			t.Errorf("node %d has attributes %s", n, got)
		}
	}
	told := slices.ContainsFunc(r.notices, func(s string) bool {
		return strings.HasPrefix(s, "1: 1 running configuration replaced by the newer one of a node that just started")
	})
	if !told {
		t.Errorf("not told: %v", r.notices)
	}
}

func TestReplicasThatDifferMeetAnew(t *testing.T) {
	r := three(t)
	document.Set(r.cores[3].root, "no-quorum-panic", "1") // a fault of memory
	for i := range 2 * checkEvery {
		r.write(1, uint64(100+i), fmt.Sprint("p", i))
		r.flow(1, 2, 3)
	}
	for n, c := range r.cores {
		if c.digest() != r.cores[1].digest() || document.Get(c.Root(), "no-quorum-panic") != "" {
			t.Errorf("node %d still differs", n)
		}
	}
	if !slices.ContainsFunc(r.notices, func(s string) bool { return strings.Contains(s, "2 replicas differ") }) {
		t.Error("not told")
	}
}

func TestWritesOfAMeetingAreHeldAndKept(t *testing.T) {
	r := three(t)
	r.add(4, document.Empty(""))
	all := []messaging.NodeID{1, 2, 3, 4}
	r.group(all, all[3:], nil)
	r.write(2, 1, "a") // ordered behind the statements, before the document
	r.write(4, 2, "b")
	r.flow(all...)
	for n, c := range r.cores {
		if !has(c.Root(), "a") || !has(c.Root(), "b") {
			t.Errorf("node %d misses a write", n)
		}
	}
	for id := uint64(1); id <= 2; id++ {
		if !r.answered(id) || r.answers[id] != nil {
			t.Errorf("write %d: %v", id, r.answers)
		}
	}
}

func TestAMemberThatHangsDoesNotHoldUpTheOthers(t *testing.T) {
	r := three(t)
	// Node 2, which would echo for node 1, hangs; node 3 echoes when it is asked.
	r.write(1, 7, "a")
	var behind []Deliver
	deliver := func() {
		for len(r.sent) > 0 {
			d := r.sent[0]
			r.sent = r.sent[1:]
			behind = append(behind, d)
			r.step(1, &d)
			r.step(3, &d)
		}
	}
	deliver()
	if r.answered(7) {
		t.Fatal("answered without an echo")
	}
	for range 2 {
		r.step(1, &Tick{})
		deliver()
	}
	if !r.answered(7) || r.answers[7] != nil {
		t.Fatalf("not answered: %v", r.answers)
	}
	r.write(1, 8, "b")
	deliver()
	if !r.answered(8) {
		t.Error("the next write waits for the member that hangs, too")
	}
	// When node 2 goes on it comes to the same.
	for _, d := range behind {
		r.step(2, &d)
	}
	r.flow(1, 2, 3)
	if r.cores[2].digest() != r.cores[1].digest() {
		t.Error("node 2 differs")
	}
}

func TestAMeetingGoesOnWithoutAMemberThatHangs(t *testing.T) {
	r := three(t)
	newer := document.Empty("")
	document.SetVersions(newer, 0, 9, 0)
	r.cores[2].root = newer // what hangs has another document, by a fault
	all := []messaging.NodeID{1, 2, 3}
	r.ring++
	ch := &messaging.ConfigChange{Ring: messaging.RingID{Rep: 1, Seq: r.ring}}
	for _, n := range all {
		ch.Members = append(ch.Members, member(n))
	}
	ch.Joined = []messaging.MemberChange{{Member: member(3), Reason: messaging.ReasonNodeUp}}
	var behind []Event
	give := func(ev Event) {
		behind = append(behind, ev)
		r.step(1, ev)
		r.step(3, ev)
	}
	deliver := func() {
		for len(r.sent) > 0 {
			d := r.sent[0]
			r.sent = r.sent[1:]
			give(&d)
		}
	}
	give(&View{Change: ch})
	r.write(1, 7, "held")
	for range goOnAfter + 1 {
		deliver()
		r.step(1, &Tick{})
		r.step(3, &Tick{})
	}
	deliver()
	for range 2 {
		r.step(1, &Tick{})
		deliver()
	}
	if m := r.cores[3].Mode(); m != ModeReady || !r.answered(7) || r.answers[7] != nil {
		t.Fatalf("node 3 is %s, answers %v", m, r.answers)
	}
	for _, ev := range behind {
		r.step(2, ev)
	}
	r.flow(all...)
	if r.cores[2].Mode() != ModeReady || r.cores[2].digest() != r.cores[1].digest() || !has(r.cores[2].Root(), "held") {
		t.Errorf("node 2 is %s with %s", r.cores[2].Mode(), document.Compact(r.cores[2].Root()))
	}
}

func TestALargeDocumentGoesInPieces(t *testing.T) {
	r := newRig(t)
	big := document.Empty("")
	document.SetVersions(big, 0, 5, 0)
	for i := range 20 {
		document.Add(document.Section(big, "resources"), "primitive", "id", fmt.Sprint("p", i),
			"class", "lsb", "type", "x", "description", strings.Repeat("d", 100_000))
	}
	r.add(1, big)
	r.add(2, document.Empty(""))
	r.group([]messaging.NodeID{1, 2}, []messaging.NodeID{1, 2}, nil)
	for _, d := range r.sent {
		if len(d.Body) > PartSize+4096 {
			t.Errorf("a message of %d bytes", len(d.Body))
		}
	}
	r.flow(1, 2)
	if !document.Equal(r.cores[1].Root(), r.cores[2].Root()) {
		t.Error("the documents differ")
	}
}

func FuzzDeliver(f *testing.F) {
	meta := operation.Meta{Node: "n"}
	f.Add(encode(&message{Proto: 1, Kind: kindWrite, Seq: 1, Req: &cib.Request{Op: cib.OpBump}, Meta: &meta}))
	f.Add(encode(&message{Proto: 1, Kind: kindState, Tag: "x", St: &state{Digest: "d"}}))
	f.Add(encode(&message{Proto: 1, Kind: kindPart, Part: &part{Total: 1, Data: []byte("<cib/>")}}))
	f.Add(encode(&message{Proto: 1, Kind: kindAttr, Attr: &attrs.Update{NodeID: "1", AttrUpdate: cib.AttrUpdate{Node: "n", Name: "x", Value: "value++"}}}))
	f.Add(encode(&message{Proto: 1, Kind: kindAck, Pos: 1}))
	f.Fuzz(func(t *testing.T, body []byte) {
		c := New(document.Empty(""))
		c.Step(&Joined{Self: member(1)})
		ch := &messaging.ConfigChange{Members: []messaging.MemberID{member(1), member(2)}}
		c.Step(&View{Change: ch})
		c.mode, c.tag = ModeReady, ""
		c.newGroup("")
		c.Step(&Deliver{From: member(2), Body: body})
		if _, err := document.Parse(document.Format(c.Root())); err != nil {
			t.Fatalf("the document is broken: %v", err)
		}
	})
}
