// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import "github.com/quorate/quorate/messaging/totem"

// ringsAhead is how many ring numbers are made durable at the start, more than
// the core asks for then.
const ringsAhead = 1 << 13

// A ringSave is the state of making ring numbers durable: one write at a time,
// in a goroutine of its own, so that a slow disk never holds up the ring.
type ringSave struct {
	durable uint64 // numbers up to here are
	writing bool
	wanted  uint64 // to write when the present write ends
}

// reserve makes ring numbers durable and then starts the ring. Meanwhile, which
// may be long on a slow disk, the engine answers the others' hellos: to them a
// daemon that was killed and restarted is alive again at once.
func (e *Engine) reserve(saved uint64) {
	defer e.wg.Done()
	err := e.cfg.Ring.Save(saved + ringsAhead)
	e.post(func() {
		if err != nil {
			e.fail(err)
			return
		}
		e.ringSave.durable = saved + ringsAhead
		e.step(&totem.Start{SavedRingSeq: saved, Durable: e.ringSave.durable})
	})
}

// persist makes ring numbers durable meanwhile and tells the ring when they are.
func (e *Engine) persist(seq uint64) {
	s := &e.ringSave
	if seq <= s.durable {
		e.todo = append(e.todo, &totem.Persisted{Seq: s.durable})
		return
	}
	s.wanted = max(s.wanted, seq)
	if s.writing {
		return
	}
	s.writing = true
	seq = s.wanted
	e.wg.Go(func() {
		err := e.cfg.Ring.Save(seq)
		e.post(func() {
			s.writing = false
			if err != nil {
				e.fail(err)
				return
			}
			s.durable = seq
			e.step(&totem.Persisted{Seq: seq})
			if s.wanted > seq {
				e.persist(s.wanted)
			}
		})
	})
}
