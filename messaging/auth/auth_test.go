// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package auth

import (
	"bytes"
	"crypto/rand"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/quorate/quorate/internal/hammer"
	"github.com/quorate/quorate/messaging"
)

var loop = netip.MustParseAddr("127.0.0.1")

func newGuard(t testing.TB, id messaging.NodeID, fill byte, cluster string) *Guard {
	t.Helper()
	k, err := NewKey(bytes.Repeat([]byte{fill}, DefaultKey), cluster)
	if err != nil {
		t.Fatal(err)
	}
	g, err := NewGuard(Config{Self: id, Key: k, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func helloOf(t testing.TB, from *Guard, to messaging.NodeID) []byte {
	t.Helper()
	p, err := from.Hello(nil, to)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func seal(t testing.TB, g *Guard, to messaging.NodeID, body string) []byte {
	t.Helper()
	p, err := g.Seal(nil, Data, to, []byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func open(g *Guard, p []byte) (Opened, error) { return g.Open(nil, 0, loop, p) }

func wantReason(t testing.TB, err error, want Reason) {
	t.Helper()
	var r *Refusal
	if !errors.As(err, &r) || r.Reason != want {
		t.Errorf("got %v, want a refusal for %s", err, want)
	}
}

// shake lets a and b exchange hellos until nobody wants to answer, and tells
// how many were sent.
func shake(t testing.TB, a, b *Guard) int {
	t.Helper()
	n := 0
	queue := []*Guard{a}
	for len(queue) > 0 {
		from := queue[0]
		queue = queue[1:]
		to := a
		if from == a {
			to = b
		}
		if n++; n > 20 {
			t.Fatal("hellos do not end")
		}
		o, err := open(to, helloOf(t, from, to.cfg.Self))
		if err != nil {
			t.Fatal(err)
		}
		if o.Reply {
			queue = append(queue, to)
		}
	}
	return n
}

func TestFourHellosProveBothBoots(t *testing.T) {
	a, b := newGuard(t, 1, 7, "c"), newGuard(t, 2, 7, "c")
	wantReason(t, func() error { _, err := open(b, seal(t, a, 0, "early")); return err }(), UnknownBoot)
	if n := shake(t, a, b); n != 4 {
		t.Errorf("%d hellos, want 4", n)
	}
	if !a.Proven(2) || !b.Proven(1) {
		t.Fatal("boots are not proven")
	}
	for _, pair := range [][2]*Guard{{a, b}, {b, a}} {
		p := seal(t, pair[0], 0, "text")
		o, err := open(pair[1], p)
		if err != nil || string(o.Plain) != "text" || o.From != pair[0].cfg.Self || o.Kind != Data {
			t.Fatalf("open: %+v, %v", o, err)
		}
		_, err = open(pair[1], p)
		wantReason(t, err, Replay)
	}
}

func TestCrossingHellosEnd(t *testing.T) {
	a, b := newGuard(t, 1, 7, "c"), newGuard(t, 2, 7, "c")
	type mail struct {
		to *Guard
		p  []byte
	}
	box := []mail{{b, helloOf(t, a, 2)}, {a, helloOf(t, b, 1)}}
	for n := 0; len(box) > 0; n++ {
		if n > 20 {
			t.Fatal("hellos do not end")
		}
		m := box[0]
		box = box[1:]
		o, err := open(m.to, m.p)
		if err != nil {
			t.Fatal(err)
		}
		if o.Reply && m.to == a {
			box = append(box, mail{b, helloOf(t, a, 2)})
		} else if o.Reply {
			box = append(box, mail{a, helloOf(t, b, 1)})
		}
	}
	if !a.Proven(2) || !b.Proven(1) {
		t.Error("boots are not proven")
	}
}

func TestRestartedPeerIsAcceptedAndItsOldBootNever(t *testing.T) {
	a, b1 := newGuard(t, 1, 7, "c"), newGuard(t, 2, 7, "c")
	// Record what b1 says during the handshake, its proof among it.
	var recorded [][]byte
	send := func(from, to *Guard) Opened {
		p := helloOf(t, from, to.cfg.Self)
		if from == b1 {
			recorded = append(recorded, p)
		}
		o, err := open(to, p)
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	send(b1, a)
	send(a, b1)
	if o := send(b1, a); !o.NewBoot {
		t.Fatal("first boot not proven")
	}
	old := seal(t, b1, 0, "old")
	unseen := seal(t, b1, 0, "unseen")
	if _, err := open(a, old); err != nil {
		t.Fatal(err)
	}

	b2 := newGuard(t, 2, 7, "c")
	shake(t, b2, a)
	if o, err := open(a, seal(t, b2, 0, "new")); err != nil || string(o.Plain) != "new" {
		t.Fatalf("new boot: %v", err)
	}
	for _, p := range append(recorded, old, unseen) {
		if o, err := open(a, p); err == nil && (o.NewBoot || o.Kind == Data) {
			t.Errorf("a packet of the old boot was believed: %+v", o)
		}
	}
	if o, err := open(a, seal(t, b2, 0, "still")); err != nil || string(o.Plain) != "still" {
		t.Errorf("the new boot lost its place: %v", err)
	}

	// The other side restarts: captures from before mean nothing to it.
	a2 := newGuard(t, 1, 7, "c")
	_, err := open(a2, unseen)
	wantReason(t, err, UnknownBoot)
	for _, p := range recorded {
		if o, err := open(a2, p); err == nil && o.NewBoot {
			t.Error("a recorded hello proved an old boot to a restarted node")
		}
	}
}

func TestRefusals(t *testing.T) {
	a, b := newGuard(t, 1, 7, "c"), newGuard(t, 2, 7, "c")
	shake(t, a, b)
	good := seal(t, a, 2, "x")
	change := func(at int, v byte) []byte { p := bytes.Clone(good); p[at] ^= v; return p }
	forOther := seal(t, a, 3, "x")
	twin := seal(t, newGuard(t, 2, 7, "c"), 0, "x")
	for _, tc := range []struct {
		name string
		p    []byte
		want Reason
	}{
		{"empty", nil, Malformed},
		{"short", good[:Overhead-1], Malformed},
		{"magic", change(0, 1), Malformed},
		{"version", change(2, 9), BadVersion},
		{"kind", change(3, 0x40), Malformed},
		{"body", change(headerLen, 1), BadSeal},
		{"tag", change(len(good)-1, 1), BadSeal},
		{"counter", change(21, 1), BadSeal},
		{"to nobody", change(16, 2), BadSeal},
		{"for another", forOther, NotForUs},
		{"own", seal(t, b, 0, "x"), OwnPacket},
		{"twin", twin, OwnID},
		{"wrong key", seal(t, newGuard(t, 1, 8, "c"), 0, "x"), OtherCluster},
		{"other name", seal(t, newGuard(t, 1, 7, "d"), 0, "x"), OtherCluster},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := open(b, tc.p)
			wantReason(t, err, tc.want)
		})
	}
	if o, err := open(b, good); err != nil || string(o.Plain) != "x" {
		t.Errorf("the true packet after the forgeries: %v", err)
	}
	if n := b.Refused()[BadSeal]; n != 4 {
		t.Errorf("%d bad seals counted, want 4", n)
	}
}

func TestUnlistedAddressIsRefused(t *testing.T) {
	a, b := newGuard(t, 1, 7, "c"), newGuard(t, 2, 7, "c")
	shake(t, a, b)
	b.cfg.Known = func(id messaging.NodeID, src netip.Addr) bool { return id == 1 && src == loop }
	_, err := b.Open(nil, 0, netip.MustParseAddr("127.0.0.9"), seal(t, a, 0, "x"))
	wantReason(t, err, UnknownNode)
}

func TestKeyMovesOnAfterFourGigapackets(t *testing.T) {
	a, b := newGuard(t, 1, 7, "c"), newGuard(t, 2, 7, "c")
	shake(t, a, b)
	a.counter = 1<<32 - 2
	for range 4 {
		p := seal(t, a, 0, "x")
		if _, err := open(b, p); err != nil {
			t.Fatal(err)
		}
	}
	if b.peers[1].proven.epoch != 1 {
		t.Errorf("receiver is in epoch %d, want 1", b.peers[1].proven.epoch)
	}
}

func TestWindowAgreesWithAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var w window
		seen := map[uint64]bool{}
		top := uint64(0)
		for range rapid.IntRange(1, 200).Draw(t, "n") {
			base := uint64(1)
			if top > 2*windowBits {
				base = top - 2*windowBits
			}
			n := rapid.Uint64Range(base, top+3*windowBits).Draw(t, "counter")
			want := !seen[n] && (n > top || top-n < windowBits)
			if got := w.fresh(n); got != want {
				t.Fatalf("fresh(%d) = %v with top %d, want %v", n, got, top, want)
			}
			if want {
				w.mark(n)
				seen[n] = true
				top = max(top, n)
			}
		}
	})
}

func TestLoadKeyRefusesWhatOthersMayRead(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "authkey")
	if err := os.WriteFile(path, bytes.Repeat([]byte{1}, 256), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := LoadKey(path, "c"); err != nil {
		t.Errorf("mode 0600: %v", err)
	}
	for _, mode := range []os.FileMode{0o640, 0o644, 0o666, 0o700} {
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKey(path, "c"); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "chmod 0400") {
			t.Errorf("mode %o: %v", mode, err)
		}
	}
	for _, n := range []int{0, MinKey - 1, MaxKey + 1} {
		_ = os.Chmod(path, 0o600)
		if err := os.WriteFile(path, bytes.Repeat([]byte{1}, n), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadKey(path, "c"); !errors.Is(err, ErrKey) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if _, err := LoadKey(dir, "c"); !errors.Is(err, ErrKey) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := LoadKey(filepath.Join(dir, "none"), "c"); !errors.Is(err, ErrKey) || !strings.Contains(err.Error(), "corosync-keygen") {
		t.Errorf("no file: %v", err)
	}
}

// FuzzOpen: nothing that does not come from the other guard is ever taken.
func FuzzOpen(f *testing.F) {
	a, b := newGuard(f, 1, 7, "c"), newGuard(f, 2, 7, "c")
	shake(f, a, b)
	good := seal(f, a, 0, "body")
	if _, err := open(b, good); err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(helloOf(f, a, 2)[:60])
	f.Fuzz(func(t *testing.T, p []byte) {
		if o, err := open(b, p); err == nil {
			t.Fatalf("taken: %+v", o)
		}
	})
}

func TestOpenHammered(t *testing.T) {
	a, b := newGuard(t, 1, 7, "c"), newGuard(t, 2, 7, "c")
	shake(t, a, b)
	good := seal(t, a, 0, "body")
	hello := helloOf(t, a, 2)
	for _, p := range [][]byte{good, hello} { // so that the packets themselves are replays
		if _, err := open(b, p); err != nil {
			t.Fatal(err)
		}
	}
	hammer.Run(t, "FuzzOpen", func(p []byte) {
		if o, err := open(b, p); err == nil {
			t.Fatalf("taken: %+v", o)
		}
	}, good, hello)
}

func BenchmarkSealOpen1400(bm *testing.B) {
	a, b := newGuard(bm, 1, 7, "c"), newGuard(bm, 2, 7, "c")
	shake(bm, a, b)
	body := make([]byte, 1400)
	buf, plain := make([]byte, 0, 2000), make([]byte, 0, 2000)
	bm.SetBytes(1400)
	for bm.Loop() {
		p, err := a.Seal(buf[:0], Data, 0, body)
		if err != nil {
			bm.Fatal(err)
		}
		if _, err := b.Open(plain, 0, loop, p); err != nil {
			bm.Fatal(err)
		}
	}
}

// Node 2 runs on while node 1 restarts: what node 2 sealed for the former life of
// node 1 is not for its present one, though node 2's boot and key are the same.
func TestARestartedReceiverTakesNoPacketsFromBeforeItsStart(t *testing.T) {
	a, b := newGuard(t, 1, 7, "c"), newGuard(t, 2, 7, "c")
	shake(t, a, b)
	var recorded [][]byte
	for range 20 {
		recorded = append(recorded, seal(t, b, 0, "before"))
	}
	a2 := newGuard(t, 1, 7, "c")
	shake(t, a2, b)
	for i, p := range recorded {
		_, err := open(a2, p)
		if err == nil {
			t.Fatalf("packet %d from before the start is taken", i)
		}
		wantReason(t, err, Replay)
	}
	if o, err := open(a2, seal(t, b, 0, "after")); err != nil || string(o.Plain) != "after" {
		t.Errorf("a packet from after the start: %v", err)
	}
}
