// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/conformance"
	"github.com/quorate/quorate/messaging/engine"
	"github.com/quorate/quorate/messaging/link"
)

// withTwoLinks gives the nodes of a lab a second link each.
func withTwoLinks(l *conformance.Lab, mode link.Mode) {
	l.Tune = func(c *engine.Config) {
		c.Links = append(c.Links, engine.Link{Number: 1, Local: second(c.Self), Port: 5406})
		c.Link.Mode = mode
		c.Link.MTU = 1500
		for i := range c.Nodes {
			c.Nodes[i].Addrs[1] = second(c.Nodes[i].ID)
		}
	}
	l.TwoLinks(second)
}

// A talk is a group to which all nodes of a lab send, one message at a time.
type talk struct {
	t      *testing.T
	l      *conformance.Lab
	groups map[messaging.NodeID]messaging.Group
	count  int
	worst  time.Duration
}

func newTalk(t *testing.T, l *conformance.Lab) *talk {
	k := &talk{t: t, l: l, groups: map[messaging.NodeID]messaging.Group{}}
	for id := range l.Nodes {
		g, err := l.Nodes[id].Bus.Join(t.Context(), "talk")
		if err != nil {
			t.Fatal(err)
		}
		k.groups[id] = g
	}
	for _, g := range k.groups {
		conformance.Read(t, g, func(ev messaging.Event) bool { return conformance.Members(ev) == len(l.Nodes) })
	}
	return k
}

// talkFor lets each node in turn send a message of size bytes, waits until all
// have it, and pauses, until d is over.
func (k *talk) talkFor(d, pause time.Duration, size int) {
	k.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); {
		k.count++
		from := messaging.NodeID(k.count%len(k.groups) + 1)
		body := append(fmt.Appendf(nil, "%d:", k.count), bytes.Repeat([]byte{byte(k.count)}, size)...)
		begin := time.Now()
		if err := k.groups[from].Multicast(k.t.Context(), body); err != nil {
			k.t.Fatal(err)
		}
		for id, g := range k.groups {
			ev, err := g.Next(k.t.Context())
			m, ok := ev.(*messaging.Message)
			if err != nil || !ok || !bytes.Equal(m.Body, body) {
				k.t.Fatalf("node %d read %T instead of message %d: %v", id, ev, k.count, err)
			}
		}
		k.worst = max(k.worst, time.Since(begin))
		<-time.After(pause)
	}
}

func ringOf(t *testing.T, l *conformance.Lab) messaging.RingID {
	t.Helper()
	s, err := l.Nodes[1].Bus.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.View.Ring
}

// Three nodes with two links talk all the time, while one link is lost, then the
// other, one loses a third of its packets, and each is dead in one direction
// somewhere. The ring stays the same, and a message waits for a few lost tokens
// at most.
func TestTwoLinksLoseOneAfterTheOtherAndTheRingStays(t *testing.T) {
	for name, mode := range map[string]link.Mode{"passive": link.Passive, "active": link.Active, "rr": link.RoundRobin} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { loseLinks(t, mode) })
		})
	}
}

func loseLinks(t *testing.T, mode link.Mode) {
	l := conformance.NewLab(t, 3)
	withTwoLinks(l, mode)
	l.Hub.Delay = 20 * time.Microsecond
	l.StartAll()
	defer l.StopAll()
	for id := range l.Nodes {
		l.Await(id, true, 1, 2, 3)
	}
	k := newTalk(t, l)
	k.talkFor(3*time.Second, 40*time.Millisecond, 3000)
	ring := ringOf(t, l)
	onLink := func(a netip.Addr, n int) bool {
		return slices.Contains([]netip.Addr{second(1), second(2), second(3)}, a) == (n == 1)
	}
	rng := rand.New(rand.NewPCG(7, 7))
	for _, fault := range []struct {
		name string
		drop func(src, dst netip.Addr) bool
	}{
		{"link 0 is lost", func(src, _ netip.Addr) bool { return onLink(src, 0) }},
		{"nothing is lost", nil},
		{"link 1 is lost", func(src, _ netip.Addr) bool { return onLink(src, 1) }},
		{"link 0 is lost at once", func(src, _ netip.Addr) bool { return onLink(src, 0) }},
		{"nothing is lost any more", nil},
		{"link 0 loses a third", func(src, _ netip.Addr) bool { return onLink(src, 0) && rng.IntN(3) == 0 }},
		{"link 1 loses a third instead", func(src, _ netip.Addr) bool { return onLink(src, 1) && rng.IntN(3) == 0 }},
		{"all is well", nil},
		{"link 0 from 1 to 2 and link 1 from 2 to 3", func(src, dst netip.Addr) bool {
			return src == conformance.AddrOf(1) && dst == conformance.AddrOf(2) || src == second(2) && dst == second(3)
		}},
		{"node 1 has link 0 only, node 2 both", func(src, dst netip.Addr) bool { return src == second(1) || dst == second(1) }},
	} {
		k.worst = 0
		l.Hub.SetDrop(fault.drop)
		k.talkFor(5*time.Second, 40*time.Millisecond, 3000)
		t.Logf("%s: %d messages, the slowest took %v", fault.name, k.count, k.worst)
		if now := ringOf(t, l); now != ring {
			t.Fatalf("%s: the ring went from %v to %v", fault.name, ring, now)
		}
		if k.worst >= 2*time.Second {
			t.Errorf("%s: a message took %v", fault.name, k.worst)
		}
	}
}

// The way between two of three nodes takes ever smaller packets, or larger ones
// again, without a word. Large messages go on, and the ring stays.
func TestAPathMayShrinkAndGrowUnderLargeMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := conformance.NewLab(t, 3)
		l.Hub.Delay = 50 * time.Microsecond
		l.Tune = func(c *engine.Config) {
			c.Link.MTU, c.Link.ProbeEvery = 9000, 2*time.Second
			c.Totem.MTU = 8000
		}
		l.StartAll()
		defer l.StopAll()
		for id := range l.Nodes {
			l.Await(id, true, 1, 2, 3)
		}
		k := newTalk(t, l)
		k.talkFor(2*time.Second, 40*time.Millisecond, 20000)
		ring := ringOf(t, l)
		for _, step := range []struct{ mtu, ring int }{{1500, 1412}, {1280, 1192}, {576, 488}, {577, 488}, {1499, 1404}, {9000, 8000}, {8999, 8000}, {1459, 1352}} {
			k.worst = 0
			l.Hub.SetMTU(func(src, dst netip.Addr) int {
				if src == conformance.AddrOf(3) || dst == conformance.AddrOf(3) {
					return step.mtu
				}
				return 9000
			})
			k.talkFor(3*time.Second, 40*time.Millisecond, 10000)
			t.Logf("mtu %d: %d messages, the slowest took %v", step.mtu, k.count, k.worst)
			if now := ringOf(t, l); now != ring {
				t.Fatalf("mtu %d: the ring went from %v to %v", step.mtu, ring, now)
			}
			if k.worst >= time.Second {
				t.Errorf("mtu %d: a message took %v", step.mtu, k.worst)
			}
			es, err := l.Nodes[1].Bus.Cmap(t.Context(), "stats.knet.node3.link0.mtu")
			if err != nil || len(es) != 1 {
				t.Fatalf("%v, %v", es, err)
			}
			if want := fmt.Sprint(step.ring); es[0].Value != want && step.ring < 8000 {
				t.Errorf("mtu %d: packets of %s bytes, want %s", step.mtu, es[0].Value, want)
			}
		}
	})
}
