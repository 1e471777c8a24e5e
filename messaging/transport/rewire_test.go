// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package transport

import (
	"net/netip"
	"testing"
)

// A sourced sink tells where packets come from.
type sourced struct {
	*sink
}

func (s sourced) Receive(batch []Packet) {
	for _, p := range batch {
		s.got <- string(p.Data) + " from " + p.Src.String()
	}
}

func TestLinksMoveWhileTheWireRuns(t *testing.T) {
	at := func(host byte) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 28, host}), 5405)
	}
	mine, peer := sourced{newSink()}, sourced{newSink()}
	old, fresh := LinkConfig{Link: 0, Bind: at(1)}, LinkConfig{Link: 0, Bind: at(2)}
	u := openAt(t, mine, old)
	p := openAt(t, peer, LinkConfig{Link: 0, Bind: at(9)})
	send := func(from *UDP, to netip.AddrPort, text string) {
		from.Send([]Datagram{{Link: 0, To: to, Data: []byte(text)}})
	}
	expect := func(s sourced, text string, src netip.AddrPort) {
		t.Helper()
		if got, want := recv(t, s.got), text+" from "+src.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if err := u.Stage([]LinkConfig{{Link: 0, Bind: at(9)}}); err == nil {
		t.Error("an address in use is staged")
	}
	if err := u.Stage([]LinkConfig{fresh}); err != nil {
		t.Fatal(err)
	}
	send(p, at(2), "staged")
	expect(mine, "staged", at(9))
	send(u, at(9), "still the old one")
	expect(peer, "still the old one", at(1))
	u.Switch([]LinkConfig{fresh})
	send(u, at(9), "the new one")
	expect(peer, "the new one", at(2))
	send(p, at(1), "late")
	expect(mine, "late", at(9))
	if err := u.Retire(); err != nil {
		t.Fatal(err)
	}
	send(p, at(1), "nobody")
	if dst := recv(t, peer.refused); dst != at(1).Addr() {
		t.Errorf("refused by %s, want the old address", dst)
	}
	send(p, at(2), "on")
	expect(mine, "on", at(9))
	// Staged and given up: the address is free again.
	if err := u.Stage([]LinkConfig{fresh, old}); err != nil {
		t.Fatal(err)
	}
	if err := u.Stage(nil); err != nil {
		t.Fatal(err)
	}
	openAt(t, newSink(), old)
}
