// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package transport

import (
	"log/slog"
	"net/netip"
	"testing"
	"time"
)

type sink struct {
	got     chan string
	refused chan netip.Addr
	tooBig  chan int
}

func newSink() *sink {
	return &sink{got: make(chan string, 1000), refused: make(chan netip.Addr, 1000), tooBig: make(chan int, 1000)}
}

func (s *sink) Receive(batch []Packet) {
	for _, p := range batch {
		s.got <- string(p.Data)
	}
}

func (s *sink) Refused(_ int, dst netip.Addr) { s.refused <- dst }

func (s *sink) TooBig(_ int, _ netip.Addr, size int) {
	select {
	case s.tooBig <- size:
	default:
	}
}

func openAt(t *testing.T, h Handler, l LinkConfig) *UDP {
	t.Helper()
	u, err := Open([]LinkConfig{l}, h, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Skipf("no socket: %v", err)
	}
	t.Cleanup(func() { _ = u.Close() })
	return u
}

func recv[T any](t *testing.T, ch chan T) T {
	t.Helper()
	select {
	case v := <-ch:
		return v
	case <-time.After(5 * time.Second):
		t.Fatal("nothing came")
		panic("unreachable")
	}
}

func TestUnicastBatchesArriveInOrder(t *testing.T) {
	for name, addrs := range map[string][2]string{
		"ipv4": {"127.0.0.41:15405", "127.0.0.42:15405"},
		"ipv6": {"[::1]:15405", "[::1]:15406"},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newSink(), newSink()
			ua := openAt(t, a, LinkConfig{Bind: netip.MustParseAddrPort(addrs[0])})
			openAt(t, b, LinkConfig{Bind: netip.MustParseAddrPort(addrs[1])})
			var batch []Datagram
			for i := range 200 {
				batch = append(batch, Datagram{To: netip.MustParseAddrPort(addrs[1]), Data: []byte{byte(i)}})
			}
			ua.Send(batch)
			for i := range 200 {
				if got := recv(t, b.got); got != string([]byte{byte(i)}) {
					t.Fatalf("packet %d is %x", i, got)
				}
			}
			if s := ua.Stats(); s.TxPackets != 200 || s.TxBytes != 200 {
				t.Errorf("stats %+v", s)
			}
		})
	}
}

func TestRefusalIsReportedAndDoesNotStopTheSocket(t *testing.T) {
	a, b := newSink(), newSink()
	ua := openAt(t, a, LinkConfig{Bind: netip.MustParseAddrPort("127.0.0.43:15405")})
	nobody := netip.MustParseAddrPort("127.0.0.44:15405")
	ua.Send([]Datagram{{To: nobody, Data: []byte("x")}})
	if got := recv(t, a.refused); got != nobody.Addr() {
		t.Errorf("refused by %s, want %s", got, nobody.Addr())
	}
	openAt(t, b, LinkConfig{Bind: netip.MustParseAddrPort("127.0.0.45:15405")})
	// Errors that wait on the socket cost no packet to others.
	for range 20 {
		ua.Send([]Datagram{{To: nobody, Data: []byte("x")}, {To: netip.MustParseAddrPort("127.0.0.45:15405"), Data: []byte("y")}})
	}
	for range 20 {
		if got := recv(t, b.got); got != "y" {
			t.Fatalf("got %q", got)
		}
	}
}

func TestMulticastReachesTheGroup(t *testing.T) {
	group := netip.MustParseAddrPort("239.192.77.7:15405")
	a, b := newSink(), newSink()
	ua := openAt(t, a, LinkConfig{Bind: netip.MustParseAddrPort("127.0.0.46:15405"), Group: group, TTL: 0})
	openAt(t, b, LinkConfig{Bind: netip.MustParseAddrPort("127.0.0.47:15405"), Group: group, TTL: 0})
	ua.Send([]Datagram{{Data: []byte("all")}})
	if got := recv(t, b.got); got != "all" {
		t.Errorf("got %q", got)
	}
}

func TestAddressMayBeMissing(t *testing.T) {
	openAt(t, newSink(), LinkConfig{Bind: netip.MustParseAddrPort("192.0.2.250:15405")})
}

func TestTrainsHaveOneLengthButForTheLast(t *testing.T) {
	cars := func(sizes ...int) (out [][]byte) {
		for _, n := range sizes {
			out = append(out, make([]byte, n))
		}
		return out
	}
	for _, tc := range []struct {
		cars [][]byte
		want int
	}{
		{cars(10), 1},
		{cars(10, 10, 10), 3},
		{cars(10, 10, 4, 10), 3},
		{cars(10, 20), 1},
		{cars(40000, 40000), 1},
		{cars(make([]int, 70)...), maxTrain},
	} {
		if got := trainLen(tc.cars); got != tc.want {
			t.Errorf("%d cars: train of %d, want %d", len(tc.cars), got, tc.want)
		}
	}
}

func TestPacketsOfManySizesArriveInOrder(t *testing.T) {
	a, b := newSink(), newSink()
	ua := openAt(t, a, LinkConfig{Bind: netip.MustParseAddrPort("127.0.0.48:15405")})
	to := netip.MustParseAddrPort("127.0.0.49:15405")
	openAt(t, b, LinkConfig{Bind: to})
	var batch []Datagram
	var want []string
	for i := range 300 {
		data := make([]byte, 1+i*37%1400)
		data[0] = byte(i)
		batch = append(batch, Datagram{To: to, Data: data})
		want = append(want, string(data))
	}
	for range 3 {
		ua.Send(batch)
	}
	for i := range 900 {
		if got := recv(t, b.got); got != want[i%300] {
			t.Fatalf("packet %d has %d bytes, want %d", i, len(got), len(want[i%300]))
		}
	}
}
