// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package bzip2

import "sort"

// maxLength is the longest code that is made; readers take 20.
const maxLength = 17

// codeLengths gives a prefix code for the frequencies. Every symbol gets a code.
func codeLengths(freq []int) []uint8 {
	weights := make([]int, len(freq))
	for i, f := range freq {
		weights[i] = max(f, 1)
	}
	for {
		lengths, longest := tree(weights)
		if longest <= maxLength {
			return lengths
		}
		for i, w := range weights {
			weights[i] = w/2 + 1
		}
	}
}

// tree builds a Huffman tree and gives the depth of each leaf.
func tree(weights []int) (lengths []uint8, longest int) {
	n := len(weights)
	lengths = make([]uint8, n)
	if n == 1 {
		lengths[0] = 1
		return lengths, 1
	}
	order := make([]int, n)
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, j int) bool { return weights[order[i]] < weights[order[j]] })
	weight := make([]int, 2*n-1)
	parent := make([]int, 2*n-1)
	copy(weight, weights)
	leaf, inner := 0, n
	least := func(end int) int {
		if leaf < n && (inner >= end || weights[order[leaf]] <= weight[inner]) {
			leaf++
			return order[leaf-1]
		}
		inner++
		return inner - 1
	}
	for next := n; next < 2*n-1; next++ {
		a := least(next)
		b := least(next)
		weight[next] = weight[a] + weight[b]
		parent[a], parent[b] = next, next
	}
	for i := range weights {
		depth := 0
		for x := i; x != 2*n-2; x = parent[x] {
			depth++
		}
		lengths[i] = uint8(min(depth, 255))
		longest = max(longest, depth)
	}
	return lengths, longest
}

// codes gives the canonical codes of the lengths.
func codes(lengths []uint8) []uint32 {
	out := make([]uint32, len(lengths))
	next := uint32(0)
	for l := uint8(1); l <= maxLength; l++ {
		for i, x := range lengths {
			if x == l {
				out[i] = next
				next++
			}
		}
		next <<= 1
	}
	return out
}
