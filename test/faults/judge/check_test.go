// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package judge

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/messaging"
)

// The recordings of a cluster in which all is well: nodes 1 and 2 send, node 3
// comes, a ring changes.
func well() []Recording {
	a, b, d := messaging.MemberID{Node: 1, Client: 1}, messaging.MemberID{Node: 2, Client: 1}, messaging.MemberID{Node: 3, Client: 1}
	ring := func(n uint64) messaging.RingID { return messaging.RingID{Rep: 1, Seq: n} }
	change := func(r messaging.RingID, members []messaging.MemberID, joined ...messaging.MemberID) Delivery {
		c := &messaging.ConfigChange{Ring: r, Members: members}
		for _, j := range joined {
			c.Joined = append(c.Joined, messaging.MemberChange{Member: j, Reason: messaging.ReasonJoin})
		}
		return Delivery{Change: c}
	}
	say := func(m messaging.MemberID, seq uint64) Delivery { return Delivery{Message: Message{From: m, Seq: seq}} }
	two, three := []messaging.MemberID{a, b}, []messaging.MemberID{a, b, d}
	common := func() []Delivery {
		return []Delivery{
			change(ring(4), two, b), say(a, 1), say(b, 1), say(a, 2), change(ring(8), three, d), say(b, 2), say(d, 1), say(a, 3),
		}
	}
	view := func(n uint64, quorate bool, at int, members ...messaging.NodeID) View {
		v := View{At: time.Unix(int64(at), 0), QuorumView: messaging.QuorumView{Ring: ring(n), Quorate: quorate}}
		for _, m := range members {
			v.Nodes = append(v.Nodes, messaging.Node{ID: m, Member: true})
		}
		return v
	}
	rec := func(m messaging.MemberID, events []Delivery, sent uint64) Recording {
		return Recording{
			Node: m.Node, Memberships: []Membership{{Self: m, Events: events, Accepted: sent}},
			Views: []View{view(4, true, 10, 1, 2), view(8, true, 20, 1, 2, 3)},
		}
	}
	first := common()
	first[0] = change(ring(4), two, a, b)
	out := []Recording{rec(a, first, 3), rec(b, common(), 2), rec(d, common()[4:], 1)}
	out[2].Views = []View{view(3, false, 5, 3), view(8, true, 20, 1, 2, 3)}
	return out
}

func TestNothingIsFoundWhereAllIsWell(t *testing.T) {
	if f := Check(well()); len(f) > 0 {
		t.Error(f)
	}
}

// Each planted fault is found under its name.
func TestPlantedFaultsAreFound(t *testing.T) {
	for _, tc := range []struct {
		name, want string
		plant      func(r []Recording)
	}{
		{"a broken message", "E9 node 2", func(r []Recording) { r[1].Memberships[0].Events[2].Message.Broken = "wrong checksum" }},
		{"a message twice", "E1 node 3", func(r []Recording) {
			e := &r[2].Memberships[0].Events
			*e = append(*e, (*e)[3])
		}},
		{"a gap", "E1/E3 node 2", func(r []Recording) {
			e := &r[1].Memberships[0].Events
			*e = slices.Delete(*e, 3, 4)
		}},
		{"another order", "E4 nodes 1 and 2", func(r []Recording) {
			e := r[1].Memberships[0].Events
			e[1], e[2] = e[2], e[1]
		}},
		{"a message on the other side of a change", "E5 nodes 1 and 2", func(r []Recording) {
			e := r[1].Memberships[0].Events
			e[3], e[4] = e[4], e[3]
			e2 := &r[1].Memberships[0].Events
			last := Delivery{Change: &messaging.ConfigChange{Ring: messaging.RingID{Rep: 1, Seq: 12}, Members: e[3].Change.Members}}
			*e2 = append(*e2, last)
		}},
		{"a message of nobody", "E1 node 3", func(r []Recording) { r[2].Memberships[0].Events[2].Message.Seq = 9 }},
		{"a sender that is no member", "E8 node 2", func(r []Recording) {
			r[1].Memberships[0].Events[1].Message = Message{From: messaging.MemberID{Node: 3, Client: 1}, Seq: 1}
		}},
		{"a change that follows from nothing", "E8 node 2", func(r []Recording) { r[1].Memberships[0].Events[4].Change.Joined = nil }},
		{"an own message that is lost", "E2 node 1", func(r []Recording) { r[0].Memberships[0].Accepted = 4 }},
		{"a ring that goes back", "E7 node 1", func(r []Recording) { r[0].Views[1].Ring.Seq = 2 }},
		{"two lists of one ring", "E7 ring 1.8", func(r []Recording) { r[2].Views[1].Nodes = r[2].Views[1].Nodes[:2] }},
		{"two quorate sides", "S4", func(r []Recording) {
			r[2].Views[0].Quorate, r[2].Views[0].At = true, time.Unix(12, 0)
		}},
	} {
		r := well()
		tc.plant(r)
		if f := Check(r); !slices.ContainsFunc(f, func(s string) bool { return strings.HasPrefix(s, tc.want) }) {
			t.Errorf("%s: found %q, want %s", tc.name, f, tc.want)
		}
	}
}

func TestMessagesComeBackAsTheyWere(t *testing.T) {
	from := messaging.MemberID{Node: 7, Client: 1 << 40}
	for seq := uint64(1); seq < 50; seq++ {
		b := compose(from, seq)
		if m := parse(&messaging.Message{From: from, Body: b}); m.Broken != "" || m.Seq != seq || m.From != from {
			t.Fatalf("message %d: %+v", seq, m)
		}
		b[len(b)-1]++
		if m := parse(&messaging.Message{From: from, Body: b[:len(b)-1]}); m.Broken == "" {
			t.Fatalf("message %d cut at its end is whole", seq)
		}
		if m := parse(&messaging.Message{From: from, Body: b}); m.Broken == "" && len(b) > head {
			t.Fatalf("message %d of %d bytes changed at its end is whole", seq, len(b))
		}
	}
}
