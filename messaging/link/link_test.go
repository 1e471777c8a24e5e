// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package link

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/messaging"
)

// TestLink runs scripts, one command per line: "config mode M priority L N mtu N
// probe MS" (any of them), "add P L…", "heard P L", "beat P L yes|no…" (in one
// go; a word that ends in ! says that the peer loses hardly any of ours),
// "good P" (enough heartbeats on all links),
// "both P N [LOST]" (N of them on links 0 and 1, one each three ticks; on link 1
// each LOST-th is lost), "ack P L SIZE", "probe P L SIZE", "toobig P L SIZE",
// "refused P L", "tick N" (N ticks in time), "pause MS" (one late tick),
// "paths P", "alive P", "mtu P L", "states".
func TestLink(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, file string) {
		c, err := New(DefaultConfig(time.Second))
		if err != nil {
			t.Fatal(err)
		}
		now := time.Duration(0)
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			var b strings.Builder
			for line := range strings.Lines(d.Input) {
				runLine(t, &b, c, &now, strings.Fields(line))
			}
			if b.Len() == 0 {
				return "-\n"
			}
			return b.String()
		})
	})
}

func runLine(t *testing.T, b *strings.Builder, c *Core, now *time.Duration, f []string) {
	var n [3]int
	for i := 1; i < len(f) && i < 4; i++ {
		_, _ = fmt.Sscan(f[i], &n[i-1])
	}
	peer := messaging.NodeID(n[0])
	switch f[0] {
	case "add":
		for _, l := range f[2:] {
			var link int
			_, _ = fmt.Sscan(l, &link)
			c.Add(peer, link)
		}
	case "heard":
		show(b, *now, c.Heard(peer, n[1]))
	case "config":
		configure(t, c, f[1:])
	case "beat":
		for _, word := range f[3:] {
			show(b, *now, c.Beat(*now, peer, n[1], Beat{Seq: nextSeq(c, peer, n[1]), Hears: strings.HasPrefix(word, "yes"), Well: strings.HasSuffix(word, "!")}))
		}
	case "good":
		for _, l := range c.peers[peer].links {
			for range minBeats {
				c.Beat(*now, peer, l, Beat{Seq: nextSeq(c, peer, l), Hears: true, Well: true})
			}
		}
	case "both":
		beats(b, c, now, peer, n[1], n[2])
	case "ack":
		show(b, *now, c.Beat(*now, peer, n[1], Beat{Seq: nextSeq(c, peer, n[1]), Hears: true, Ack: uint16(n[2]), Echo: stamp(*now) - 300}))
	case "probe":
		show(b, *now, c.Beat(*now, peer, n[1], Beat{Seq: nextSeq(c, peer, n[1]), Hears: true, Probe: true, Size: uint16(n[2]), Stamp: 77}))
	case "toobig":
		c.TooBig(peer, n[1], n[2])
	case "refused":
		show(b, *now, c.Refused(peer, n[1]))
	case "tick":
		for range n[0] {
			*now += c.cfg.Tick()
			show(b, *now, c.Tick(*now))
		}
	case "pause":
		*now += time.Duration(n[0]) * time.Millisecond
		show(b, *now, c.Tick(*now))
		fmt.Fprintf(b, "late %s\n", c.Late())
	case "paths":
		fmt.Fprintf(b, "paths %d: %v\n", peer, c.Route(peer))
	case "alive":
		fmt.Fprintf(b, "alive %d: %v\n", peer, c.Alive(peer))
	case "mtu":
		size, settled := c.MTU(peer, n[1])
		fmt.Fprintf(b, "mtu %d, settled %v\n", size, settled)
	case "states":
		for _, s := range c.States() {
			fmt.Fprintf(b, "node %d link %d up=%v heard=%v well=%v used=%v mtu=%d answers=%d in %s\n",
				s.Peer, s.Link, s.Up, s.Heard, s.Well, s.Used, s.MTU, s.Latency.Samples, s.Latency.Ave)
		}
	default:
		t.Fatalf("unknown line %v", f)
	}
}

// configure changes the core's configuration.
func configure(t *testing.T, c *Core, f []string) {
	cfg := c.cfg
	for len(f) > 1 {
		var n [2]int
		for i := range min(len(f)-1, 2) {
			_, _ = fmt.Sscan(f[i+1], &n[i])
		}
		used := 2
		switch f[0] {
		case "mode":
			cfg.Mode = map[string]Mode{"passive": Passive, "active": Active, "rr": RoundRobin}[f[1]]
		case "priority":
			cfg.Priority[n[0]], used = uint8(n[1]), 3
		case "mtu":
			cfg.MTU = n[0]
		case "probe":
			cfg.ProbeEvery = time.Duration(n[0]) * time.Millisecond
		default:
			t.Fatalf("config %v", f)
		}
		f = f[used:]
	}
	if err := c.Reconfigure(cfg); err != nil {
		t.Fatal(err)
	}
}

// nextSeq is the number of the next heartbeat of a peer.
func nextSeq(c *Core, peer messaging.NodeID, link int) uint32 {
	if p := c.path(peer, link); p != nil {
		return p.in.last + 1
	}
	return 1
}

// beats lets heartbeats come on both links of a peer, each three ticks after the
// one before; on link 1 each lostEvery-th is lost. What is no heartbeat of ours
// is shown.
func beats(b *strings.Builder, c *Core, now *time.Duration, peer messaging.NodeID, count, lostEvery int) {
	first := [2]uint32{nextSeq(c, peer, 0), nextSeq(c, peer, 1)}
	for i := range count {
		for link, seq := range first {
			if link == 1 && lostEvery != 0 && (i+1)%lostEvery == 0 {
				continue
			}
			c.Heard(peer, link)
			c.Beat(*now, peer, link, Beat{Seq: seq + uint32(i), Hears: true, Well: true})
		}
		for range 3 {
			*now += c.cfg.Tick()
			for _, a := range c.Tick(*now) {
				if _, ok := a.(*SendBeat); !ok {
					show(b, *now, []Action{a})
				}
			}
		}
	}
}

func show(b *strings.Builder, now time.Duration, as []Action) {
	for _, a := range as {
		fmt.Fprintf(b, "%5d ", now.Milliseconds())
		switch a := a.(type) {
		case *SendBeat:
			fmt.Fprintf(b, "beat %d link %d hears %v", a.Peer, a.Link, a.Hears)
			if a.Well {
				b.WriteString(" well")
			}
			if a.Probe {
				fmt.Fprintf(b, " probe %d", a.Size)
			}
			if a.Ack != 0 {
				fmt.Fprintf(b, " ack %d echo %d", a.Ack, a.Echo)
			}
			b.WriteString("\n")
		case *PeerDown:
			fmt.Fprintf(b, "PEER %d DOWN: %s\n", a.Peer, a.Why)
		case *PeerUp:
			fmt.Fprintf(b, "PEER %d UP\n", a.Peer)
		case *LinkChange:
			fmt.Fprintf(b, "link %d of %d up=%v\n", a.Link, a.Peer, a.Up)
		}
	}
}

func TestConfigRefusesALimitBelowThreeIntervals(t *testing.T) {
	if _, err := New(Config{Interval: time.Second, Limit: 2 * time.Second, Refusals: 1}); err == nil {
		t.Error("accepted")
	}
}

func TestPausedProcessAccusesNobody(t *testing.T) {
	c, err := New(DefaultConfig(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	c.Add(2, 0)
	c.Heard(2, 0)
	now := time.Duration(0)
	c.Tick(now)
	// Twenty stops of five seconds, each followed by the packets that waited.
	for range 20 {
		now += 5 * time.Second
		for _, a := range c.Tick(now) {
			if d, ok := a.(*PeerDown); ok {
				t.Fatalf("accused after a pause: %s", d.Why)
			}
		}
		c.Heard(2, 0)
	}
}

func TestRefusedPeerIsGoneAfterTheGraceOfARestart(t *testing.T) {
	cfg := DefaultConfig(5 * time.Second)
	c, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	c.Add(2, 0)
	c.Heard(2, 0)
	var now time.Duration
	c.Tick(now)
	for range cfg.Refusals {
		c.Refused(2, 0)
	}
	for now < 2*RestartGrace {
		now += cfg.Tick()
		for _, a := range c.Tick(now) {
			if _, ok := a.(*PeerDown); !ok {
				continue
			}
			if d := now - RestartGrace; d.Abs() > 2*cfg.Tick() {
				t.Errorf("down after %s, want %s within two ticks", now, RestartGrace)
			}
			return
		}
	}
	t.Error("never down")
}
