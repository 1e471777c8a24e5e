// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"fmt"
	"strings"
	"testing"

	"github.com/quorate/quorate/pengine/status"
)

// TestHashedIsTheOrderOfATable has orders that a GHashTable with Pacemaker's hash
// was walked in; the last three have grown.
func TestHashedIsTheOrderOfATable(t *testing.T) {
	for _, want := range []string{
		"2 1",
		"2 4 1 3 5",
		"5 4 3 9 2 8 1 7 6",
		"5 11 4 10 3 9 2 8 1 7 6 12",
		"23 30 11 29 17 5 24 31 12 36 6 18 25 13 1 20 37 19 7 26 32 14 2 21 38 8 33 27 40 15 3 22 39 9 10 28 34 16 4 35",
	} {
		var list []*alloc
		for i := range strings.Fields(want) {
			n := &node{ID: status.NodeID(fmt.Sprint("node", i+1))}
			list = append(list, &alloc{node: n})
		}
		var got []string
		for _, a := range hashed(list) {
			got = append(got, strings.TrimPrefix(string(a.node.ID), "node"))
		}
		if s := strings.Join(got, " "); s != want {
			t.Errorf("got %s\nwant %s", s, want)
		}
	}
}
