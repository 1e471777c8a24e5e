// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"maps"
	"slices"

	"github.com/quorate/quorate/messaging"
)

// digest is 64-bit FNV-1a over words.
type digest uint64

func (d *digest) words(ws ...uint64) {
	h := uint64(*d)
	for _, w := range ws {
		for range 8 {
			h = (h ^ w&0xff) * 1099511628211
			w >>= 8
		}
	}
	*d = digest(h)
}

func (d *digest) bytes(b []byte) {
	h := uint64(*d)
	for _, x := range b {
		h = (h ^ uint64(x)) * 1099511628211
	}
	*d = digest(h)
}

func (d *digest) ring(r messaging.RingID) { d.words(uint64(r.Rep), r.Seq) }

func (d *digest) nodes(sets ...nodeSet) {
	for _, s := range sets {
		d.words(uint64(len(s)))
		for _, n := range s {
			d.words(uint64(n))
		}
	}
}

func (d *digest) set(s *msgSet) {
	if s == nil {
		d.words(0)
		return
	}
	d.ring(s.ring)
	d.words(s.released, s.aru, s.high, s.delivered)
	for seq := s.released + 1; seq <= s.high; seq++ {
		if m := s.at(seq); m != nil {
			d.words(uint64(m.origin), uint64(m.misses))
			d.bytes(m.packet)
		}
	}
}

func (d *digest) flags(fs ...bool) {
	w := uint64(0)
	for i, f := range fs {
		if f {
			w |= 1 << i
		}
	}
	d.words(w)
}

// Digest gives a hash of the whole state, to compare replays of the same events.
func (c *Core) Digest() uint64 {
	d := digest(14695981039346656037)
	d.flags(c.started, c.left, c.graceUsed, c.failedToRecv, c.originated, c.held, c.arrived, c.setRetrans, c.waitSync)
	d.words(uint64(c.state), uint64(c.now), uint64(c.lastStep), uint64(c.flushUntil))
	for i := range c.timers {
		t := &c.timers[i]
		d.flags(t.armed, t.shell)
		d.words(uint64(t.at), uint64(t.shellAt))
	}
	d.ring(c.ring)
	d.ring(c.oldRing)
	d.nodes(c.memb, c.newMemb, c.transMemb, c.proc, c.failed, c.consensus, c.announced, c.suspects)
	d.words(c.maxRingSeq, c.reserved, uint64(c.joins), c.lastCommitSeq)
	d.set(c.cur)
	d.set(c.next)
	d.words(c.tokenSeq, c.lastSeq, uint64(c.unchanged), c.lastAru, uint64(c.aruCount), uint64(c.aruSince), c.storedSeq, uint64(c.storedTo))
	d.bytes(c.stored)
	d.words(uint64(c.flow.sent), uint64(c.flow.backlog), uint64(c.flagCount), uint64(c.rotations), c.installSeq)
	d.words(c.retrans...)
	d.words(uint64(c.queue.Len()), uint64(c.queue.Bytes()), uint64(c.syncQueue.Len()), uint64(c.syncQueue.Bytes()))
	for _, n := range slices.Sorted(maps.Keys(c.assemblies)) {
		d.words(uint64(n))
		d.flags(c.assemblies[n].Open())
	}
	for _, p := range c.penalties {
		d.words(uint64(p.node), uint64(p.count), uint64(p.since), uint64(p.last), uint64(p.until))
	}
	return uint64(d)
}
