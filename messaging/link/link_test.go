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

// TestLink runs scripts: "add P L…", "heard P L", "beat P L yes|no",
// "refused P L", "tick N" (N ticks in time), "pause MS" (one late tick),
// "paths P", one per line.
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
	case "beat":
		c.Beat(peer, n[1], f[3] == "yes")
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
		fmt.Fprintf(b, "paths %d: %v\n", peer, c.Paths(nil, peer))
	default:
		t.Fatalf("unknown line %v", f)
	}
}

func show(b *strings.Builder, now time.Duration, as []Action) {
	for _, a := range as {
		fmt.Fprintf(b, "%5d ", now.Milliseconds())
		switch a := a.(type) {
		case *SendBeat:
			fmt.Fprintf(b, "beat %d link %d hears %v\n", a.Peer, a.Link, a.Hears)
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
