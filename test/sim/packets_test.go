// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"bytes"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/auth"
	"github.com/quorate/quorate/messaging/totem"
	"github.com/quorate/quorate/messaging/totem/wire"
)

// packetCount is how many packets each of these tests tries.
func packetCount() int {
	if testing.Short() {
		return 30_000
	}
	return 1_000_000
}

// capture runs a ring with traffic for a while and gives the packets that came
// to node 1, and those that were lost on their way to it.
func capture(t *testing.T, c *cluster) (came, lost [][]byte) {
	t.Helper()
	c.net.Drop = func(_, to int, packet []byte) bool {
		if to != 0 {
			return false
		}
		if auth.Kind(packet[3]) == auth.Data && c.w.Rand().IntN(4) == 0 {
			lost = append(lost, bytes.Clone(packet))
			return true
		}
		came = append(came, bytes.Clone(packet))
		return false
	}
	for range 200 {
		for _, n := range c.nodes {
			n.submit(50 + c.w.Rand().IntN(600))
		}
		c.w.Run(c.w.Now()+5*time.Millisecond, nil)
	}
	c.w.Run(c.w.Now()+time.Second, nil)
	c.net.Drop = nil
	if len(came) < 300 || len(lost) < 100 {
		t.Fatalf("%d packets came, %d were lost", len(came), len(lost))
	}
	return came, lost
}

// mutate changes a packet so that it differs.
func mutate(r *rand.Rand, packet []byte) []byte {
	for {
		b := bytes.Clone(packet)
		switch r.IntN(5) {
		case 0:
			b = b[:r.IntN(len(b))]
		case 1:
			b = append(b, byte(r.Uint32()))
		case 2:
			if len(b) > 0 {
				b[r.IntN(len(b))] = byte(r.Uint32())
			}
		default:
			for range 1 + r.IntN(8) {
				if len(b) > 0 {
					b[r.IntN(len(b))] ^= 1 << r.IntN(8)
				}
			}
		}
		if !bytes.Equal(b, packet) {
			return b
		}
	}
}

// refuses hands a packet to a node's guard and demands that it is refused.
func refuses(t *testing.T, n *node, packet []byte, why string) {
	t.Helper()
	if o, err := n.wire.guard.Open(nil, n.host.Now(), netip.Addr{}, packet); err == nil {
		t.Fatalf("%s was taken: from %d, kind %v", why, o.From, o.Kind)
	}
	n.wire.receive(packet)
}

func TestAMillionMutatedPacketsChangeNothing(t *testing.T) {
	c, _ := formedSealed(t, 1, 3)
	came, lost := capture(t, c)
	all := append(came, lost...)
	n := c.nodes[0]
	before, heard := n.core.Digest(), n.wire.links.States()
	r := rand.New(rand.NewPCG(1, 2))
	for range packetCount() {
		refuses(t, n, mutate(r, all[r.IntN(len(all))]), "a mutated packet")
	}
	if n.core.Digest() != before {
		t.Error("the ring's state has changed")
	}
	for i, s := range n.wire.links.States() {
		if s != heard[i] {
			t.Errorf("the link's state has changed: %+v, was %+v", s, heard[i])
		}
	}
	// And the true packets are still good.
	taken := 0
	for _, p := range lost {
		if _, err := n.wire.guard.Open(nil, n.host.Now(), netip.Addr{}, p); err == nil {
			taken++
		}
	}
	if taken < len(lost)/2 {
		t.Errorf("of %d true packets that were lost before %d are taken", len(lost), taken)
	}
}

func TestAMillionReplaysAreRefused(t *testing.T) {
	c, _ := formedSealed(t, 1, 3)
	came, _ := capture(t, c)
	n := c.nodes[0]
	replay := func(count int, why string) {
		before := n.core.Digest()
		for i := range count {
			refuses(t, n, came[i%len(came)], why)
		}
		if n.core.Digest() != before {
			t.Errorf("%s: the ring's state has changed", why)
		}
	}
	replay(packetCount()/2, "a replay")
	// The sender restarts: what its former life sent is as worthless.
	c.nodes[1].crash()
	c.nodes[1].start(false)
	c.w.Run(c.w.Now()+5*time.Second, nil)
	if !c.whole() {
		t.Fatal(c.describe())
	}
	replay(packetCount()/4, "a replay after the sender's restart")
	// So does the receiver, which remembers nothing.
	n.crash()
	n.start(false)
	for i := range packetCount() / 8 {
		refuses(t, n, came[i%len(came)], "a replay to a node that has just started")
	}
	c.w.Run(c.w.Now()+5*time.Second, nil)
	if !c.whole() {
		t.Fatal(c.describe())
	}
	replay(packetCount()/8, "a replay after the receiver's restart")
	done(t, c)
}

// Packets that pass the seal come from a member, which may be a broken one: they
// may upset the ring, but never end the program nor let it grow.
func TestAMillionBrokenMembersPacketsNeitherPanicNorGrow(t *testing.T) {
	var states [][]byte
	var packets [][]byte
	for seed := range uint64(12) {
		s := newScenario(seed*7 + 3)
		s.nodes, s.sealed = max(s.nodes, 2), false
		c := newCluster(seed, s.nodes, s.cfg)
		c.net.SetFaults(s.faults)
		c.net.Drop = func(_, _ int, p []byte) bool {
			if len(packets) < 20_000 && c.w.Rand().IntN(10) == 0 {
				packets = append(packets, p)
			}
			return false
		}
		for _, n := range c.nodes {
			n.start(false)
		}
		for range 30 {
			c.w.Run(c.w.Now()+c.w.Between(0, s.cfg.Token/5), nil)
			n := c.nodes[c.w.Rand().IntN(len(c.nodes))]
			n.submit(300)
			if c.w.Rand().IntN(6) == 0 {
				n.crash()
				n.start(false)
			}
			states = append(states, n.core.AppendState(nil))
		}
	}
	seen := map[totem.State]int{}
	r := rand.New(rand.NewPCG(3, 4))
	count := packetCount()
	for done := 0; done < count; {
		core, err := totem.Restore(states[r.IntN(len(states))])
		if err != nil {
			t.Fatal(err)
		}
		seen[core.State()]++
		now := time.Duration(r.Int64N(int64(10 * time.Second)))
		for range 500 {
			p := bytes.Clone(packets[r.IntN(len(packets))])
			if r.IntN(8) > 0 {
				// The head mostly stays, and often the ring is the node's own, so
				// that what is behind it is looked at.
				p = mutate(r, p)
			}
			if len(p) >= 16 && r.IntN(2) == 0 && p[1] != byte(wire.TypeJoin) {
				copy(p[4:16], wire.HoldCancel{Ring: core.Ring()}.Append(nil)[4:])
			}
			now += time.Duration(r.Int64N(int64(20 * time.Millisecond)))
			actions := core.Step(now, &totem.Recv{From: messaging.NodeID(1 + r.IntN(8)), Packet: p})
			done++
			if st := core.Stats(); len(actions) > maxActions || st.Unreleased > 16384 {
				t.Fatalf("%d actions, %d packets kept", len(actions), st.Unreleased)
			}
		}
		for id := range totem.TimerID(9) {
			now += time.Second
			core.Step(now, &totem.Timer{ID: id})
		}
	}
	if len(seen) < 3 {
		t.Errorf("states that were tried: %v", seen)
	}
	t.Logf("%d packets, states %v", count, seen)
}
