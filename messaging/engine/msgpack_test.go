// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"testing"

	"github.com/quorate/quorate/internal/hammer"
	"github.com/quorate/quorate/messaging/quorum"
)

// seeds has one of each.
func seeds(t testing.TB) (out [][]byte) {
	for _, v := range []any{
		&extra{Info: quorum.Info{Votes: 1, Expected: 3, Flags: 1, Tie: 2}, ConfVersion: 7, Name: "node1"},
		&operation{Op: opVotes, Node: 3, Value: 2, Ask: 9},
	} {
		b, err := encodeMsgpack(v)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b)
	}
	return out
}

// FuzzMsgpack decodes what other nodes send in their sync and service messages.
func FuzzMsgpack(f *testing.F) {
	for _, b := range seeds(f) {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) { decodes(t, b) })
}

func decodes(t testing.TB, b []byte) {
	t.Helper()
	var x extra
	if decodeMsgpack(b, &x) == nil {
		if _, err := encodeMsgpack(&x); err != nil {
			t.Errorf("what was decoded cannot be encoded: %v", err)
		}
		if len(x.Name) > len(b) {
			t.Errorf("a name of %d bytes out of %d", len(x.Name), len(b))
		}
	}
	var op operation
	if decodeMsgpack(b, &op) == nil {
		if _, err := encodeMsgpack(&op); err != nil {
			t.Errorf("what was decoded cannot be encoded: %v", err)
		}
	}
}

func TestMsgpackHammered(t *testing.T) {
	hammer.Run(t, "FuzzMsgpack", func(b []byte) { decodes(t, b) }, seeds(t)...)
}
