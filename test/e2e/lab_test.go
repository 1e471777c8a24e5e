// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package e2e

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/test/e2e/lab"
)

// The tests stand and fall with the lab, so it is tested first.

func TestLabNodesAreMachinesOfTheirOwn(t *testing.T) {
	l := machines(t)
	if err := l.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, n := range l.Nodes() {
		if r := n.Exec(t.Context(), "hostname"); strings.TrimSpace(r.Stdout) != n.Name {
			t.Errorf("host name: %s", r)
		}
		if r := n.Shell(t.Context(), "echo mine >/etc/mark; kill -0 1"); r.Code != 0 {
			t.Error(r)
		}
	}
	one, two := l.Node(1), l.Node(2)
	if r := one.Exec(t.Context(), "systemctl", "start", lab.WebUnit); r.Code == 0 {
		t.Log("the web server runs without a page, as it should")
	}
	if got := len(two.Processes("nginx")); got != 0 {
		t.Errorf("node2 has %d web servers of node1", got)
	}
	// A unit stopped on one node leaves the other's of the same name alone.
	two.Exec(t.Context(), "systemctl", "start", lab.WebUnit)
	one.Exec(t.Context(), "systemctl", "stop", lab.WebUnit)
	if len(one.Processes("nginx")) != 0 || len(two.Processes("nginx")) == 0 {
		t.Errorf("after the stop on node1: %v on node1, %v on node2", one.Processes("nginx"), two.Processes("nginx"))
	}
	one.Kill()
	if err := one.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	if r := one.Exec(t.Context(), "cat", "/etc/mark"); r.Stdout != "mine\n" {
		t.Errorf("the disk after power loss: %s", r)
	}
	if err := l.Renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := one.ReadFile("/etc/mark"); err == nil {
		t.Error("the disk was not renewed")
	}
}

func TestLabWitnessSeesTwoHolders(t *testing.T) {
	l := machines(t)
	if err := l.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	addr := lab.FloatingAddress(floating)
	w := l.Watch(addr, lab.MountedOn(lab.WebRoot), lab.ListeningOn(80))
	defer w.Stop()
	client := l.Fetch(floating)
	defer client.Stop()
	take := func(n *lab.Node) {
		r := n.Shell(t.Context(), "ip addr add "+floating.String()+"/32 dev eth0; mount --bind "+lab.WebSource+" "+lab.WebRoot+
			" && systemctl start "+lab.WebUnit+" && arping -q -U -c 1 -I eth0 "+floating.String())
		if r.Code != 0 {
			t.Fatal(r)
		}
	}
	take(l.Node(1))
	lab.Until(t, 5*time.Second, "the page of node1", func() error { return answers(client, "node1") })
	if len(w.Doubles()) != 0 {
		t.Errorf("one holder, and the witness saw %v", w.Doubles())
	}
	take(l.Node(2))
	lab.Until(t, 5*time.Second, "the witness sees all three twice", func() error {
		if len(w.Doubles()) < 3 {
			return errors.New("not yet")
		}
		return nil
	})
	l.Node(1).Kill()
	lab.Until(t, 5*time.Second, "node2 alone", func() error {
		if h := w.Holders(addr); len(h) != 1 || h[0] != "node2" {
			return errors.New(strings.Join(h, "+"))
		}
		return answers(client, "node2")
	})
	for _, s := range w.Timeline() {
		t.Log(s)
	}
	t.Log("longest time not looked: ", w.Gap(), ", longest outage: ", client.Longest())
}

func TestLabNetworkTroubles(t *testing.T) {
	l := machines(t)
	if err := l.Boot(t.Context()); err != nil {
		t.Fatal(err)
	}
	one, two := l.Node(1), l.Node(2)
	two.Exec(t.Context(), "systemctl", "start", lab.WebUnit)
	hears := func(from, to *lab.Node) error {
		return from.Exec(t.Context(), "curl", "-s", "-S", "-o", "/dev/null", "-m", "0.5", to.Address().String()).Err()
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	mustNot := func(err error, what string) {
		t.Helper()
		if err == nil {
			t.Fatalf("%s: still heard", what)
		}
	}
	must(hears(one, two))
	for _, trouble := range []struct {
		name string
		do   func() error
		undo func() error
	}{
		{"cut", one.Cut, one.Heal},
		{"silence", one.Silence, one.Heal},
		{"block", func() error { return one.Block(t.Context(), two) }, func() error { return one.Unblock(t.Context()) }},
		{"loss", func() error { return one.Loss(t.Context(), 100) }, func() error { return one.Loss(t.Context(), 0) }},
	} {
		must(trouble.do())
		mustNot(hears(one, two), trouble.name)
		must(trouble.undo())
		lab.Until(t, 3*time.Second, trouble.name+" healed", func() error { return hears(one, two) })
	}
}

// floating is the address of the web service.
var floating = netip.MustParseAddr("198.51.100.100")

func answers(c *lab.Client, node string) error {
	page, err := c.Get()
	if err == nil && page != node {
		err = errors.New("the page says " + page)
	}
	return err
}
