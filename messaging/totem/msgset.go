// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"time"

	"github.com/quorate/quorate/messaging"
)

// A slot is the place of one numbered message of a ring.
type slot struct {
	packet   []byte // the whole Mcast packet, nil while it is missing
	origin   messaging.NodeID
	recovery bool // it is a recovery copy, not for the application
	copied   bool // in this recovery somebody has sent a copy

	misses    int           // token visits that found it missing
	missSince time.Duration // when the first of them was
}

// A msgSet holds the messages of one ring that may still be needed.
type msgSet struct {
	ring      messaging.RingID
	slots     []slot // a power of two, by sequence number modulo its length
	released  uint64 // everything up to here is gone
	aru       uint64 // everything up to here was received
	high      uint64 // the highest received
	delivered uint64 // everything up to here was delivered, or is not to be
}

const firstSlots = 64

func newMsgSet(ring messaging.RingID) *msgSet {
	return &msgSet{ring: ring, slots: make([]slot, firstSlots)}
}

// at gives the slot of seq, nil if it lies outside of what is kept.
func (s *msgSet) at(seq uint64) *slot {
	if seq <= s.released || seq > s.released+uint64(len(s.slots)) {
		return nil
	}
	return &s.slots[seq&uint64(len(s.slots)-1)]
}

// room gives the slot of seq, growing the set up to maxUnreleased; nil if seq
// is released or too far ahead.
func (s *msgSet) room(seq uint64) *slot {
	if seq <= s.released || seq > s.released+maxUnreleased {
		return nil
	}
	if n := uint64(len(s.slots)); seq > s.released+n {
		old := s.slots
		for seq > s.released+n {
			n *= 2
		}
		s.slots = make([]slot, n)
		for q := s.released + 1; q <= s.released+uint64(len(old)); q++ {
			s.slots[q&(n-1)] = old[q&uint64(len(old)-1)]
		}
	}
	return s.at(seq)
}

// has tells whether message seq is held.
func (s *msgSet) has(seq uint64) bool {
	m := s.at(seq)
	return m != nil && m.packet != nil
}

// put stores a message and tells whether it was new. The packet is kept.
func (s *msgSet) put(seq uint64, packet []byte, origin messaging.NodeID, recovery bool) bool {
	m := s.room(seq)
	if m == nil || m.packet != nil {
		return false
	}
	copied := m.copied
	*m = slot{packet: packet, origin: origin, recovery: recovery, copied: copied}
	s.high = max(s.high, seq)
	for s.has(s.aru + 1) {
		s.aru++
	}
	return true
}

// release frees everything up to seq.
func (s *msgSet) release(seq uint64) {
	if seq > s.released && seq-s.released >= uint64(len(s.slots)) {
		clear(s.slots)
		s.released = seq
	}
	for s.released < seq {
		s.slots[(s.released+1)&uint64(len(s.slots)-1)] = slot{}
		s.released++
	}
}
