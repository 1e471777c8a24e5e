// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package bzip2

// bitWriter packs bits, the highest first.
type bitWriter struct {
	out  []byte
	acc  uint64
	bits uint
}

// put writes the n low bits of v; n is at most 48.
func (w *bitWriter) put(v uint64, n uint) {
	w.acc = w.acc<<n | v&(1<<n-1)
	w.bits += n
	for w.bits >= 8 {
		w.bits -= 8
		w.out = append(w.out, byte(w.acc>>w.bits))
	}
	w.acc &= 1<<w.bits - 1
}

// bytes pads the last byte with zeros.
func (w *bitWriter) bytes() []byte {
	if w.bits > 0 {
		w.put(0, 8-w.bits)
	}
	return w.out
}

// crcTable is for the polynomial 0x04c11db7 with the highest bit first.
var crcTable = makeCRCTable()

func makeCRCTable() (t [256]uint32) {
	for i := range t {
		c := uint32(i) << 24
		for range 8 {
			if c&0x80000000 != 0 {
				c = c<<1 ^ 0x04c11db7
			} else {
				c <<= 1
			}
		}
		t[i] = c
	}
	return t
}

func crc(data []byte) uint32 {
	c := ^uint32(0)
	for _, b := range data {
		c = c<<8 ^ crcTable[byte(c>>24)^b]
	}
	return ^c
}
