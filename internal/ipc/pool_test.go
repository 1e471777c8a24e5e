// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ipc

import "testing"

func TestPooledBuffersHaveTheLengthAskedFor(t *testing.T) {
	var p bufferPool
	for _, n := range []int{0, 1, 511, 512, 513, 4096, 70_000, 1 << 20, 1 << 21, 1<<21 + 1, 5 << 20} {
		for range 2 { // new, then perhaps used before
			b := p.Get(n)
			if len(*b) != n || n > 0 && n <= 1<<mostShift && cap(*b) >= 2*max(n, 1<<leastShift) {
				t.Errorf("asked for %d, got %d of %d", n, len(*b), cap(*b))
			}
			*b = (*b)[:n/2] // gRPC may give back a prefix
			p.Put(b)
		}
	}
	odd := make([]byte, 1000)
	p.Put(&odd)
	if b := p.Get(600); cap(*b) != 1024 {
		t.Errorf("a buffer of %d came back", cap(*b))
	}
}
