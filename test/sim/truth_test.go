// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"slices"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/qnet"
	"github.com/quorate/quorate/messaging/quorum"
)

// A truth sees what all nodes make of the votes and finds what their options do
// not allow.
type truth struct {
	c *cluster
	o *options
	// outcomes of each ring after its synchronisation and each ordered operation.
	outcomes map[messaging.RingID][]outcome
	// quorate are the rings that somebody took for quorate.
	quorate map[messaging.RingID][]messaging.NodeID
	order   []messaging.RingID // of these
	// asked tells that an administrator has asked for something.
	asked bool
}

type outcome struct {
	quorate  bool
	expected uint32
}

// A word is what a node says of itself in a synchronisation, with what the
// checker wants to know of it at that time.
type word struct {
	Info quorum.Info
	Ever messaging.RingID // the last quorate ring of its life
}

func newTruth(c *cluster, o *options) *truth {
	return &truth{c: c, o: o, outcomes: map[messaging.RingID][]outcome{}, quorate: map[messaging.RingID][]messaging.NodeID{}}
}

func apart(a, b []messaging.NodeID) bool {
	return !slices.ContainsFunc(a, func(n messaging.NodeID) bool { return slices.Contains(b, n) })
}

// synced looks at the votes of a ring, counted for the first time by a node.
func (k *truth) synced(b *ballots, words map[messaging.NodeID]word) {
	k.counted(b)
	r, check, o := b.core.Result(), k.c.check, k.o
	all := k.everybody(b.members)
	last, known := messaging.RingID{}, true
	for _, id := range b.members {
		ever := words[id].Ever
		known = known && ever.Seq > 0
		if ever.Seq > last.Seq {
			last = ever
		}
	}
	if o.cfg.WaitForAll && r.Quorate && !k.asked {
		check.expect("wait for all", all || last.Seq > 0, "node %d: ring %v of %v is quorate and none of them was before", b.n.id, b.ring, b.members)
	}
	if o.cfg.TwoNode && len(b.members) == 1 && known {
		check.expect("two_node", r.Quorate, "node %d was quorate and is not alone, on ring %v", b.n.id, b.ring)
	}
	if o.cfg.AutoTieBreaker && !r.WaitForAll && !o.cfg.LastManStanding && known && 2*len(b.members) == len(k.c.nodes) {
		tie := o.breaker(k.quorate[last])
		check.expect("auto_tie_breaker", r.Quorate == slices.Contains(b.members, tie), "node %d: quorate=%v on ring %v of %v, the tie breaker of ring %v of %v is %d",
			b.n.id, r.Quorate, b.ring, b.members, last, k.quorate[last], tie)
	}
	if o.cfg.Tracking && !o.cfg.AllowDownscale && !k.asked {
		check.expect("expected_votes_tracking", r.ExpectedVotes >= b.tracked, "node %d expects %d votes, %d were tracked", b.n.id, r.ExpectedVotes, b.tracked)
	}
}

// everybody tells whether these have all votes that wait_for_all waits for.
func (k *truth) everybody(members []messaging.NodeID) bool {
	votes := k.o.cfg.Device.Votes
	for _, id := range members {
		votes += k.o.of(id).Votes
	}
	return votes >= k.o.cfg.ExpectedVotes
}

// waits: a membership waits for the device only where its vote decides.
func (k *truth) waits(b *ballots, members []messaging.NodeID) {
	need := (k.o.cfg.ExpectedVotes + 2) / 2
	votes := uint32(len(members))
	k.c.check.expect("only where the device decides it is waited for", votes < need && (k.o.cfg.Device.MasterWins || votes+k.o.cfg.Device.Votes >= need),
		"node %d waits for the device on a ring of %v, %d votes are expected", b.n.id, members, k.o.cfg.ExpectedVotes)
}

// counted compares what nodes of a ring count at the same place of the order.
func (k *truth) counted(b *ballots) {
	r := b.core.Result()
	b.n.highest = max(b.n.highest, r.ExpectedVotes)
	if !k.o.cfg.LastManStanding && !k.asked {
		k.c.check.expect("expected votes are kept", r.ExpectedVotes >= k.o.cfg.ExpectedVotes, "node %d expects %d votes on ring %v, %d are configured", b.n.id, r.ExpectedVotes, b.ring, k.o.cfg.ExpectedVotes)
	}
	if b.moving || k.o.cfg.Device.Name != "" {
		return // the device's word comes to each node by itself
	}
	now := outcome{r.Quorate, r.ExpectedVotes}
	list := k.outcomes[b.ring]
	if b.ops < len(list) {
		k.c.check.expect("members agree on quorum", list[b.ops] == now, "ring %v after %d operations: node %d says %v, another said %v", b.ring, b.ops, b.n.id, now, list[b.ops])
		return
	}
	k.outcomes[b.ring] = append(list, now)
}

// left looks at the votes when members have left with a word.
func (k *truth) left(b *ballots, clean []messaging.NodeID, before quorum.Result) {
	if !k.o.cfg.AllowDownscale || len(clean) == 0 || k.asked {
		return
	}
	r := b.core.Result()
	want := max(uint32(len(r.Nodes)), k.o.cfg.ExpectedVotes)
	k.c.check.expect("allow_downscale", r.ExpectedVotes == want, "node %d expects %d votes after %v left, was %d: want %d", b.n.id, r.ExpectedVotes, clean, before.ExpectedVotes, want)
}

// expired looks at the votes at the end of the window of last_man_standing.
func (k *truth) expired(b *ballots) {
	r := b.core.Result()
	if r.Quorate && !k.asked {
		k.c.check.expect("last_man_standing", int(r.ExpectedVotes) == len(r.Nodes), "node %d expects %d votes on ring %v of %v after the window", b.n.id, r.ExpectedVotes, b.ring, b.members)
	}
}

// kept: what an administrator may ask for takes quorum from nobody.
func (k *truth) kept(b *ballots, before bool, format string, args ...any) {
	k.c.check.expect("requests keep quorum", !before || b.core.Result().Quorate || b.moving, "node %d ring %v: "+format, append([]any{b.n.id, b.ring}, args...)...)
}

// look is called whenever a node may have become quorate: nobody else may be who
// has no member in common with it, or with a lease, who is not one of its members.
func (k *truth) look(b *ballots) {
	if b.core.Result().Quorate {
		b.ever = b.ring
	}
	k.oneVote(b)
	if now := b.quorate() && b.ring.Seq > 0; now != b.standing || now && b.ring != b.stood {
		b.standing, b.stood = now, b.ring
	} else {
		return
	}
	if !b.standing {
		return
	}
	if _, known := k.quorate[b.ring]; !known {
		k.first(b)
		k.quorate[b.ring] = b.members
		k.order = append(k.order, b.ring)
	}
	if k.o.mayBreak {
		return
	}
	for _, n := range k.c.nodes {
		if n == b.n || !n.host.Up() || n.groups == nil || !n.groups.votes.quorate() {
			continue
		}
		v := n.groups.votes
		if k.o.lease > 0 {
			// Who is still on an older ring is not lost by the others if the newer
			// one has him.
			invited := v.ring.Seq > b.ring.Seq && slices.Contains(v.members, b.n.id)
			k.c.check.expect("lease", v.ring == b.ring || invited || slices.Contains(b.members, n.id), "node %d is quorate on ring %v of %v while node %d is on ring %v of %v",
				b.n.id, b.ring, b.members, n.id, v.ring, v.members)
		}
		if !n.host.Paused() {
			k.c.check.expect("one quorate side", !apart(v.members, b.members) || k.superseded(v), "node %d is quorate on ring %v of %v while node %d is on ring %v of %v",
				b.n.id, b.ring, b.members, n.id, v.ring, v.members)
		}
	}
}

// first looks at a ring that nobody has taken for quorate yet.
func (k *truth) first(b *ballots) {
	if k.o.cfg.WaitForAll && len(k.order) == 0 && !k.asked && k.o.lease == 0 {
		k.c.check.expect("wait for all", k.everybody(b.members), "ring %v of %v is the first quorate one", b.ring, b.members)
	}
	if !k.o.static {
		return
	}
	for _, ring := range k.order {
		k.c.check.expect("one quorate side", !apart(k.quorate[ring], b.members), "rings %v of %v and %v of %v", ring, k.quorate[ring], b.ring, b.members)
	}
}

// superseded tells whether a member of a node's view has been in a later quorate
// one: the node does not know yet that the others have gone on.
func (k *truth) superseded(v *ballots) bool {
	for _, ring := range k.order {
		if ring.Seq > v.ring.Seq && !apart(k.quorate[ring], v.members) {
			return true
		}
	}
	return false
}

// oneVote: the device's vote is on one ring only. With lms and wait_for_all a node
// that the server has lost keeps it for the ring that it had, as long as it does
// not know of the next.
func (k *truth) oneVote(b *ballots) {
	if k.o.cfg.Device.Name == "" || !b.core.Result().DeviceCast || b.device.denied {
		return
	}
	keeps := k.o.algorithm == qnet.LMS && k.o.cfg.WaitForAll
	for _, n := range k.c.nodes {
		if n == b.n || !n.host.Up() || n.host.Paused() || n.resuming || n.groups == nil || b.n.resuming {
			continue
		}
		v := n.groups.votes
		k.c.check.expect("one side has the device's vote", !v.core.Result().DeviceCast || n.ring == b.n.ring || keeps && !apart(n.membs, b.n.membs), "node %d on ring %v has it and node %d on ring %v", b.n.id, b.n.ring, n.id, n.ring)
	}
}

// sides looks at a network that has been parted for long: who is quorate now stays
// so. Each side is one ring.
func (k *truth) sides(sides [][]*node) {
	quorate := 0
	for _, side := range sides {
		some := false
		for _, n := range side {
			some = some || n.groups.votes.quorate()
		}
		if some {
			quorate++
		}
	}
	if !k.o.mayBreak {
		k.c.check.expect("one quorate side for long", quorate <= 1, "%d of %d sides are quorate: %s", quorate, len(sides), k.c.describe())
	}
	if k.o.algorithm != 0 && k.c.arbiter.decides(sides) {
		k.c.check.expect("the device decides", quorate >= 1, "none of %d sides is quorate: %s", len(sides), k.c.describe())
	}
}

// together: all nodes in one ring have quorum.
func (k *truth) together() {
	if k.asked {
		return
	}
	if k.o.algorithm != 0 {
		// Nodes reach the server again, and it waits for votes that it gave before.
		k.c.w.Run(k.c.w.Now()+deviceConnect+deviceTimeout+deviceBeat, k.c.failed)
	}
	for _, n := range k.c.nodes {
		v := n.groups.votes // a lease may lapse for a moment when tokens are lost
		k.c.check.expect("all together are quorate", v.core.Result().Quorate && !v.device.denied, "node %d: %+v", n.id, n.groups.votes.core.Result())
	}
}
