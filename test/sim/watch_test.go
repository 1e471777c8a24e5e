// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"github.com/quorate/quorate/messaging/totem"
	"github.com/quorate/quorate/messaging/totem/wire"
)

// A watcher looks into the tokens that go round: what no application sees, but
// what the ring promises about its work.
type watcher struct {
	c      *cluster
	window int // the largest that any node was told of
	// calm says that nothing gets lost any more, and nothing is missing.
	calm  bool
	token wire.Token
}

func (w *watcher) sent(n *node, a *totem.Send) {
	if !a.Token {
		return
	}
	if t, err := wire.TypeOf(a.Packet); err != nil || t != wire.TypeToken || wire.DecodeToken(a.Packet, &w.token) != nil {
		return
	}
	t, k := &w.token, w.c.check
	k.expect("window", int(t.Fcc) <= w.window, "node %d: %d packets in a rotation of ring %v, the window is %d", n.id, t.Fcc, t.Ring, w.window)
	if w.calm {
		k.expect("requests end", len(t.Missing) == 0, "node %d: messages %d of ring %v are asked for, though all have all", n.id, t.Missing, t.Ring)
	}
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
