// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cables

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// awaitSize waits until the ring's packets to a peer are of a size.
func awaitSize(t *testing.T, n *Node, peer, want int) {
	t.Helper()
	poll(t, fmt.Sprintf("%s: packets of %d bytes to node %d", nodeName(n.Number), want, peer), func(context.Context) (string, bool) {
		got := stat(t, n, fmt.Sprintf("stats.knet.node%d.link0.mtu", peer))
		return fmt.Sprint(got), got == want
	})
}

// The way to a node gets narrower in every manner there is: a black hole, its own
// interface, with jumbo frames configured that nobody passes on. Large messages
// flow on, and the membership stays.
func TestWaysGetNarrow(t *testing.T) {
	if !long() {
		t.Skip("QUORATE_CABLES_LONG is not set")
	}
	for name, six := range map[string]bool{"ipv4": false, "ipv6": true} {
		t.Run(name, func(t *testing.T) {
			c := cluster(t, Options{Nodes: 3, Links: 1, Six: six, Totem: "\tnetmtu: 9000\n\tknet_pmtud_interval: 1\n"})
			one, three := c.Nodes[0], c.Nodes[2]
			const seals = 60
			headers := 28 + seals
			if six {
				headers = 48 + seals
			}
			awaitSize(t, one, 3, 9000-headers)
			ring := awaitRing(t, one, 3).View.Ring
			tr := newTraffic(t, c)
			step := func(what string, size int) {
				t.Helper()
				tr.run(t, 1500*time.Millisecond, 30_000)
				t.Logf("%s: message %d, the slowest took %v", what, tr.count, tr.worst)
				sameRing(t, c, ring, what)
				awaitSize(t, one, 3, size-headers)
			}
			step("jumbo frames", 9000)
			check(t, three.Rules(LargerThan(1500)))
			step("a switch without jumbo frames", 1500)
			check(t, three.Rules(LargerThan(1280)))
			step("a tunnel of 1280", 1280)
			check(t, three.Rules(LargerThan(1399)))
			step("a tunnel of 1399", 1280)
			if !six { // IPv6 has no smaller ones
				check(t, three.Rules(LargerThan(576)))
				step("a black hole above 576", 576)
			}
			check(t, three.Rules())
			step("all is well", 9000)
			check(t, one.MTU(0, 1400))
			step("the own interface takes 1400", 1400)
			check(t, one.MTU(0, cableMTU))
			step("the own interface takes all", 9000)
		})
	}
}

// No size of a message is the one that stalls.
func TestNoSizeStalls(t *testing.T) {
	c := cluster(t, Options{Nodes: 2, Links: 1})
	two := c.Nodes[1]
	check(t, two.Rules(LargerThan(1400)))
	awaitSize(t, c.Nodes[0], 2, 1400-88)
	ring := awaitRing(t, two, 2).View.Ring
	tr := newTraffic(t, c)
	for size := 1100; size < 1500; size += 3 {
		tr.run(t, time.Millisecond, size)
		if tr.worst > time.Second {
			t.Errorf("%d bytes took %v", size, tr.worst)
		}
	}
	sameRing(t, c, ring, "messages of all sizes")
}
