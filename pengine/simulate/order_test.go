// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"fmt"
	"slices"
	"testing"

	"github.com/quorate/quorate/cib/document"
)

// TestUtilizationIsListedAsByTheClassicTool has what that tool prints.
func TestUtilizationIsListedAsByTheClassicTool(t *testing.T) {
	for _, want := range [][]string{
		{"cpu", "disk", "zeta", "hv_memory", "memory"},
		{"vds-ok-pool-1-usage", "cpu-decipct", "vds-ok-pool-0-usage", "ram-hugepages-mb"},
	} {
		cib := document.New("cib")
		set := document.Add(document.Add(document.Add(cib, "configuration"), "nodes"), "utilization")
		values := map[string]string{}
		for _, name := range slices.Sorted(slices.Values(want)) {
			document.Add(set, "nvpair", "name", name)
			values[name] = "1"
		}
		if got := newOrder(cib).keys(values); !slices.Equal(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	}
}

func TestEveryKindOfUtilizationIsListed(t *testing.T) {
	for n := range 300 {
		values := map[string]string{}
		for i := range n {
			values[fmt.Sprintf("kind-%d", i)] = "1"
		}
		got := order{}.keys(values)
		slices.Sort(got)
		if !slices.Equal(got, sortedKeys(values)) {
			t.Fatalf("of %d kinds %v are listed", n, got)
		}
	}
}
