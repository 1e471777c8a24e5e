// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cmap

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/messaging"
)

func TestPrefixIsSortedByKey(t *testing.T) {
	m := New()
	err := m.SetAll([]messaging.CmapEntry{
		Str("nodelist.node.1.name", "b"), Str("nodelist.node.0.name", "a"), Uint("totem.token", 32, 1000),
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []messaging.CmapEntry{Str("nodelist.node.0.name", "a"), Str("nodelist.node.1.name", "b")}
	if d := cmp.Diff(want, m.Prefix("nodelist.")); d != "" {
		t.Error(d)
	}
	if n := m.DeletePrefix("nodelist."); n != 2 {
		t.Errorf("deleted %d keys, want 2", n)
	}
	if _, ok := m.Get("totem.token"); !ok {
		t.Error("totem.token is gone")
	}
}

func TestSetRefusesBadKeysAndValues(t *testing.T) {
	m := New()
	for _, tc := range []struct {
		e    messaging.CmapEntry
		want error
	}{
		{Str("ab", "x"), ErrKey},
		{Str("a b c", "x"), ErrKey},
		{messaging.CmapEntry{Key: "abc", Type: "u8", Value: "256"}, ErrType},
		{messaging.CmapEntry{Key: "abc", Type: "i16", Value: "x"}, ErrType},
		{messaging.CmapEntry{Key: "abc", Type: "text", Value: "x"}, ErrType},
		{messaging.CmapEntry{Key: "abc", Type: "flt", Value: "1.5"}, nil},
	} {
		if err := m.Set(tc.e); !errors.Is(err, tc.want) {
			t.Errorf("Set(%v): %v, want %v", tc.e, err, tc.want)
		}
	}
}
