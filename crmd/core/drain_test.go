// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/crmd"
)

func (n *simNode) shutDown() { n.do(func(now Time) { n.core.RequestShutdown(now, 9999) }) }

func (n *simNode) left() bool { _, ok := n.replies[9999]; return ok }

func (c *cluster) allLeft() bool {
	for _, n := range c.nodes {
		if n.up && !n.left() {
			return false
		}
	}
	return true
}

// Each node's request comes a little later than the former's: the last one may
// be made to a DC that leaves.
func TestNodesThatShutDownOneAfterTheOtherAllLeave(t *testing.T) {
	for seed := range uint64(60) {
		c := formed(t, 700+seed, plain())
		gap := time.Duration(seed) * 3 * time.Millisecond
		for i := range c.nodes {
			c.after(time.Duration(i)*gap, c.nodes[(i+int(seed))%3].shutDown)
		}
		c.waitFor("shutdown", 10*time.Second, c.allLeft)
		for _, n := range c.nodes {
			if len(n.lrm.active) > 0 || n.replies[9999] != nil {
				c.fatalf("%s left with %v active: %v", n.name, n.lrm.active, n.replies[9999])
			}
		}
	}
}

// The request stands when another node, or the one itself, becomes DC.
func TestAShutdownRequestOutlivesTheDC(t *testing.T) {
	for i := range 2 {
		c := formed(t, 760+uint64(i), plain())
		for _, r := range all {
			c.slow[r+" stop"] = 3 * time.Second
		}
		dc := c.dc()
		n := c.nodes[(dc.i+1+i)%3]
		n.shutDown()
		c.runFor(20 * time.Millisecond)
		c.crash(dc.i)
		c.waitFor("shutdown", 20*time.Second, n.left)
	}
}

// An attribute that is lost (with a document that was replaced, say) is set
// again.
func TestALostShutdownRequestIsRepeated(t *testing.T) {
	c := formed(t, 770, plain())
	for _, r := range all {
		c.slow[r+" stop"] = 2 * time.Second
	}
	n := c.nodes[1]
	n.shutDown()
	c.runFor(20 * time.Millisecond)
	n.write(0, func(o *simNode) (cib.Version, error) {
		return o.attr(cib.AttrUpdate{Node: n.name, Name: "shutdown", Delete: true})
	})
	c.waitFor("shutdown", 20*time.Second, n.left)
}

func TestANodeThatStartsAloneShutsDownAtOnce(t *testing.T) {
	c := newCluster(t, 780, 3, plain())
	c.boot(0)
	c.runFor(5 * time.Second)
	n := c.nodes[0]
	n.shutDown()
	c.waitFor("shutdown", time.Second, n.left)
	// And where the request comes before it is the DC.
	c = newCluster(t, 781, 3, plain())
	c.boot(0)
	n = c.nodes[0]
	n.shutDown()
	c.waitFor("shutdown", 2*time.Second, n.left)
}

func (c *cluster) logged(text string) int {
	count := 0
	for _, l := range c.log {
		if strings.Contains(l, text) {
			count++
		}
	}
	return count
}

func TestAShutdownThatCannotEndTellsWhyAndGivesUp(t *testing.T) {
	c := newCluster(t, 790, 3, plain())
	c.failures["r0 stop node1"], c.failures["r0 stop node2"], c.failures["r0 stop node3"] = 1, 1, 1
	for i := range c.nodes {
		c.boot(i)
	}
	c.waitFor("start", 5*time.Second, func() bool { return c.idle() && c.allRunning() })
	on := c.runningOn("r0")
	n := c.nodes[on[4]-'1']
	began := c.now
	n.shutDown()
	c.runFor(65 * time.Second)
	if got := c.logged("shutdown waits"); got < 5 || got > 7 {
		c.fatalf("told %d times in a minute what it waits for", got)
	}
	if c.logged("r0: its stop failed") == 0 {
		c.fatalf("the log does not name the resource")
	}
	c.waitFor("giving up", 20*time.Minute, n.left)
	if took := c.now - began; took < 20*time.Minute || !errors.Is(n.replies[9999], crmd.ErrNotDrained) || !errors.Is(n.exited, crmd.ErrNotDrained) {
		c.fatalf("after %v: %v, exit %v", took, n.replies[9999], n.exited)
	}
}

// A node that could not stop something by itself does not leave as if it had:
// the others must not take it for clean.
func TestANodeAloneThatCannotStopIsLostNotGone(t *testing.T) {
	c := formed(t, 791, plain())
	on := c.runningOn("r0")
	c.failures["r0 stop "+on] = 1
	n := c.nodes[on[4]-'1']
	n.inGroup = false
	n.do(func(now Time) { n.core.GroupLost(now) })
	c.after(0, n.shutDown)
	c.waitFor("shutdown", time.Minute, n.left)
	if !errors.Is(n.replies[9999], crmd.ErrNotDrained) || !errors.Is(n.exited, crmd.ErrNotDrained) {
		c.fatalf("answer %v, exit %v", n.replies[9999], n.exited)
	}
	if n.lrm.active["r1"] || n.lrm.active["r2"] {
		c.fatalf("the others are active still: %v", n.lrm.active)
	}
}
