// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package qnet

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// full is a message with every option.
func full() *Message {
	return &Message{
		Type: NodeList, Seq: Some(uint32(7)), Cluster: "c", TLS: Some(TLSRequired), CertRequired: Some(true), Messages: SupportedMessages(),
		Options: SupportedOptions(), Algorithms: []uint16{0, 1}, Error: Some(DuplicateNodeID), MaxRequest: 1, MaxReply: 2, NodeID: 1<<32 - 1,
		Algorithm: Some(LMS), HeartbeatMs: 8000, Ring: Some(RingID{3, 1 << 40}), ConfVersion: Some(uint64(9)),
		Nodes: []Node{{ID: 1}, {ID: 2, DataCentre: 5, State: Dead}}, ListType: Some(Quorum), Vote: NoChange, Quorate: Some(false),
		TieBreaker: TieBreaker{ByID, 2}, Heuristics: Fail, KeepActive: Some(true),
	}
}

func TestMessagesComeBackAsTheyWere(t *testing.T) {
	for _, m := range []*Message{full(), {Type: EchoRequest}, {Type: Preinit, Seq: Some(uint32(0)), Cluster: "x"}, {Type: 99}} {
		b, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		r := bytes.NewReader(append(b, 0x16, 0x03))
		got, err := Read(r)
		if err != nil {
			t.Fatalf("%s: %v", m.Type, err)
		}
		if d := cmp.Diff(m, got); d != "" {
			t.Errorf("%s: %s", m.Type, d)
		}
		if r.Len() != 2 {
			t.Errorf("%s: %d bytes are left of 2: TLS would miss them", m.Type, r.Len())
		}
	}
}

// The bytes are laid out by hand.
func TestPreinitIsWhatAClientOfCorosyncSends(t *testing.T) {
	want := []byte("\x00\x00\x00\x00\x00\x12\x00\x00\x00\x04\x00\x00\x00\x01\x00\x01\x00\x06debian")
	got, err := (&Message{Type: Preinit, Seq: Some(uint32(1)), Cluster: "debian"}).Encode()
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%x, %v", got, err)
	}
}

func TestMalformedMessages(t *testing.T) {
	for name, body := range map[string]string{
		"half an option head":       "\x00\x00\x00",
		"value beyond the end":      "\x00\x00\x00\x04\x00",
		"short number":              "\x00\x00\x00\x02\x00\x01",
		"odd list":                  "\x00\x04\x00\x03abc",
		"tls 3":                     "\x00\x02\x00\x01\x03",
		"vote 0":                    "\x00\x13\x00\x01\x00",
		"tie-breaker 4":             "\x00\x15\x00\x05\x04\x00\x00\x00\x01",
		"node without id":           "\x00\x11\x00\x00",
		"node with a broken option": "\x00\x11\x00\x05\x00\x09\x00\x04\x00",
		"ring":                      "\x00\x0d\x00\x04\x00\x00\x00\x01",
	} {
		if m, err := Decode(NodeList, []byte(body)); !errors.Is(err, ErrMalformed) || m == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Read(bytes.NewReader([]byte{0, 0, 0, 1, 0, 0})); !errors.Is(err, ErrTooLong) {
		t.Errorf("length of 65536: %v", err)
	}
	if _, err := Read(bytes.NewReader([]byte{0, 0, 0, 0, 0, 9, 1})); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut off: %v", err)
	}
	if _, err := (&Message{Type: NodeList, Nodes: slices.Repeat([]Node{{ID: 1}}, 3000)}).Encode(); !errors.Is(err, ErrTooLong) {
		t.Errorf("3000 nodes: %v", err)
	}
}

// FuzzDecode: what decodes encodes again to something that decodes to the same.
func FuzzDecode(f *testing.F) {
	b, err := full().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint16(NodeList), b[HeaderSize:])
	f.Fuzz(func(t *testing.T, typ uint16, body []byte) {
		m, err := Decode(Type(typ), body)
		if err != nil {
			return
		}
		b, err := m.Encode()
		if errors.Is(err, ErrTooLong) && len(body) > MaxMessage/2 {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := Read(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		// An empty list of numbers is not sent.
		for _, l := range []*[]uint16{&m.Messages, &m.Options, &m.Algorithms} {
			if len(*l) == 0 {
				*l = nil
			}
		}
		if d := cmp.Diff(m, again); d != "" {
			t.Fatal(d)
		}
	})
}
