// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package qnetd

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/quorate/quorate/messaging/qnet"
)

// A voter is a client as it must behave: it drops the vote when its ring changes,
// when it is told to, when its connection ends, and when no answered word of it
// is younger than 1.25 heartbeat intervals.
type voter struct {
	id      uint32
	conn    Client
	open    bool // as this side knows
	cut     bool // nothing gets through any more, and nobody knows
	ring    qnet.RingID
	members []uint32
	vote    bool
	leased  time.Duration // sending time of the last answered word
	up      []upward
	down    []*qnet.Message
}

type upward struct {
	sent time.Duration
	ev   Event
}

const voterBeat = 2 * time.Second

// A world is a server, its clients, and messages under way.
type world struct {
	t      *rapid.T
	core   *Core
	now    time.Duration
	last   Client
	voters []*voter
	alg    qnet.Algorithm
	ring   uint64
	sides  []int // where each node is
}

func (w *world) act(as []Action) {
	for _, a := range as {
		switch a := a.(type) {
		case *Send:
			if v := w.of(a.Client); v != nil && !v.cut {
				v.down = append(v.down, a.Message)
			}
		case *Close:
			if v := w.of(a.Client); v != nil && !v.cut {
				v.hangUp()
			}
		}
	}
}

func (w *world) of(c Client) *voter {
	i := slices.IndexFunc(w.voters, func(v *voter) bool { return v.conn == c && v.open })
	if i < 0 {
		return nil
	}
	return w.voters[i]
}

func (v *voter) hangUp() { v.open, v.vote, v.up, v.down = false, false, nil, nil }

func (v *voter) say(w *world, m *qnet.Message) {
	if v.open {
		m.Seq = qnet.Some(uint32(w.now / time.Millisecond))
		v.up = append(v.up, upward{w.now, &Received{Client: v.conn, Message: m}})
	}
}

func (v *voter) connect(w *world) {
	w.last++
	v.conn, v.open, v.cut, v.leased = w.last, true, false, w.now
	v.up = append(v.up, upward{w.now, &Opened{Client: v.conn}})
	v.say(w, &qnet.Message{Type: qnet.Preinit, Cluster: "c"})
	v.say(w, &qnet.Message{
		Type: qnet.Init, NodeID: v.id, Ring: qnet.Some(v.ring), HeartbeatMs: uint32(voterBeat / time.Millisecond),
		TieBreaker: qnet.TieBreaker{Mode: qnet.Lowest}, Algorithm: qnet.Some(w.alg),
	})
	v.say(w, &qnet.Message{Type: qnet.NodeList, ListType: qnet.Some(qnet.InitialConfig), Nodes: nodes(uint32(len(w.voters)))})
	v.tellMembers(w)
}

func (v *voter) tellMembers(w *world) {
	v.say(w, &qnet.Message{Type: qnet.NodeList, ListType: qnet.Some(qnet.Membership), Ring: qnet.Some(v.ring), Nodes: pickNodes(v.members)})
}

// hear takes the oldest message from the server.
func (v *voter) hear(w *world) {
	m := v.down[0]
	v.down = v.down[1:]
	switch m.Type {
	case qnet.VoteInfo:
		if m.Ring.Value == v.ring {
			v.vote = m.Vote == qnet.Ack
		}
		v.up = append(v.up, upward{w.now, &Received{Client: v.conn, Message: &qnet.Message{Type: qnet.VoteInfoReply, Seq: m.Seq}}})
	case qnet.EchoReply:
		v.leased = max(v.leased, time.Duration(m.Seq.Value)*time.Millisecond)
	case qnet.InitReply:
		if m.Error.Value != qnet.NoError {
			v.hangUp() // this one still counts as connected over there
		}
	}
}

// newRing gives each side a ring of its own; nodes take it up one at a time.
func (w *world) newRing() {
	for i := range w.sides {
		w.sides[i] = rapid.IntRange(0, 2).Draw(w.t, "side")
	}
	w.ring += 4
}

// takeUp makes a node notice where it is.
func (w *world) takeUp(v *voter) {
	var members []uint32
	for i, s := range w.sides {
		if s == w.sides[v.id-1] {
			members = append(members, uint32(i+1))
		}
	}
	if ring := (qnet.RingID{Node: members[0], Seq: w.ring}); ring != v.ring {
		v.ring, v.members, v.vote = ring, members, false
		v.tellMembers(w)
	}
}

func (w *world) check() {
	rings := map[qnet.RingID]uint32{}
	for _, v := range w.voters {
		if v.open && w.now-v.leased > voterBeat*5/4 {
			v.vote = false
		}
		if v.vote {
			rings[v.ring] = v.id
		}
	}
	if len(rings) > 1 {
		w.t.Fatalf("at %v partitions of nodes %v have the vote at once", w.now, slices.Sorted(maps.Values(rings)))
	}
}

// TestAtMostOnePartitionHasTheVoteAtAnyMoment: with messages that are slow,
// connections that break with and without a word, clients that come back, and a
// server that starts anew.
func TestAtMostOnePartitionHasTheVoteAtAnyMoment(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := &world{t: t, alg: rapid.SampledFrom([]qnet.Algorithm{qnet.FFSplit, qnet.LMS}).Draw(t, "algorithm"), now: time.Minute}
		w.core = New(Config{TLS: qnet.TLSSupported}, 0)
		n := rapid.IntRange(2, 4).Draw(t, "nodes")
		w.sides, w.ring = make([]int, n), 4
		for id := 1; id <= n; id++ {
			w.voters = append(w.voters, &voter{id: uint32(id)})
		}
		for _, v := range w.voters {
			w.takeUp(v)
			v.connect(w)
		}
		for range rapid.IntRange(10, 150).Draw(t, "steps") {
			w.move(w.voters[rapid.IntRange(0, n-1).Draw(t, "node")])
			w.check()
		}
	})
}

func (w *world) move(v *voter) {
	switch rapid.IntRange(0, 13).Draw(w.t, "what") {
	case 0, 1, 2, 3, 4:
		for range len(v.up) {
			u := v.up[0]
			v.up = v.up[1:]
			w.act(w.core.Step(w.now, u.ev))
			if !v.open {
				break
			}
		}
	case 5, 6, 7:
		for range len(v.down) {
			v.hear(w)
			if !v.open {
				break
			}
		}
	case 8:
		w.newRing()
	case 9:
		w.takeUp(v)
	case 10:
		v.say(w, &qnet.Message{Type: qnet.EchoRequest})
		w.now += time.Duration(rapid.IntRange(0, 800).Draw(w.t, "ms")) * time.Millisecond
		w.act(w.core.Step(w.now, &Ticked{}))
	case 11:
		w.disturb(v)
	case 12:
		if !v.open {
			v.connect(w)
		}
	case 13:
		for _, x := range w.voters {
			x.say(w, &qnet.Message{Type: qnet.EchoRequest})
		}
	}
}

// disturb breaks a connection, or the server.
func (w *world) disturb(v *voter) {
	switch {
	case !v.open:
	case v.cut: // the client or the server gives it up
		if rapid.Bool().Draw(w.t, "server first") {
			w.act(w.core.Step(w.now, &Closed{Client: v.conn}))
		} else {
			v.hangUp()
		}
	case rapid.Bool().Draw(w.t, "cut"):
		v.cut, v.up, v.down = true, nil, nil
	case rapid.IntRange(0, 3).Draw(w.t, "server restarts") == 0:
		w.core = New(Config{TLS: qnet.TLSSupported}, w.now)
		for _, x := range w.voters {
			if rapid.Bool().Draw(w.t, "notices") {
				x.hangUp()
			} else {
				x.cut, x.up, x.down = true, nil, nil
			}
		}
	default:
		c := v.conn
		v.hangUp()
		w.act(w.core.Step(w.now, &Closed{Client: c, Orderly: true}))
	}
}
