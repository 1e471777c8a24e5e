// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package wire

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/go-msgpack/v2/codec"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/transition/graph"
)

func samples() []*Message {
	return []*Message{
		{Vote: &Vote{Round: "1.5/1.2", Name: "node1", FeatureSet: "3.16.1", Uptime: time.Hour, DC: true}},
		{Offer: &Offer{JoinID: 3, To: []messaging.MemberID{{Node: 1, Client: 2}}, Settled: true}},
		{JoinConfirm: &JoinConfirm{JoinID: 3, LRM: []byte("<lrm/>"), Shutdown: true}},
		{Announce: &Announce{To: messaging.MemberID{Node: 1, Client: 2}}},
		{Invoke: &Invoke{To: 2, Key: "1:2:0:x", Action: graph.Action{
			Kind: graph.RscOp, ID: 1, Operation: "start", Primitive: &graph.Primitive{ID: "a", Class: "ocf"},
			Attributes: []graph.Attr{{Name: "CRM_meta_timeout", Value: "20000"}}, Downed: []graph.Downed{{Node: "1"}},
		}}},
		{FenceEvent: &FenceEvent{ID: "x", Target: "node1", State: "success", Completed: time.Unix(1600000000, 0).UTC()}},
		{Forget: &Forget{ID: "x", To: 1, Interval: 10 * time.Second, FailuresOnly: true}},
	}
}

func TestMessagesSurviveEncoding(t *testing.T) {
	for _, m := range samples() {
		b, err := Encode(m)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		m.V = Version
		if diff := cmp.Diff(m, got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestOtherVersionsAreRefused(t *testing.T) {
	var b []byte
	if err := codec.NewEncoderBytes(&b, handle()).Encode(&Message{V: Version + 1}); err != nil {
		t.Fatal(err)
	}
	if _, err := Decode(b); !errors.Is(err, ErrBad) {
		t.Errorf("got %v", err)
	}
}

// Whatever arrives is a message or an error; what is read can be written.
func FuzzDecode(f *testing.F) {
	for _, m := range samples() {
		b, err := Encode(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0xdf, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Decode(b)
		if err != nil {
			if !errors.Is(err, ErrBad) {
				t.Errorf("error without a sentinel: %v", err)
			}
			return
		}
		again, err := Encode(m)
		if err != nil {
			t.Fatalf("read but not written: %v", err)
		}
		if back, err := Decode(again); err != nil || reflect.TypeOf(back) != reflect.TypeOf(m) {
			t.Fatalf("written but not read: %v", err)
		}
	})
}
