// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"testing"

	"github.com/quorate/quorate/messaging/quorum"
)

// FuzzMsgpack decodes what other nodes send in their sync and service messages.
func FuzzMsgpack(f *testing.F) {
	for _, v := range []any{
		&extra{Info: quorum.Info{Votes: 1, Expected: 3, Flags: 1, Tie: 2}, ConfVersion: 7, Name: "node1"},
		&operation{Op: opVotes, Node: 3, Value: 2, Ask: 9},
	} {
		b, err := encodeMsgpack(v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
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
	})
}
