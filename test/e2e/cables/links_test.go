// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cables

import (
	"os"
	"strings"
	"testing"
	"time"
)

// long tells whether the tests take their time: all modes and both versions of IP.
func long() bool { return os.Getenv("QUORATE_CABLES_LONG") != "" }

// Each transport carries a ring over either version of IP: large messages come
// through, and a node whose cable is pulled is out and comes back.
func TestTransportsCarryARing(t *testing.T) {
	for name, opt := range map[string]Options{
		"knet ipv4":            {Links: 1},
		"knet ipv6":            {Links: 1, Six: true},
		"knet ipv6 two links":  {Links: 2, Six: true},
		"udpu ipv4":            {Links: 1, Totem: "\ttransport: udpu\n"},
		"udpu ipv6":            {Links: 1, Six: true, Totem: "\ttransport: udpu\n"},
		"udp ipv4":             {Links: 1, Totem: "\ttransport: udp\n"},
		"udp ipv6":             {Links: 1, Six: true, Totem: "\ttransport: udp\n\tip_version: ipv6\n"},
		"udp ipv4 no nodelist": {Links: 1, Totem: "\ttransport: udp\n", NoList: true},
		"udp ipv6 no nodelist": {Links: 1, Six: true, Totem: "\ttransport: udp\n\tip_version: ipv6\n", NoList: true},
	} {
		if !long() && name != "udp ipv6 no nodelist" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			opt.Nodes = 3
			c := cluster(t, opt)
			tr := newTraffic(t, c)
			tr.run(t, 500*time.Millisecond, 100_000)
			t.Logf("%d messages, the slowest took %v", tr.count, tr.worst)
			three := c.Nodes[2]
			for l := range opt.Links {
				check(t, three.Cable(l, false))
			}
			awaitRing(t, c.Nodes[0], 2)
			for l := range opt.Links {
				check(t, three.Cable(l, true))
			}
			awaitRing(t, c.Nodes[0], 3)
			awaitRing(t, three, 3)
		})
	}
}

// Two links: lose one, lose the other, one lossy, each deaf somewhere. Messages
// flow, and no membership changes.
func TestTwoLinksKeepTheMembership(t *testing.T) {
	modes := []string{"rr", "active", "passive"}
	if !long() {
		modes = modes[:1]
	}
	for _, mode := range modes {
		t.Run(mode, func(t *testing.T) { loseLinks(t, mode, mode == "rr") })
	}
}

func loseLinks(t *testing.T, mode string, six bool) {
	c := cluster(t, Options{Nodes: 3, Links: 2, Six: six, Totem: "\tlink_mode: " + mode + "\n"})
	one, two, three := c.Nodes[0], c.Nodes[1], c.Nodes[2]
	for _, n := range c.Nodes {
		for peer := 1; peer <= 3; peer++ {
			for l := 0; l < 2 && peer != n.Number; l++ {
				awaitLink(t, n, peer, l, true)
			}
		}
	}
	tr := newTraffic(t, c)
	hold := 700 * time.Millisecond
	if long() {
		hold = 3 * time.Second
	}
	tr.run(t, 3*time.Second, 2000)
	ring := awaitRing(t, one, 3).View.Ring
	all := func(f func(*Node) error) {
		for _, n := range c.Nodes {
			check(t, f(n))
		}
	}
	step := func(what string) {
		tr.run(t, hold, 2000)
		t.Logf("%s: message %d, the slowest took %v", what, tr.count, tr.worst)
		sameRing(t, c, ring, what)
	}
	all(func(n *Node) error { return n.Cable(0, false) })
	step("link 0 lost")
	awaitLink(t, one, 2, 0, false)
	all(func(n *Node) error { return n.Cable(0, true) })
	awaitLink(t, one, 2, 0, true)
	step("link 0 back")
	all(func(n *Node) error { return n.Rules(On(1)) })
	step("link 1 lost")
	awaitLink(t, two, 3, 1, false)
	all(func(n *Node) error { return n.Rules(On(0)) })
	step("link 0 lost, link 1 back at that moment")
	all(func(n *Node) error { return n.Rules(On(1) + " " + Percent(30)) })
	step("link 1 lossy")
	all(func(n *Node) error { return n.Rules(On(0) + " " + Percent(30)) })
	step("link 0 lossy")
	all(func(n *Node) error { return n.Rules() })
	check(t, two.Rules(one.From(0)), three.Rules(two.From(1)))
	step("deaf on one link each")
	check(t, two.Rules(), three.Rules(), one.Interface(0, false))
	step("an interface down")
	check(t, one.Interface(0, true))
	if six { // the kernel has dropped it
		check(t, one.Address(0, true))
	}
	awaitLink(t, one, 2, 0, true)
	step("an interface up again")
	check(t, three.Address(1, false))
	step("an address gone")
	awaitLink(t, three, 1, 1, false)
	check(t, three.Address(1, true))
	awaitLink(t, three, 1, 1, true)
	step("an address back")
}

// With one link a node whose interface goes down (ifdown) or whose address is
// taken away is alone and keeps its identity; it is a member again when it is
// back, without a restart.
func TestIfdownEndsAndBegins(t *testing.T) {
	for _, six := range []bool{true, false} {
		if !six && !long() {
			continue
		}
		c := cluster(t, Options{Nodes: 2, Links: 1, Six: six})
		one, two := c.Nodes[0], c.Nodes[1]
		for _, fault := range []struct {
			name     string
			down, up func() error
		}{
			{"interface", func() error { return two.Interface(0, false) }, func() error {
				if err := two.Interface(0, true); err != nil || !six {
					return err
				}
				return two.Address(0, true)
			}},
			{"address", func() error { return two.Address(0, false) }, func() error { return two.Address(0, true) }},
		} {
			check(t, fault.down())
			awaitLink(t, one, 2, 0, false)
			awaitLink(t, two, 1, 0, false)
			s, err := bus(t, two).Status(t.Context())
			check(t, err)
			if want := Address(2, 0, six).String(); s.Self != 2 || s.Links[0].LocalAddr != want {
				t.Errorf("%s down: node %d at %s, want node 2 at %s", fault.name, s.Self, s.Links[0].LocalAddr, want)
			}
			check(t, fault.up())
			awaitRing(t, one, 2)
			awaitRing(t, two, 2)
		}
		if strings.Contains(two.Log(), "127.0.0.1") {
			t.Error("the daemon spoke of 127.0.0.1")
		}
	}
}
