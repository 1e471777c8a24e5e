// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/totem"
	"github.com/quorate/quorate/messaging/totem/wire"
)

// A watcher looks into the tokens that go round: what no application sees, but
// what the ring promises about its work.
type watcher struct {
	c      *cluster
	window int // the largest that any node was told of
	calm   bool
	wanted map[request]uint64 // token number at which it was asked for first
	token  wire.Token
}

// A request is one message that is asked for again.
type request struct {
	ring messaging.RingID
	seq  uint64
}

// maxRequestAge is for how many rotations of a calm ring a message may be asked
// for: the request goes to all, and one packet in a hundred is lost.
const maxRequestAge = 12

func (w *watcher) sent(n *node, a *totem.Send) {
	if !a.Token {
		return
	}
	if t, err := wire.TypeOf(a.Packet); err != nil || t != wire.TypeToken || wire.DecodeToken(a.Packet, &w.token) != nil {
		return
	}
	t, k := &w.token, w.c.check
	k.expect("window", int(t.Fcc) <= w.window, "node %d: %d packets in a rotation of ring %v, the window is %d", n.id, t.Fcc, t.Ring, w.window)
	if !w.calm || len(t.Missing) == 0 {
		return
	}
	now := make(map[request]uint64, len(t.Missing))
	for _, seq := range t.Missing {
		r := request{t.Ring, seq}
		first, ok := w.wanted[r]
		if !ok || first > t.TokenSeq {
			first = t.TokenSeq
		}
		now[r] = first
		rotations := (t.TokenSeq - first) / uint64(max(len(n.membs), 1))
		k.expect("requests end", rotations <= maxRequestAge, "node %d: message %d of ring %v is asked for since %d rotations", n.id, seq, t.Ring, rotations)
	}
	w.wanted = now
}

// written checks how often a life wrote its ring number: at its start, and when a
// node restarted that brings numbers far ahead, but not for each ring.
func (n *node) written() {
	starts := 0
	for _, o := range n.c.nodes {
		starts += o.life
	}
	bound := uint64(2 + starts + len(n.c.check.rings)/200)
	n.c.check.expect("ring numbers are written seldom", n.writes <= bound, "node %d life %d wrote %d times, %d starts and %d rings", n.id, n.life, n.writes, starts, len(n.c.check.rings))
}
