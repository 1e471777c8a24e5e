// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package show

import "testing"

func TestTakeItemsLeavesWhatFollowsTheLastItem(t *testing.T) {
	var text Text
	text.Begin("First")
	text.Item("one")
	text.End()
	text.Begin("Second")
	if got, want := text.TakeItems(), "First:\n  * one\n"; got != want {
		t.Errorf("taken %q, want %q", got, want)
	}
	if got := text.TakeItems(); got != "" {
		t.Errorf("taken %q where there is no item", got)
	}
	text.Item("two")
	if got, want := text.Take(), "Second:\n  * two\n"; got != want {
		t.Errorf("left %q, want %q", got, want)
	}
}
