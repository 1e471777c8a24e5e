// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ipc

import (
	"math/bits"
	"sync"
)

// Sizes of pooled buffers, as powers of two.
const (
	leastShift = 9  // 512 bytes
	mostShift  = 21 // 2 MiB: the largest part of a multicast and what is around it
)

// buffers are what messages are read into and written from. gRPC's own pool has
// few sizes and clears each buffer, which for bulk messages costs as much as
// sealing them.
var buffers bufferPool

// A bufferPool hands out buffers by powers of two. It is safe for concurrent use.
type bufferPool struct {
	classes [mostShift - leastShift + 1]sync.Pool
}

// Get gives a buffer of that length with any contents.
func (p *bufferPool) Get(length int) *[]byte {
	shift := bits.Len(uint(max(length, 1) - 1))
	if shift > mostShift {
		b := make([]byte, length)
		return &b
	}
	shift = max(shift, leastShift)
	if b, ok := p.classes[shift-leastShift].Get().(*[]byte); ok {
		*b = (*b)[:length]
		return b
	}
	b := make([]byte, length, 1<<shift)
	return &b
}

// Put takes a buffer back. One of another size than Get gives is left to the
// garbage collector.
func (p *bufferPool) Put(b *[]byte) {
	shift := bits.Len(uint(cap(*b))) - 1
	if shift < leastShift || shift > mostShift || cap(*b) != 1<<shift {
		return
	}
	p.classes[shift-leastShift].Put(b)
}
