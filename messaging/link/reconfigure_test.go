// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package link

import (
	"testing"
	"time"
)

func TestRemovedLinkTakesItsPeerAlong(t *testing.T) {
	c, err := New(DefaultConfig(time.Second))
	if err != nil {
		t.Fatal(err)
	}
	c.Add(2, 0)
	c.Add(2, 1)
	c.Heard(2, 0)
	if acts := c.Remove(2, 1); len(acts) != 0 || !c.Up(2) {
		t.Errorf("%v after the removal of a silent link", acts)
	}
	c.Add(2, 1)
	acts := c.Remove(2, 0)
	if d, ok := acts[0].(*PeerDown); len(acts) != 1 || !ok || d.Peer != 2 || c.Up(2) {
		t.Errorf("%v after the removal of the link that was heard", acts)
	}
	c.Heard(2, 1)
	if acts := c.Remove(2, 1); len(acts) != 1 || len(c.States()) != 0 {
		t.Errorf("%v, states %v after the last link", acts, c.States())
	}
	if acts := c.Remove(2, 1); acts != nil {
		t.Errorf("%v for a link that is not there", acts)
	}
	c.Tick(time.Second) // nothing of the peer is left to count
}

func TestReconfigureMovesTheLimit(t *testing.T) {
	c, err := New(DefaultConfig(time.Second)) // limit 1.1 s
	if err != nil {
		t.Fatal(err)
	}
	c.Add(2, 0)
	c.Heard(2, 0)
	bad := DefaultConfig(time.Second)
	bad.Limit = bad.Interval
	if err := c.Reconfigure(bad); err == nil {
		t.Error("a limit of one interval is taken")
	}
	longer := DefaultConfig(10 * time.Second)
	if err := c.Reconfigure(longer); err != nil {
		t.Fatal(err)
	}
	now, step := time.Duration(0), longer.Tick()
	for c.Up(2) {
		now += step
		c.Tick(now)
	}
	if now < longer.NodeLimit || now > longer.NodeLimit+2*step+longer.Interval {
		t.Errorf("down after %s, want %s", now, longer.NodeLimit)
	}
}
