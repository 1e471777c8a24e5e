// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package auth

// windowBits is how far behind the newest counter a packet may come and still
// be taken.
const windowBits = 4096

const windowWords = windowBits/64 + 1

// A window remembers which of the last counters were seen. The zero value has
// seen nothing; counters begin with 1.
type window struct {
	top   uint64
	floor uint64 // nothing up to here is fresh any more
	bits  [windowWords]uint64
}

// close makes all that is older than the newest stale.
func (w *window) close() { w.floor = w.top }

// fresh tells whether counter n was not seen and is not too old.
func (w *window) fresh(n uint64) bool {
	switch {
	case n == 0 || n <= w.floor:
		return false
	case n > w.top:
		return true
	case w.top-n >= windowBits:
		return false
	}
	return w.bits[n/64%windowWords]&(1<<(n%64)) == 0
}

// mark notes that n was seen; n must be fresh.
func (w *window) mark(n uint64) {
	if n > w.top {
		from, to := w.top/64, n/64
		if to-from > windowWords {
			from = to - windowWords
		}
		for i := from + 1; i <= to; i++ {
			w.bits[i%windowWords] = 0
		}
		w.top = n
	}
	w.bits[n/64%windowWords] |= 1 << (n % 64)
}
