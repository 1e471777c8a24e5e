// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"testing"
	"time"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/operation"
	"github.com/quorate/quorate/crmd/join"
	"github.com/quorate/quorate/crmd/wire"
)

// healLate brings the partitions together; the documents meet after the groups,
// as they do where the replicas need a round of their own.
func (c *cluster) healLate(by time.Duration) {
	c.part = map[int]int{}
	c.membership()
	var best *simNode
	for _, n := range c.nodes {
		if best == nil || less(operation.VersionOf(best.root), operation.VersionOf(n.root)) {
			best = n
		}
	}
	for _, n := range c.nodes {
		if n != best {
			n.root, n.table = document.Clone(best.root), best.table
		}
		root := n.root
		n.later("cib", by, func(t Time) { n.core.CIBSnapshot(t, root, operation.VersionOf(root)) })
	}
}

func (c *cluster) allJoined() bool {
	d := c.dc()
	if d == nil {
		return false
	}
	for _, n := range c.nodes {
		if n.core.dc != d.member || n.core.joined == 0 || d.core.book.Phase(n.member) != join.Confirmed {
			return false
		}
	}
	return true
}

// A document that is replaced while two DCs vote has both offer to all; the one
// that yields does not obey the other yet.
func TestAMergeOfTwoDCsEndsWithAllJoined(t *testing.T) {
	for seed := range uint64(40) {
		c := formed(t, 500+seed, plain())
		c.split(map[int]int{int(seed % 3): 1})
		c.runFor(1500 * time.Millisecond)
		c.waitFor("majority", 10*time.Second, func() bool { return c.idle() && c.allRunning() })
		c.healLate(time.Duration(seed/4) * time.Millisecond / 2)
		c.waitFor("all joined", time.Second, c.allJoined)
		c.waitFor("rest", 5*time.Second, func() bool { return c.idle() && c.allRunning() })
	}
}

// Whatever step of a join is lost, it is made again.
func TestAJoinThatLostAMessageIsRepeated(t *testing.T) {
	lost := map[string]func(*wire.Message) bool{
		"offer":   func(m *wire.Message) bool { return m.Offer != nil && len(m.Offer.To) > 0 },
		"request": func(m *wire.Message) bool { return m.JoinRequest != nil },
		"ack":     func(m *wire.Message) bool { return m.JoinAck != nil },
		"confirm": func(m *wire.Message) bool { return m.JoinConfirm != nil },
	}
	for what, match := range lost {
		t.Run(what, func(t *testing.T) {
			c := formed(t, 600, plain())
			i := 0
			if c.dc().i == 0 {
				i = 1
			}
			id, drops := c.nodes[i].id, 1
			c.lose = func(from *simNode, to *simNode, m *wire.Message) bool {
				if drops == 0 || !match(m) || (from.id != id && to.id != id) {
					return false
				}
				if m.JoinAck != nil && m.JoinAck.To.Node != id {
					return false
				}
				drops--
				c.tracef("lost: %s from %s to %s", what, from.name, to.name)
				return true
			}
			c.killCRM(i, 100*time.Millisecond)
			c.runFor(150 * time.Millisecond)
			c.waitFor("all joined", 3*time.Second, c.allJoined)
			if drops != 0 {
				c.fatalf("nothing was lost")
			}
			c.waitFor("rest", 5*time.Second, func() bool { return c.idle() && c.allRunning() })
		})
	}
}

// A member that forgot its join says so, and the DC takes it in again.
func TestAMemberThatIsNotJoinedAnnouncesItself(t *testing.T) {
	c := formed(t, 601, plain())
	for _, n := range c.nodes {
		if n.core.am {
			continue
		}
		n.core.joined = 0
		n.do(func(now Time) { n.core.step(now, func() { n.core.settle(n.core.dc) }) })
		n.core.joined = 0
		n.do(func(now Time) { n.core.TimerFired(now, timerAnnounce) })
		c.runFor(5 * time.Millisecond)
		c.waitFor("joined", time.Second, func() bool { return c.idle() && c.allJoined() })
	}
}
