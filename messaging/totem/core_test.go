// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/totem/wire"
)

// formedScript gives nodes on one ring.
func formedScript(t testing.TB, nodes int, change func(*Config)) *script {
	t.Helper()
	s := newScript(nodes, change)
	s.show = nil
	for i := range nodes {
		s.start(i, 0)
	}
	s.w.Run(time.Second, nil)
	for _, c := range s.cores {
		if c.State() != Operational || len(c.Members()) != nodes {
			t.Fatalf("no ring: %v %v", c.State(), c.Members())
		}
	}
	return s
}

func TestConfigFaultsAreReportedAllAtOnce(t *testing.T) {
	cfg := DefaultConfig(0, 3)
	cfg.Token, cfg.Join, cfg.Window, cfg.MTU = time.Millisecond, 0, 0, 10
	_, err := New(cfg)
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"node id", "token is 1ms", "join is 0s", "window_size is 0", "mtu is 10"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in:\n%v", want, err)
		}
	}
}

// The formulas of corosync for its defaults, and ours.
func TestDerivedTimersFollowCorosyncsFormulas(t *testing.T) {
	for _, c := range []struct{ token, retransmit, hold, consensus int }{
		{3000, 714, 561, 3600}, {3650, 869, 685, 4380}, {1000, 238, 180, 1200}, {1125, 267, 203, 1350},
	} {
		cfg := DefaultConfig(1, 3)
		cfg.Token = time.Duration(c.token) * time.Millisecond
		cfg.derive()
		got := []int64{cfg.TokenRetransmit.Milliseconds(), cfg.Hold.Milliseconds(), cfg.Consensus.Milliseconds()}
		if want := []int64{int64(c.retransmit), int64(c.hold), int64(c.consensus)}; !slices.Equal(got, want) {
			t.Errorf("token %d: %v, want %v", c.token, got, want)
		}
	}
	if TokenFor(3) != 1125*time.Millisecond || TokenFor(1) != time.Second || TokenFor(16) != 2750*time.Millisecond {
		t.Errorf("defaults: %v %v %v", TokenFor(1), TokenFor(3), TokenFor(16))
	}
}

// Row 21: only monotonic time counts, and even that may repeat.
func TestClockThatGoesBackHasNoEffect(t *testing.T) {
	c, err := New(DefaultConfig(1, 1))
	if err != nil {
		t.Fatal(err)
	}
	c.Step(time.Hour, &Start{Durable: 100})
	c.Step(time.Minute, &Timer{ID: TimerJoin})
	if c.State() != Gather || c.now != time.Hour {
		t.Errorf("%v at %v", c.State(), c.now)
	}
	c.Step(time.Hour+50*time.Millisecond, &Timer{ID: TimerJoin})
	c.Step(time.Hour+100*time.Millisecond, &Timer{ID: TimerJoin})
	if c.State() != Operational {
		t.Errorf("%v after the join timer", c.State())
	}
}

func TestTimersThatComeEarlyAreSetAgain(t *testing.T) {
	c, err := New(DefaultConfig(1, 1))
	if err != nil {
		t.Fatal(err)
	}
	c.Step(0, &Start{})
	acts := c.Step(20*time.Millisecond, &Timer{ID: TimerJoin})
	if len(acts) != 1 || acts[0].(*SetTimer).After != 30*time.Millisecond {
		t.Errorf("got %v", acts)
	}
	if acts := c.Step(21*time.Millisecond, &Timer{ID: TimerHold}); len(acts) != 0 {
		t.Errorf("a timer that is not set: %v", acts)
	}
	if acts := c.Step(21*time.Millisecond, &Timer{ID: 200}); len(acts) != 0 {
		t.Errorf("a timer that does not exist: %v", acts)
	}
}

// Row 23 of what is bounded: a member that receives nothing holds the others'
// release back; they stop before they run out of room, and go on after it.
func TestSendersStopForAMemberThatLags(t *testing.T) {
	s := formedScript(t, 3, func(c *Config) {
		c.FailToReceive, c.Token, c.MaxMessages, c.Window, c.SendQueue = 1<<30, 10*time.Second, 200, 500, 64<<20
	})
	s.drops = []*dropRule{{typ: "mcast", to: 3, count: 1 << 30}}
	body := make([]byte, 1200)
	for range maxUnreleased + 3000 {
		if !s.cores[0].Room(len(body)) {
			t.Fatal("no room in a large queue")
		}
		s.step(0, &Submit{Body: slices.Clone(body)})
	}
	s.w.Run(s.w.Now()+5*time.Second, nil)
	st := s.cores[0].Stats()
	if st.Unreleased > maxUnreleased || st.Unreleased < maxUnreleased-2000 || st.QueuedMessages == 0 {
		t.Fatalf("%d packets kept, %d wait; the bound is %d", st.Unreleased, st.QueuedMessages, maxUnreleased)
	}
	s.drops = nil
	s.w.Run(s.w.Now()+60*time.Second, nil)
	if got := s.cores[2].Stats().Delivered; got != maxUnreleased+3000 {
		t.Errorf("the slow member got %d messages", got)
	}
	if st := s.cores[0].Stats(); st.Unreleased != 0 || st.QueuedMessages != 0 || st.RingsInstalled != 1 {
		t.Errorf("afterwards %+v", st)
	}
}

func TestRoomAdmitsAnySizeToAQueueThatIsHalfEmpty(t *testing.T) {
	s := formedScript(t, 2, func(c *Config) { c.SendQueue = 4000 })
	c := s.cores[0]
	if !c.Room(MaxBody) || c.Room(MaxBody+1) {
		t.Error("the largest message is not what fits")
	}
	s.cores[0].waitSync = true // so that it stays
	c.Step(s.w.Now(), &Submit{Body: make([]byte, 1000)})
	if !c.Room(MaxBody) {
		t.Error("a queue that is less than half full takes no large message")
	}
	c.Step(s.w.Now(), &Submit{Body: make([]byte, 500)})
	if c.Room(1000) || !c.Room(900) {
		t.Error("the queue's bound does not hold")
	}
	for range 5 {
		c.Step(s.w.Now(), &Submit{Body: make([]byte, MaxBody)})
	}
	if c.queue.Bytes() > maxQueued {
		t.Errorf("%d bytes wait", c.queue.Bytes())
	}
}

// A message of the largest size passes, cut into many packets.
func TestTheLargestMessagePasses(t *testing.T) {
	if testing.Short() {
		t.Skip("64 MiB")
	}
	s := formedScript(t, 2, func(c *Config) { c.MTU, c.Window, c.MaxMessages = 65000, 400, 400 })
	body := make([]byte, MaxBody)
	for i := 0; i < len(body); i += 4096 {
		body[i] = byte(i >> 12)
	}
	s.step(0, &Submit{Body: slices.Clone(body)})
	var got []byte
	recv := s.net.Recv
	s.net.Recv = func(from, to int, packet []byte) {
		if to != 1 {
			recv(from, to, packet)
			return
		}
		for _, a := range s.cores[1].Step(s.w.Now(), &Recv{From: messaging.NodeID(from + 1), Packet: packet}) {
			switch a := a.(type) {
			case *Deliver:
				got = a.Body
			case *Send:
				s.net.Send(1, 0, a.Packet)
			}
		}
	}
	s.w.Run(s.w.Now()+10*time.Second, nil)
	if !slices.Equal(got, body) {
		t.Errorf("%d bytes came of %d", len(got), len(body))
	}
}

func TestReconfigureChangesTimersAndKeepsTheRing(t *testing.T) {
	s := formedScript(t, 3, nil)
	cfg := s.cfg
	cfg.Token, cfg.Window, cfg.MTU = 2*time.Second, 20, 600
	bad := cfg
	bad.Token = 0
	for i, c := range s.cores {
		s.step(i, &Reconfigure{Config: bad})
		if c.cfg.Token != s.cfg.Token {
			t.Errorf("node %d took a bad configuration", i+1)
		}
		s.step(i, &Reconfigure{Config: cfg})
	}
	s.step(1, &Submit{Body: make([]byte, 5000)})
	s.w.Run(s.w.Now()+time.Second, nil)
	for i, c := range s.cores {
		if st := c.Stats(); c.self != messaging.NodeID(i+1) || st.RingsInstalled != 1 || st.Delivered != 1 || c.cfg.TokenRetransmit != 476*time.Millisecond {
			t.Errorf("node %d: %+v %v", c.self, st, c.cfg.TokenRetransmit)
		}
	}
	s.hosts[2].Crash()
	s.w.Run(s.w.Now()+1500*time.Millisecond, nil)
	if s.cores[0].State() != Operational {
		t.Error("the old token timeout still counts")
	}
}

func TestStepAfterLeaveDoesNothing(t *testing.T) {
	s := formedScript(t, 2, nil)
	c := s.cores[0]
	c.Step(s.w.Now(), &Leave{})
	if acts := c.Step(s.w.Now()+time.Hour, &Timer{ID: TimerToken}); len(acts) != 0 || c.Room(1) {
		t.Errorf("%v", acts)
	}
}

// What a step gives lies in memory that the next one uses again, but what the
// actions point at stays.
func TestBodiesAndPacketsStayValid(t *testing.T) {
	s := formedScript(t, 1, nil)
	c := s.cores[0]
	var bodies []string
	var kept [][]byte
	for i := range 50 {
		body := strings.Repeat(string(rune('a'+i%26)), 20+i)
		bodies = append(bodies, body)
		for _, a := range c.Step(s.w.Now()+time.Duration(i), &Submit{Body: []byte(body)}) {
			if d, ok := a.(*Deliver); ok {
				kept = append(kept, d.Body)
			}
		}
	}
	if len(kept) != len(bodies) {
		t.Fatalf("%d of %d delivered", len(kept), len(bodies))
	}
	for i := range kept {
		if string(kept[i]) != bodies[i] {
			t.Errorf("message %d is %q", i, kept[i])
		}
	}
}

// Properties of message sets against a map.
func TestMessageSetHoldsWhatWasPut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newMsgSet(messaging.RingID{Rep: 1, Seq: 4})
		start := rapid.SampledFrom([]uint64{0, 0xfffffe00, 1<<63 - 5000}).Draw(t, "start")
		s.released, s.aru, s.high, s.delivered = start, start, start, start
		model := map[uint64]bool{}
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			if rapid.IntRange(0, 4).Draw(t, "what") == 0 {
				to := s.released + rapid.Uint64Range(0, s.aru-s.released).Draw(t, "release")
				s.release(to)
				for q := range model {
					if q <= to {
						delete(model, q)
					}
				}
				continue
			}
			seq := start + rapid.Uint64Range(1, 600).Draw(t, "seq")
			fresh := seq > s.released && !model[seq]
			if s.put(seq, []byte{1}, 1, false) != fresh {
				t.Fatalf("put %d: not %v", seq, fresh)
			}
			if fresh {
				model[seq] = true
			}
		}
		for seq := start; seq < start+700; seq++ {
			if s.has(seq) != model[seq] {
				t.Fatalf("has %d: not %v", seq, model[seq])
			}
		}
		if s.has(s.aru+1) || s.room(s.released+maxUnreleased+1) != nil {
			t.Fatal("aru or bound")
		}
	})
}

// The sum of what all send in one rotation stays within the window.
func TestFlowControlKeepsTheWindow(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := DefaultConfig(1, 3)
		cfg.Window = rapid.IntRange(1, 100).Draw(t, "window")
		cfg.MaxMessages = rapid.IntRange(1, 40).Draw(t, "max")
		n := rapid.IntRange(1, 8).Draw(t, "nodes")
		flows := make([]flow, n)
		last := make([]int, n)
		var k wire.Token
		for range 10 {
			for i := range flows {
				backlog := rapid.IntRange(0, 300).Draw(t, "backlog")
				allowed := flows[i].allowed(&k, backlog, &cfg)
				sent := min(allowed, backlog)
				flows[i].update(&k, sent)
				last[i] = sent
				total := 0
				for _, s := range last {
					total += s
				}
				if allowed > cfg.MaxMessages || total > cfg.Window {
					t.Fatalf("%d packets in a rotation, window %d", total, cfg.Window)
				}
				if int(k.Fcc) != total {
					t.Fatalf("fcc %d, sent %d", k.Fcc, total)
				}
			}
		}
	})
}

func TestPenaltiesEndByThemselves(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var p penalties
		now := time.Duration(0)
		for range rapid.IntRange(0, 40).Draw(t, "evictions") {
			now += time.Duration(rapid.Int64Range(0, int64(20*time.Second)).Draw(t, "gap"))
			p.evicted(messaging.NodeID(rapid.IntRange(1, 3).Draw(t, "node")), now, 2*time.Second)
		}
		if p.closed(now+penaltyMax) || len(p) > 3 {
			t.Fatalf("still closed: %+v", p)
		}
	})
}

// FuzzCore feeds a node of a running ring with packets that have good headers
// and anything behind them: it must neither panic nor grow nor loop.
func FuzzCore(f *testing.F) {
	f.Add([]byte{1, 1, 0, 10, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10})
	f.Add([]byte{3, 2, 0, 30, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 'x'})
	f.Add([]byte{1, 4, 0, 20, 9, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1, 0, 1, 0, 0, 0, 3, 0, 0, 0, 3, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		s := formedScript(t, 3, nil)
		c := s.cores[1]
		now := s.w.Now()
		for range 200 {
			if len(data) < 4 {
				break
			}
			from, typ, flags, n := messaging.NodeID(data[0]%5), data[1]%8, data[2]&7, int(data[3])
			data = data[4:]
			n = min(n, len(data))
			packet := []byte{wire.Version, typ, flags, 0}
			if flags&1 == 0 && (typ == 1 || typ == 2 || typ == 5) {
				packet = append(packet, wire.HoldCancel{Ring: c.ring}.Append(nil)[4:]...)
			}
			packet = append(packet, data[:n]...)
			data = data[n:]
			now += time.Duration(flags) * 10 * time.Millisecond
			if acts := c.Step(now, &Recv{From: from, Packet: packet}); len(acts) > 4*maxUnreleased {
				t.Fatalf("%d actions", len(acts))
			}
			if len(c.cur.slots) > maxUnreleased || len(c.proc) > MaxNodes || c.Stats().Unreleased > maxUnreleased {
				t.Fatalf("it grows: %d slots, %d nodes", len(c.cur.slots), len(c.proc))
			}
		}
		for id := range numTimers {
			now += 5 * time.Second
			c.Step(now, &Timer{ID: id})
		}
		c.Digest()
	})
}

// bench is a ring without a network: packets are handed over at once, tokens
// after data.
func bench(b *testing.B, nodes, size, senders int) {
	s := formedScript(b, nodes, func(c *Config) { c.MTU = 8900 })
	var tokens, data []benchPacket
	now := s.w.Now()
	delivered := 0
	step := func(i int, ev Event) {
		for _, a := range s.cores[i].Step(now, ev) {
			switch a := a.(type) {
			case *Send:
				if a.Token {
					tokens = append(tokens, benchPacket{i, int(a.To) - 1, a.Packet})
					continue
				}
				for to := range s.cores {
					if to != i {
						data = append(data, benchPacket{i, to, a.Packet})
					}
				}
			case *Deliver:
				if i == 0 {
					delivered++
				}
			}
		}
	}
	recv := Recv{}
	pump := func() {
		for _, p := range data {
			recv = Recv{From: messaging.NodeID(p.from + 1), Packet: p.packet}
			step(p.to, &recv)
		}
		data = data[:0]
		now += 10 * time.Microsecond
		for _, p := range slices.Clone(tokens) {
			tokens = tokens[1:]
			recv = Recv{From: messaging.NodeID(p.from + 1), Packet: p.packet}
			step(p.to, &recv)
		}
		if len(tokens) == 0 && len(data) == 0 {
			now += 250 * time.Millisecond
			for i := range s.cores {
				step(i, &Timer{ID: TimerHold})
				step(i, &Timer{ID: TimerRetransmit})
			}
		}
	}
	b.SetBytes(int64(size))
	b.ReportAllocs()
	b.ResetTimer()
	sent := 0
	for delivered < b.N {
		for i := range senders {
			for sent < b.N && s.cores[i].Room(size) {
				step(i, &Submit{Body: make([]byte, size)})
				sent++
			}
		}
		pump()
	}
}

type benchPacket struct {
	from, to int
	packet   []byte
}

func BenchmarkRing3Senders1Body64(b *testing.B)   { bench(b, 3, 64, 1) }
func BenchmarkRing3Senders3Body64(b *testing.B)   { bench(b, 3, 64, 3) }
func BenchmarkRing3Senders3Body1024(b *testing.B) { bench(b, 3, 1024, 3) }
func BenchmarkRing3Senders3Body8192(b *testing.B) { bench(b, 3, 8192, 3) }
