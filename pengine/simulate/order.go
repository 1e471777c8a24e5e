// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"slices"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// An order lists kinds of utilization as the classic tool does: in the order of
// the hash table that it keeps them in. Programs read the lines as they are.
type order map[string]int // when a name first came up in the document

// newOrder finds when names came up.
func newOrder(cib *etree.Element) order {
	o := order{}
	for set := range document.All(document.Child(cib, "configuration"), "utilization") {
		for p := range document.Children(set, "nvpair") {
			if name := document.Get(p, "name"); o[name] == 0 {
				o[name] = len(o) + 1
			}
		}
	}
	return o
}

// The table has a power of two of places, at least minPlaces; a name's first
// place is its hash modulo the largest prime below.
const minPlaces = 8

var primes = map[int]uint32{8: 7, 16: 13, 32: 31, 64: 61, 128: 127, 256: 251, 512: 509, 1024: 1021, 2048: 2039, 4096: 4093}

// maxPlaces bounds the table; more names are listed in the order of the
// document.
const maxPlaces = 4096

// keys gives the names in the table's order.
func (o order) keys(values map[string]string) []string {
	names := sortedKeys(values)
	slices.SortStableFunc(names, func(a, b string) int { return o[a] - o[b] })
	if len(names) >= maxPlaces/2 {
		return names
	}
	table := make([]string, minPlaces)
	used := 0
	for _, name := range names {
		put(table, name)
		if used++; used+used/16 >= len(table) {
			bigger := make([]string, placesFor(used*4/3))
			for _, old := range table {
				if old != "" {
					put(bigger, old)
				}
			}
			table = bigger
		}
	}
	return slices.DeleteFunc(table, func(name string) bool { return name == "" })
}

func placesFor(n int) int {
	places := minPlaces
	for places <= n {
		places *= 2
	}
	return places
}

// put looks for a free place, each step one further than the last.
func put(table []string, name string) {
	hash := uint32(0)
	for i := range len(name) {
		hash = hash*31 + uint32(int32(int8(name[i]))) //nolint:gosec // bytes are signed there
	}
	at := int(hash * 11 % primes[len(table)])
	for step := 1; table[at] != ""; step++ {
		at = (at + step) & (len(table) - 1)
	}
	table[at] = name
}
