// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package wire

import (
	"bytes"
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/internal/hammer"
	"github.com/quorate/quorate/messaging"
)

func genRing(t *rapid.T) messaging.RingID {
	return messaging.RingID{
		Rep: messaging.NodeID(rapid.Uint32Min(1).Draw(t, "rep")),
		Seq: rapid.Uint64Max(MaxRingSeq).Draw(t, "ring_seq"),
	}
}

func genNodes(t *rapid.T, name string) []messaging.NodeID {
	gaps := rapid.SliceOfN(rapid.Uint32Range(1, 1<<16), 0, 40).Draw(t, name)
	var out []messaging.NodeID
	last := messaging.NodeID(0)
	for _, g := range gaps {
		last += messaging.NodeID(g)
		out = append(out, last)
	}
	return out
}

func TestTokenComesBackAsItWent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		seq := rapid.Uint64Max(MaxSeq).Draw(t, "seq")
		want := Token{
			Ring: genRing(t), TokenSeq: rapid.Uint64Max(MaxSeq).Draw(t, "token_seq"), Seq: seq,
			Aru: rapid.Uint64Max(seq).Draw(t, "aru"), AruAddr: messaging.NodeID(rapid.Uint32().Draw(t, "aru_addr")),
			Backlog: rapid.Uint32().Draw(t, "backlog"), Fcc: rapid.Uint32().Draw(t, "fcc"), Retransmit: rapid.Bool().Draw(t, "retransmit"),
			Missing: rapid.SliceOfN(rapid.Uint64(), 0, MaxRetransmit).Draw(t, "missing"),
		}
		packet := want.Append(nil)
		if len(packet) != want.Size() {
			t.Fatalf("%d bytes, Size says %d", len(packet), want.Size())
		}
		got := Token{Missing: make([]uint64, 0, 4)}
		if err := DecodeToken(packet, &got); err != nil {
			t.Fatal(err)
		}
		if len(want.Missing) == 0 {
			want.Missing, got.Missing = nil, nil
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestMcastComesBackAsItWent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Mcast{
			Ring: genRing(t), Seq: rapid.Uint64Range(1, MaxSeq).Draw(t, "seq"), Origin: messaging.NodeID(rapid.Uint32Min(1).Draw(t, "origin")),
			Recovery: rapid.Bool().Draw(t, "recovery"), Payload: rapid.SliceOfN(rapid.Byte(), 0, 200).Draw(t, "payload"),
		}
		got, err := DecodeMcast(want.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got.Payload, want.Payload) {
			t.Fatalf("payload %x, want %x", got.Payload, want.Payload)
		}
		got.Payload, want.Payload = nil, nil
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestJoinComesBackAsItWent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Join{
			RingSeq: rapid.Uint64Max(MaxRingSeq).Draw(t, "ring_seq"), Proc: genNodes(t, "proc"), Failed: genNodes(t, "failed"),
			Deaf: genNodes(t, "deaf"), Leave: rapid.Bool().Draw(t, "leave"),
		}
		packet := want.Append(nil)
		if len(packet) != want.Size() {
			t.Fatalf("%d bytes, announced %d", len(packet), want.Size())
		}
		got, err := DecodeJoin(packet)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestMergeDetectComesBackAsItWent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := MergeDetect{Ring: genRing(t), Members: genNodes(t, "members"), Deaf: genNodes(t, "deaf"), Refused: genNodes(t, "refused"), Ask: rapid.Bool().Draw(t, "ask")}
		packet := want.Append(nil)
		if len(packet) != want.Size() {
			t.Fatalf("%d bytes, announced %d", len(packet), want.Size())
		}
		got, err := DecodeMergeDetect(packet)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// Row 17 of the corner cases: the JOIN of the largest cluster fits one frame,
// with ids from 1 on, and with ids made of addresses of one subnet.
func TestJoinOfTheLargestClusterFitsAFrame(t *testing.T) {
	for _, first := range []messaging.NodeID{1, 0xc0000200} {
		j := Join{RingSeq: 1 << 40, Failed: []messaging.NodeID{first}, Deaf: []messaging.NodeID{first}}
		for i := range messaging.NodeID(MaxNodes) {
			j.Proc = append(j.Proc, first+i*3)
		}
		if n := len(j.Append(nil)); n > 1400 {
			t.Errorf("ids from %d: %d bytes", first, n)
		}
	}
}

func TestVarintsHaveOneForm(t *testing.T) {
	join := (&Join{RingSeq: 4}).Append(nil)
	long := append(join[:len(join)-3:len(join)-3], 0x80, 0, 0, 0)
	if _, err := DecodeJoin(long); !errors.Is(err, ErrValue) {
		t.Errorf("a longer form of 0: %v", err)
	}
	if _, err := DecodeJoin(append(join[:len(join)-1:len(join)-1], 0x80)); !errors.Is(err, ErrShort) {
		t.Error("a varint without its end is taken")
	}
}

func TestCommitTokenComesBackAsItWent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := &Commit{TokenSeq: rapid.Uint64Max(MaxSeq).Draw(t, "token_seq")}
		for _, n := range append([]messaging.NodeID{1}, genNodes(t, "members")...) {
			if n == 1 && len(want.Members) > 0 {
				continue
			}
			high := rapid.Uint64Max(MaxSeq).Draw(t, "high")
			want.Members = append(want.Members, CommitMember{Node: n, OldRing: genRing(t), Aru: rapid.Uint64Max(high).Draw(t, "aru"), High: high})
		}
		want.Ring = messaging.RingID{Rep: 1, Seq: rapid.Uint64Max(MaxRingSeq).Draw(t, "seq")}
		want.Filled = rapid.IntRange(0, len(want.Members)).Draw(t, "filled")
		got, err := DecodeCommit(want.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestCountsAreBoundedBeforeAllocation(t *testing.T) {
	token := (&Token{Ring: messaging.RingID{Rep: 1, Seq: 4}}).Append(nil)
	le.PutUint32(token[tokenFixed-4:], 0xffff_fff0) // negative where counts are signed
	join := (&Join{}).Append(nil)
	join = append(join[:joinFixed:joinFixed], 0xff, 0xff, 3, 1, 1, 1)
	commit := (&Commit{Ring: messaging.RingID{Rep: 1}, Members: []CommitMember{{Node: 1}}}).Append(nil)
	many, filled, none := bytes.Clone(commit), bytes.Clone(commit), bytes.Clone(commit)
	le.PutUint16(many[26:], 0xffff)
	le.PutUint16(filled[24:], 2)
	le.PutUint16(none[26:], 0)
	var k Token
	if err := DecodeToken(token, &k); !errors.Is(err, ErrBound) {
		t.Errorf("token: %v", err)
	}
	if _, err := DecodeJoin(join); !errors.Is(err, ErrBound) {
		t.Errorf("join: %v", err)
	}
	for name, p := range map[string][]byte{"many": many, "filled": filled, "none": none} {
		if _, err := DecodeCommit(p); !errors.Is(err, ErrBound) {
			t.Errorf("commit %s: %v", name, err)
		}
	}
}

func TestListsMustAscend(t *testing.T) {
	for _, nodes := range [][]messaging.NodeID{{2, 1}, {1, 1}, {0, 1}} {
		if _, err := DecodeJoin((&Join{Proc: nodes}).Append(nil)); !errors.Is(err, ErrNodes) {
			t.Errorf("proc %v: %v", nodes, err)
		}
		if _, err := DecodeJoin((&Join{Failed: nodes}).Append(nil)); !errors.Is(err, ErrNodes) {
			t.Errorf("failed %v: %v", nodes, err)
		}
		c := Commit{Ring: messaging.RingID{Rep: nodes[0]}}
		for _, n := range nodes {
			c.Members = append(c.Members, CommitMember{Node: n})
		}
		if _, err := DecodeCommit(c.Append(nil)); !errors.Is(err, ErrNodes) {
			t.Errorf("commit %v: %v", nodes, err)
		}
	}
}

func TestTheRepresentativeIsTheLowestMember(t *testing.T) {
	c := Commit{Ring: messaging.RingID{Rep: 2}, Members: []CommitMember{{Node: 1}, {Node: 2}}}
	if _, err := DecodeCommit(c.Append(nil)); !errors.Is(err, ErrValue) {
		t.Errorf("got %v", err)
	}
}

func TestForeignVersionsTypesFlagsAndLengthsAreRefused(t *testing.T) {
	good := HoldCancel{Ring: messaging.RingID{Rep: 1, Seq: 4}}.Append(nil)
	change := func(i int, v byte) []byte {
		b := bytes.Clone(good)
		b[i] = v
		return b
	}
	for _, c := range []struct {
		name   string
		packet []byte
		want   error
	}{
		{"empty", nil, ErrShort},
		{"header only", good[:4], ErrShort},
		{"short", good[:len(good)-1], ErrShort},
		{"long", append(bytes.Clone(good), 0), ErrLength},
		{"version", change(0, Version+1), ErrVersion},
		{"type", change(1, 77), ErrType},
		{"other type", change(1, byte(TypeMergeDetect)), ErrType},
		{"flags", change(2, 0x80), ErrFlags},
		{"oversize", make([]byte, MaxPacket+1), ErrLength},
	} {
		if _, err := DecodeHoldCancel(c.packet); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", c.name, err, c.want)
		}
	}
}

// The largest token fits one Ethernet frame.
func TestTokenNeverFragments(t *testing.T) {
	k := Token{Missing: make([]uint64, MaxRetransmit)}
	if k.Size() > 1400 {
		t.Errorf("a full token has %d bytes", k.Size())
	}
}

// seeds has a packet of each type.
func seeds() (out [][]byte) {
	ring := messaging.RingID{Rep: 1, Seq: 0x1004}
	out = append(out, (&Token{Ring: ring, TokenSeq: 7, Seq: 9, Aru: 8, AruAddr: 2, Missing: []uint64{9}}).Append(nil))
	m := Mcast{Ring: ring, Seq: 9, Origin: 2, Payload: []byte("payload")}
	out = append(out, m.Append(nil))
	out = append(out, (&Mcast{Ring: ring, Seq: 9, Origin: 2, Recovery: true, Payload: m.Append(nil)}).Append(nil))
	out = append(out, (&MergeDetect{Ring: ring, Members: []messaging.NodeID{1, 3}, Deaf: []messaging.NodeID{2}, Refused: []messaging.NodeID{9}, Ask: true}).Append(nil))
	out = append(out, HoldCancel{Ring: ring}.Append(nil))
	out = append(out, (&Join{RingSeq: 4, Proc: []messaging.NodeID{1, 2, 3}, Failed: []messaging.NodeID{3}, Deaf: []messaging.NodeID{2, 300}, Leave: true}).Append(nil))
	out = append(out, (&Commit{Ring: ring, Filled: 1, Members: []CommitMember{{Node: 1, Aru: 1, High: 2}, {Node: 2}}}).Append(nil))
	return out
}

// again checks that what was decoded encodes to the same bytes.
func again(t testing.TB, packet, encoded []byte) {
	if !bytes.Equal(packet, encoded) {
		t.Errorf("%x decodes and encodes to %x", packet, encoded)
	}
}

func FuzzDecode(f *testing.F) {
	for _, p := range seeds() {
		f.Add(p)
	}
	f.Fuzz(func(t *testing.T, packet []byte) { decodes(t, packet) })
}

func decodes(t testing.TB, packet []byte) {
	t.Helper()
	typ, err := TypeOf(packet)
	if err != nil {
		return
	}
	switch typ {
	case TypeToken:
		var k Token
		if DecodeToken(packet, &k) == nil {
			again(t, packet, k.Append(nil))
		}
	case TypeMcast:
		if m, err := DecodeMcast(packet); err == nil {
			again(t, packet, m.Append(nil))
		}
	case TypeMergeDetect:
		if m, err := DecodeMergeDetect(packet); err == nil {
			again(t, packet, m.Append(nil))
		}
	case TypeJoin:
		if j, err := DecodeJoin(packet); err == nil {
			again(t, packet, j.Append(nil))
		}
	case TypeCommit:
		if c, err := DecodeCommit(packet); err == nil {
			again(t, packet, c.Append(nil))
		}
	case TypeHoldCancel:
		if h, err := DecodeHoldCancel(packet); err == nil {
			again(t, packet, h.Append(nil))
		}
	}
}

func TestDecodeHammered(t *testing.T) {
	hammer.Run(t, "FuzzDecode", func(b []byte) { decodes(t, b) }, seeds()...)
}
