// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package bzip2

// level sets the size of blocks: level × 100,000 bytes.
const level = 4

const blockSize = level*100_000 - 20

// Compress gives the data in the bzip2 format.
func Compress(data []byte) []byte {
	w := &bitWriter{out: append([]byte("BZh"), '0'+level)}
	combined := uint32(0)
	for len(data) > 0 {
		block, used := runs(data)
		sum := crc(data[:used])
		combined = (combined<<1 | combined>>31) ^ sum
		w.block(block, sum)
		data = data[used:]
	}
	w.put(0x177245385090, 48)
	w.put(uint64(combined), 32)
	return w.bytes()
}

// runs shortens runs of equal bytes until a block is full, and tells how much of
// the data that took.
func runs(data []byte) (block []byte, used int) {
	for used < len(data) && len(block) < blockSize-5 {
		b, n := data[used], 1
		for n < 255 && used+n < len(data) && data[used+n] == b {
			n++
		}
		for range min(n, 4) {
			block = append(block, b)
		}
		if n >= 4 {
			block = append(block, byte(n-4))
		}
		used += n
	}
	return block, used
}

// block writes one block.
func (w *bitWriter) block(block []byte, sum uint32) {
	last, origin := transform(block)
	w.put(0x314159265359, 48)
	w.put(uint64(sum), 32)
	w.put(0, 1)
	w.put(uint64(origin), 24)
	var used [256]bool
	for _, b := range block {
		used[b] = true
	}
	w.symbolMap(&used)
	symbols, alphabet := moveToFront(last, &used)
	freq := make([]int, alphabet)
	for _, s := range symbols {
		freq[s]++
	}
	lengths := codeLengths(freq)
	const trees, groupSize = 2, 50
	selectors := (len(symbols) + groupSize - 1) / groupSize
	w.put(trees, 3)
	w.put(uint64(selectors), 15)
	for range selectors {
		w.put(0, 1)
	}
	for range trees {
		w.lengths(lengths)
	}
	code := codes(lengths)
	for _, s := range symbols {
		w.put(uint64(code[s]), uint(lengths[s]))
	}
}

func (w *bitWriter) symbolMap(used *[256]bool) {
	var rows [16]bool
	for i, u := range used {
		rows[i/16] = rows[i/16] || u
	}
	for _, r := range rows {
		w.put(bit(r), 1)
	}
	for i, u := range used {
		if rows[i/16] {
			w.put(bit(u), 1)
		}
	}
}

func bit(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// lengths writes code lengths as steps from one to the next.
func (w *bitWriter) lengths(lengths []uint8) {
	at := lengths[0]
	w.put(uint64(at), 5)
	for _, l := range lengths {
		for ; at < l; at++ {
			w.put(2, 2)
		}
		for ; at > l; at-- {
			w.put(3, 2)
		}
		w.put(0, 1)
	}
}

// moveToFront replaces bytes by how long ago they were seen; runs of the last
// one become numbers of two digits, RUNA and RUNB.
func moveToFront(data []byte, used *[256]bool) (symbols []uint16, alphabet int) {
	var list []byte
	for i, u := range used {
		if u {
			list = append(list, byte(i))
		}
	}
	zeros := 0
	flush := func() {
		for n := zeros; n > 0; n = (n - 1) / 2 {
			symbols = append(symbols, uint16((n-1)%2))
		}
		zeros = 0
	}
	for _, b := range data {
		at := 0
		for list[at] != b {
			at++
		}
		if at == 0 {
			zeros++
			continue
		}
		flush()
		copy(list[1:at+1], list[:at])
		list[0] = b
		symbols = append(symbols, uint16(at+1))
	}
	flush()
	return append(symbols, uint16(len(list)+1)), len(list) + 2
}

// transform sorts the rotations of the block (Burrows and Wheeler) by doubling
// the length that is compared. It gives the last column and the place of the
// block itself.
func transform(block []byte) (last []byte, origin int) {
	n := len(block)
	order, rank := make([]int32, n), make([]int32, n)
	tmp, next := make([]int32, n), make([]int32, n)
	count := make([]int32, max(n, 256)+1)
	for _, b := range block {
		count[int(b)+1]++
	}
	for i := 1; i < len(count); i++ {
		count[i] += count[i-1]
	}
	for i, b := range block {
		order[count[b]] = int32(i)
		count[b]++
	}
	classes := int32(0)
	for i, o := range order {
		if i > 0 && block[o] != block[order[i-1]] {
			classes++
		}
		rank[o] = classes
	}
	for k := 1; k < n && int(classes) < n-1; k *= 2 {
		for i, o := range order {
			tmp[i] = int32((int(o) - k + n) % n)
		}
		clear(count[:classes+2])
		for _, r := range rank {
			count[r+1]++
		}
		for i := int32(1); i <= classes; i++ {
			count[i] += count[i-1]
		}
		for _, o := range tmp {
			order[count[rank[o]]] = o
			count[rank[o]]++
		}
		classes = 0
		next[order[0]] = 0
		for i := 1; i < n; i++ {
			a, b := int(order[i-1]), int(order[i])
			if rank[a] != rank[b] || rank[(a+k)%n] != rank[(b+k)%n] {
				classes++
			}
			next[b] = classes
		}
		rank, next = next, rank
	}
	last = make([]byte, n)
	for i, o := range order {
		last[i] = block[(int(o)+n-1)%n]
		if o == 0 {
			origin = i
		}
	}
	return last, origin
}
