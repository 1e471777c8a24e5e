// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"cmp"
	"fmt"
	"slices"
	"testing"

	"github.com/beevik/etree"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/cib/document"
)

func TestSortingIsStable(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type item struct{ key, place int }
		var list []item
		for i, k := range rapid.SliceOfN(rapid.IntRange(0, 5), 0, 20).Draw(t, "keys") {
			list = append(list, item{k, i})
		}
		want := slices.Clone(list)
		byKey := func(a, b item) int { return cmp.Compare(a.key, b.key) }
		slices.SortStableFunc(want, byKey)
		MergeSort(list, byKey)
		if !slices.Equal(list, want) {
			t.Errorf("got %v, want %v", list, want)
		}
	})
}

// TestAnEntryUnderWayLeavesTheOrderOfOthers has the ages of a promotion, of an
// monitor and of a notification that never ended in a circle; the order is that
// in which the classic scheduler reads them.
func TestAnEntryUnderWayLeavesTheOrderOfOthers(t *testing.T) {
	var ops []*etree.Element
	add := func(id string, call, transition int, controller string) {
		magic := fmt.Sprintf("0:0;1:%d:0:%s", transition, controller)
		ops = append(ops, document.New("lrm_rsc_op", "id", id, "call-id", fmt.Sprint(call), "on_node", "n", "transition-magic", magic))
	}
	add("promote", 102, 33, "one")
	add("demote", 114, 36, "one")
	add("stop", 239, 128, "one")
	add("start", 247, 132, "one")
	add("notify", -1, 126, "one")
	add("monitor", 254, 134, "one")
	add("promote-again", 257, -1, "other")
	add("monitor-again", 259, -1, "other")
	slices.Reverse(ops)
	SortOps(ops)
	var got []string
	for _, op := range ops {
		got = append(got, document.ID(op))
	}
	want := []string{"promote", "demote", "stop", "start", "promote-again", "monitor-again", "notify", "monitor"}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
