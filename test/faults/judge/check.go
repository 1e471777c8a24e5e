// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package judge

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/quorate/quorate/messaging"
)

// maxFindings bounds what Check reports.
const maxFindings = 20

// Check returns what the recordings show to be broken, in words.
func Check(recs []Recording) []string {
	c := &checker{recs: recs}
	c.eachStay(c.whole)
	c.eachStay(c.members)
	c.accepted()
	c.totalOrder()
	c.virtualSynchrony()
	c.rings()
	c.quorum()
	return c.findings
}

type checker struct {
	recs     []Recording
	findings []string
}

func (c *checker) find(format string, args ...any) {
	if len(c.findings) < maxFindings {
		c.findings = append(c.findings, fmt.Sprintf(format, args...))
	}
}

func (c *checker) eachStay(check func(node messaging.NodeID, s *Membership)) {
	for i := range c.recs {
		for j := range c.recs[i].Memberships {
			check(c.recs[i].Node, &c.recs[i].Memberships[j])
		}
	}
}

// whole: what is delivered has the bytes that were sent, once, in the order of its
// sender, without a gap while the sender is a member.
func (c *checker) whole(node messaging.NodeID, s *Membership) {
	last := map[messaging.MemberID]uint64{}
	for _, e := range s.Events {
		if e.Change != nil {
			for _, l := range e.Change.Left {
				delete(last, l.Member)
			}
			continue
		}
		m := e.Message
		if m.Broken != "" {
			c.find("E9 node %d: message %d of %v is broken: %s", node, m.Seq, m.From, m.Broken)
		}
		if before, seen := last[m.From]; seen && m.Seq != before+1 {
			c.find("E1/E3 node %d: message %d of %v after %d", node, m.Seq, m.From, before)
		}
		last[m.From] = m.Seq
	}
}

// members: changes follow from each other, and senders are members.
func (c *checker) members(node messaging.NodeID, s *Membership) {
	var now map[messaging.MemberID]bool
	for i, e := range s.Events {
		if e.Change == nil {
			if now == nil {
				c.find("E8 node %d: a message before the first change", node)
			} else if !now[e.Message.From] {
				c.find("E8 node %d: a message of %v, who is no member", node, e.Message.From)
			}
			continue
		}
		next := map[messaging.MemberID]bool{}
		for _, m := range e.Change.Members {
			next[m] = true
		}
		if !next[s.Self] {
			c.find("E8 node %d: a change without the own membership", node)
		}
		if i > 0 && now != nil {
			for _, l := range e.Change.Left {
				delete(now, l.Member)
			}
			for _, j := range e.Change.Joined {
				now[j.Member] = true
			}
			if !maps.Equal(now, next) {
				c.find("E8 node %d: the change %v/%v does not lead to %v", node, e.Change.Left, e.Change.Joined, e.Change.Members)
			}
		}
		now = next
	}
}

// accepted: a message that was delivered was sent; one that was accepted comes
// back to a sender whose stay goes on (the last second of it may be under way).
func (c *checker) accepted() {
	sent := map[messaging.MemberID]uint64{}
	c.eachStay(func(_ messaging.NodeID, s *Membership) { sent[s.Self] = s.Accepted })
	c.eachStay(func(node messaging.NodeID, s *Membership) {
		own := uint64(0)
		for _, e := range s.Events {
			if e.Change != nil {
				continue
			}
			if n, known := sent[e.Message.From]; !known || e.Message.Seq == 0 || e.Message.Seq > n+1 { // one may be on its way to be accepted
				c.find("E1 node %d: message %d of %v was never sent (%d were)", node, e.Message.Seq, e.Message.From, n)
			}
			if e.Message.From == s.Self {
				own = e.Message.Seq
			}
		}
		if s.Ended == nil && own < s.Accepted {
			c.find("E2 node %d: own message %d was accepted, %d is the last that came back", node, s.Accepted, own)
		}
	})
}

type messageKey struct {
	from messaging.MemberID
	seq  uint64
}

// totalOrder: any two stays deliver the messages that both deliver in one order.
func (c *checker) totalOrder() {
	type history struct {
		node  messaging.NodeID
		order []messageKey
		at    map[messageKey]int
	}
	var all []history
	c.eachStay(func(node messaging.NodeID, s *Membership) {
		h := history{node: node, at: map[messageKey]int{}}
		for _, e := range s.Events {
			if e.Change == nil {
				k := messageKey{e.Message.From, e.Message.Seq}
				if _, twice := h.at[k]; twice {
					c.find("E1 node %d: message %d of %v twice", node, k.seq, k.from)
				}
				h.at[k] = len(h.order)
				h.order = append(h.order, k)
			}
		}
		all = append(all, h)
	})
	for i, a := range all {
		for _, b := range all[i+1:] {
			last := -1
			for _, k := range a.order {
				at, both := b.at[k]
				if both && at < last {
					c.find("E4 nodes %d and %d: message %d of %v in another order", a.node, b.node, k.seq, k.from)
					break
				}
				if both {
					last = at
				}
			}
		}
	}
}

// virtualSynchrony: stays that share two consecutive changes saw the same between.
func (c *checker) virtualSynchrony() {
	type period struct {
		node     messaging.NodeID
		messages []messageKey
	}
	seen := map[string]period{}
	c.eachStay(func(node messaging.NodeID, s *Membership) {
		var from string
		var now []messageKey
		for _, e := range s.Events {
			if e.Change == nil {
				now = append(now, messageKey{e.Message.From, e.Message.Seq})
				continue
			}
			to := fmt.Sprint(e.Change.Ring, e.Change.Members)
			if from != "" {
				key := from + " then " + to
				if other, ok := seen[key]; !ok {
					seen[key] = period{node, now}
				} else if !slices.Equal(other.messages, now) {
					c.find("E5 nodes %d and %d: from %s they saw %d and %d messages, or others", other.node, node, key, len(other.messages), len(now))
				}
			}
			from, now = to, nil
		}
	})
}

// rings: the ring of a node's views only grows, over restarts too, and a ring has
// one list of members.
func (c *checker) rings() {
	lists := map[messaging.RingID]string{}
	for _, r := range c.recs {
		last := uint64(0)
		for _, v := range r.Views {
			if v.Gone || v.Ring.Seq == 0 {
				continue
			}
			if v.Ring.Seq < last {
				c.find("E7 node %d: ring %v after number %x", r.Node, v.Ring, last)
			}
			last = v.Ring.Seq
			list := fmt.Sprint(Members(v.QuorumView))
			if before, ok := lists[v.Ring]; ok && before != list {
				c.find("E7 ring %v has the members %s and %s", v.Ring, before, list)
			}
			lists[v.Ring] = list
		}
	}
}

// Members lists the members of a view.
func Members(v messaging.QuorumView) []messaging.NodeID {
	var out []messaging.NodeID
	for _, n := range v.Nodes {
		if n.Member {
			out = append(out, n.ID)
		}
	}
	return out
}

// A Reign is a time in which a node took a partition for quorate.
type Reign struct {
	Node     messaging.NodeID
	Ring     messaging.RingID
	Members  []messaging.NodeID
	From, To time.Time
}

// Reigns lists them by time. One that goes on ends now.
func Reigns(recs []Recording) []Reign {
	var out []Reign
	for _, r := range recs {
		for i, v := range r.Views {
			if v.Gone || !v.Quorate {
				continue
			}
			end := time.Now()
			if i+1 < len(r.Views) {
				end = r.Views[i+1].At
			}
			out = append(out, Reign{Node: r.Node, Ring: v.Ring, Members: Members(v.QuorumView), From: v.At, To: end})
		}
	}
	slices.SortFunc(out, func(a, b Reign) int { return cmp.Or(a.From.Compare(b.From), cmp.Compare(a.Node, b.Node)) })
	return out
}

// quorum: no two partitions without a common member are quorate at a time.
func (c *checker) quorum() {
	all := Reigns(c.recs)
	for i, a := range all {
		for _, b := range all[i+1:] {
			if b.From.Before(a.To) && disjoint(a.Members, b.Members) {
				c.find("S4 %v (node %d) and %v (node %d) were quorate at a time for %v", a.Members, a.Node, b.Members, b.Node, minTime(a.To, b.To).Sub(b.From))
			}
		}
	}
}

func disjoint(a, b []messaging.NodeID) bool {
	return !slices.ContainsFunc(a, func(n messaging.NodeID) bool { return slices.Contains(b, n) })
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// Rings lists the rings that a node was on since a time, each once, the one it
// was on then first.
func (r Recording) Rings(since time.Time) []messaging.RingID {
	var out []messaging.RingID
	for i, v := range r.Views {
		current := i+1 == len(r.Views) || r.Views[i+1].At.After(since)
		if !v.Gone && v.Ring.Seq != 0 && current && (len(out) == 0 || out[len(out)-1] != v.Ring) {
			out = append(out, v.Ring)
		}
	}
	return out
}
