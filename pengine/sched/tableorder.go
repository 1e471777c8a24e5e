// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

// Pacemaker keeps the places of a resource in a hash table of GLib's, and where
// several nodes have as much room, the one that the table comes to first is
// taken. It has a hash of its own to keep that order from release to release;
// hashed gives the same order, so that ties fall the same way.

// minShift is the logarithm of a new table's size.
const minShift = 3

// maxShift bounds a table; what does not fit keeps the order it came in.
const maxShift = 16

// primes are the largest primes below the powers of two, by the logarithm, as
// far as tables grow here.
var primes = [maxShift + 1]uint32{1, 2, 3, 7, 13, 31, 61, 127, 251, 509, 1021, 2039, 4093, 8191, 16381, 32749, 65521}

// hashTable is a table with open addressing.
type hashTable struct {
	shift int
	slots []hashSlot
	used  int
}

type hashSlot struct {
	hash uint32 // 0 where the slot is empty
	at   int    // index of what was put in
}

// stringHash is Pacemaker's hash of a string: 31 times what was so far, plus the
// next byte with its sign.
func stringHash(s string) uint32 {
	h := uint32(0)
	for i := range len(s) {
		h = h*31 + uint32(int32(int8(s[i]))) //nolint:gosec // the sign is meant
	}
	return max(h, 2) // 0 and 1 mark slots
}

func (t *hashTable) slot(hash uint32) uint32 { return hash * 11 % primes[t.shift] }

// put adds the i-th key.
func (t *hashTable) put(key string, i int) {
	hash := stringHash(key)
	n := t.slot(hash)
	for step := uint32(1); t.slots[n].hash != 0; step++ {
		n = (n + step) & uint32(len(t.slots)-1) //nolint:gosec // at most 1<<maxShift
	}
	t.slots[n] = hashSlot{hash, i}
	t.used++
	if len(t.slots) <= t.used+t.used/16 && t.shift < maxShift {
		t.grow()
	}
}

// grow makes room for a third more than there is. Slots are emptied from the
// first on; what is found in the new place of one goes on to its own.
func (t *hashTable) grow() {
	shift := minShift
	for n := int(float64(t.used) * 1.333); n >= 1<<shift; {
		shift++
	}
	old := len(t.slots)
	t.shift = shift
	t.slots = append(t.slots, make([]hashSlot, 1<<shift-old)...)
	settled := make([]bool, len(t.slots))
	for i := range old {
		e := t.slots[i]
		if e.hash == 0 || settled[i] {
			continue
		}
		t.slots[i] = hashSlot{}
		for e.hash != 0 {
			n := t.slot(e.hash)
			for step := uint32(1); settled[n]; step++ {
				n = (n + step) & uint32(len(t.slots)-1) //nolint:gosec // at most 1<<maxShift
			}
			settled[n] = true
			e, t.slots[n] = t.slots[n], e
		}
	}
}

// hashed gives places in the order of a table that they were put into one after
// the other.
func hashed(list []*alloc) []*alloc {
	if len(list) >= 1<<maxShift {
		return list
	}
	t := &hashTable{shift: minShift, slots: make([]hashSlot, 1<<minShift)}
	for i, a := range list {
		t.put(string(a.node.ID), i)
	}
	out := make([]*alloc, 0, len(list))
	for _, e := range t.slots {
		if e.hash != 0 {
			out = append(out, list[e.at])
		}
	}
	return out
}
