// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package faults

import (
	"errors"
	"strconv"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/test/e2e/lab"
	"github.com/quorate/quorate/test/faults/hub"
)

// onLink changes the faults of one link in all directions.
func (c *cluster) onLink(l int, f hub.Faults) {
	for _, a := range c.nodes {
		for _, b := range c.others(a) {
			c.hub.Set(hub.Pair{From: a.ports[l], To: b.ports[l]}, f)
		}
	}
}

// N11: packets above a size vanish without a word, from one moment on. All sizes of
// messages still come, and the ring stays.
func TestN11SmallerPackets(t *testing.T) {
	onRequest(t)
	for _, mtu := range []int{1280, 576} {
		t.Run(strconv.Itoa(mtu), func(t *testing.T) {
			c := newCluster(t, options{nodes: 3})
			c.progress(formLimit, c.nodes...)
			began := time.Now()
			c.everywhere(hub.Faults{MTU: mtu})
			c.progress(20*time.Second, c.nodes...)
			c.awaitRing(formLimit, c.nodes...)
			c.nobodyLeft(began, c.nodes...)
			t.Log(c.hub.Stats())
			c.heal()
			c.progress(formLimit, c.nodes...)
			c.verdict(c.nodes...)
		})
	}
}

// device does something to a node's interface of a link.
func (n *node) device(l int, do func(h *netlink.Handle, dev netlink.Link) error) {
	n.c.t.Helper()
	h, err := netlink.NewHandleAt(n.ns)
	must(n.c.t, err)
	defer h.Close()
	dev, err := h.LinkByName(device(l))
	must(n.c.t, err)
	must(n.c.t, do(h, dev))
}

func (n *node) interfaceUp(l int, yes bool) {
	n.c.t.Helper()
	n.device(l, func(h *netlink.Handle, dev netlink.Link) error {
		if !yes {
			return h.LinkSetDown(dev)
		}
		return errors.Join(h.LinkSetUp(dev), n.address(h, l, n.c.options.nodes)) // neighbours went with it
	})
}

// N13: the interface goes down and comes up; its address goes and comes.
func TestN13InterfaceAndAddress(t *testing.T) {
	onRequest(t)
	for _, what := range []string{"interface", "address"} {
		t.Run(what, func(t *testing.T) {
			c := newCluster(t, options{nodes: 3})
			n := c.node(2)
			for range 3 {
				if what == "interface" {
					n.interfaceUp(0, false)
				} else {
					n.device(0, func(h *netlink.Handle, dev netlink.Link) error {
						old, err := h.AddrList(dev, netlink.FAMILY_V4)
						if err != nil || len(old) == 0 {
							return errors.Join(err, errors.New("no address"))
						}
						return h.AddrDel(dev, &old[0])
					})
				}
				c.awaitRing(deathLimit+slack, c.others(n)...)
				c.awaitRing(deathLimit+slack, n)
				n.interfaceUp(0, true)
				t.Log("one ring after ", c.awaitRing(2*healLimit, c.nodes...))
				c.progress(formLimit, c.nodes...)
			}
			c.verdict(c.nodes...)
		})
	}
}

// N18: two links. One is lost, then the other; one loses a third; each of two
// nodes has only the link that the other has not. No node leaves.
func TestN18TwoLinks(t *testing.T) {
	onRequest(t)
	c := newCluster(t, options{nodes: 3, links: 2})
	c.progress(formLimit, c.nodes...)
	began := time.Now()
	for _, step := range []struct {
		name string
		do   func()
	}{
		{"link 0 is lost", func() { c.onLink(0, hub.Faults{Cut: true}) }},
		{"it is back", func() { c.onLink(0, hub.Faults{}) }},
		{"link 1 is lost", func() { c.onLink(1, hub.Faults{Cut: true}) }},
		{"it is back", func() { c.onLink(1, hub.Faults{}) }},
		{"link 0 loses a third", func() { c.onLink(0, hub.Faults{Loss: 0.33}) }},
		{"link 1 delays by 50 ms", func() { c.onLink(1, hub.Faults{Delay: 50 * time.Millisecond}) }},
		{"link 0 is lost, link 1 is well", func() { c.onLink(0, hub.Faults{Cut: true}); c.onLink(1, hub.Faults{}) }},
		{"an interface is down", func() { c.onLink(0, hub.Faults{}); c.node(3).interfaceUp(1, false) }},
		{"it is up", func() { c.node(3).interfaceUp(1, true) }},
	} {
		step.do()
		c.progress(formLimit, c.nodes...)
		<-time.After(2 * token)
		if err := c.onRing(c.nodes...); err != nil {
			t.Errorf("%s: %v", step.name, err)
		}
	}
	c.nobodyLeft(began, c.nodes...)
	c.heal()
	c.split(c.pick(2), c.pick(1, 3)) // both lost
	t.Log("the others after ", c.awaitRing(deathLimit+slack, c.pick(1, 3)...))
	c.heal()
	c.awaitRing(2*healLimit, c.nodes...)
	c.progress(formLimit, c.nodes...)
	c.verdict(c.nodes...)
}

// N19: a network of a megabit per second, and 2 MiB to be carried. The ring stays.
func TestN19SlowNetwork(t *testing.T) {
	onRequest(t)
	c := newCluster(t, options{nodes: 3, quiet: true})
	began := time.Now()
	c.everywhere(hub.Faults{Rate: 1_000_000 / 8, Queue: 64 << 10})
	g := c.join(c.node(1), "bulk")
	for range 2 {
		must(t, g.Multicast(t.Context(), make([]byte, 1<<20)))
	}
	got := 0
	for got < 2 {
		ev, err := g.Next(t.Context())
		must(t, err)
		if m, ok := ev.(*messaging.Message); ok && len(m.Body) == 1<<20 {
			got++
		}
	}
	t.Log("2 MiB after ", time.Since(began))
	c.heal()
	lab.Until(t, formLimit, "one ring", func() error { return c.onRing(c.nodes...) })
	c.nobodyLeft(began, c.nodes...)
	c.verdict(c.nodes...)
}
