// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import "github.com/quorate/quorate/messaging/totem/wire"

// flow is a node's part of the ring's flow control. The token carries sums over
// one rotation, each node adds the difference to its last visit.
type flow struct {
	sent     int // packets at the last visit
	backlog  int // packets that waited at the last visit
	backlogN int // packets that wait at this one
}

// allowed gives how many packets may go out at this visit.
func (f *flow) allowed(t *wire.Token, backlog int, cfg *Config) int {
	n := max(min(cfg.MaxMessages, cfg.Window-int(t.Fcc)), 0)
	f.backlogN = backlog
	if d := int(t.Backlog) + f.backlogN - f.backlog; d > 0 {
		if share := cfg.Window * f.backlog / d; share > 0 {
			n = min(n, share)
		}
	}
	return n
}

// update writes this visit into the token.
func (f *flow) update(t *wire.Token, sent int) {
	t.Fcc = uint32(max(int(t.Fcc)+sent-f.sent, 0))
	t.Backlog = uint32(max(int(t.Backlog)+f.backlogN-f.backlog, 0))
	f.sent, f.backlog = sent, f.backlogN
}
