// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"encoding/json"
	"slices"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/cpg"
	"github.com/quorate/quorate/messaging/quorum"
	"github.com/quorate/quorate/messaging/totem"
)

// ballots are a node's votes: the real core of messaging/quorum and its lease,
// fed as the engine feeds them.
type ballots struct {
	n       *node
	g       *groups
	core    *quorum.Core
	lease   quorum.Lease
	device  device
	waiting []operation
	pumped  bool
	window  int // generation of last_man_standing's

	tokens  uint64
	lost    bool          // members went without a word
	after   time.Duration // before which this node does not act on the new ring
	holding bool          // its word waits

	// What the checker knows of it.
	ring     messaging.RingID // of the last view
	members  []messaging.NodeID
	ops      int              // ordered operations since that
	ever     messaging.RingID // the last quorate one of this life
	tracked  uint32           // the most that were expected before the start
	moving   bool             // the transitional configuration was there
	standing bool             // counted as quorate when last looked at, on the ring
	stood    messaging.RingID
}

// An operation is an ordered message about votes.
type operation struct {
	Op    string
	Node  messaging.NodeID
	Value uint32
	Ring  uint64
	Info  *quorum.Info
}

func newBallots(n *node, g *groups) *ballots {
	o := n.c.options
	cfg := o.of(n.id)
	cfg.Tracked = n.tracked
	core, err := quorum.New(cfg)
	if err != nil {
		panic(err)
	}
	b := &ballots{n: n, g: g, core: core, lease: quorum.NewLease(o.lease, n.host.Now()), tracked: n.highest}
	if cfg.Device.Name != "" {
		b.device.start(b)
	}
	return b
}

func (b *ballots) act(as []quorum.Action) {
	for _, a := range as {
		switch a := a.(type) {
		case *quorum.StartWindow:
			b.window++
			window := b.window
			b.n.host.After(a.After, func() {
				if b.window == window {
					b.order(operation{Op: "window", Ring: b.n.ring.Seq})
				}
			})
		case *quorum.StopWindow:
			b.window++
		case *quorum.Tell:
			info := b.core.Info()
			b.order(operation{Op: "info", Info: &info})
		case *quorum.Track:
			b.n.tracked = a.Votes
		}
	}
	b.n.c.truth.look(b)
	b.device.observe()
}

// order hands an operation to the ring once that takes it.
func (b *ballots) order(op operation) {
	b.waiting = append(b.waiting, op)
	b.pump()
}

func (b *ballots) pump() {
	if b.pumped {
		return
	}
	b.pumped = true
	b.n.host.After(time.Millisecond, func() {
		b.pumped = false
		if len(b.waiting) > 0 && !b.g.core.Syncing() && b.n.core.Room(1000) {
			body, err := json.Marshal(b.waiting[0])
			if err != nil {
				panic(err)
			}
			b.waiting = b.waiting[1:]
			b.n.step(b.n.message(false, b.g.core.ServiceMessage(body)))
		}
		if len(b.waiting) > 0 {
			b.pump()
		}
	})
}

// tokenSeen renews the lease when the ring has accepted a token.
func (b *ballots) tokenSeen() {
	if !b.lease.On() {
		return
	}
	if n := b.n.core.Stats().TokensReceived; n != b.tokens {
		b.tokens = n
		b.lease.Token(b.n.host.Now())
	}
}

func (b *ballots) transitional(a *totem.ConfChange) {
	before := b.core.Result()
	b.moving = true
	b.act(b.core.Left(a.LeftClean))
	b.n.c.truth.left(b, a.LeftClean, before)
	b.lost = b.lost || slices.ContainsFunc(a.Left, func(id messaging.NodeID) bool { return !slices.Contains(a.LeftClean, id) })
}

// regular decides when this node's word about itself may go out.
func (b *ballots) regular(a *totem.ConfChange) []cpg.Action {
	b.after = b.lease.Install(b.n.host.Now(), b.lost, len(a.Members) == 1)
	b.lost = false
	if b.core.Hopeless(a.Members) || len(a.Members) == len(b.n.c.nodes) {
		b.after = 0
	}
	b.holding = true
	b.device.regular(b, a)
	return b.release()
}

// release gives the word if nothing keeps it any more, or tries again later.
func (b *ballots) release() []cpg.Action {
	if !b.holding || b.device.needs {
		return nil
	}
	if wait := b.after - b.n.host.Now(); wait > 0 {
		ring := b.n.ring
		b.n.host.After(wait, func() {
			if b.n.ring == ring {
				b.send(b.release())
			}
		})
		return nil
	}
	b.holding = false
	info := b.core.Info()
	if !b.lease.Valid(b.n.host.Now()) {
		info.Flags &^= quorum.FlagQuorate
	}
	extra, err := json.Marshal(word{info, b.ever})
	if err != nil {
		panic(err)
	}
	return []cpg.Action{b.g.core.Word(extra)}
}

// send carries out actions of the groups outside of the ring's steps.
func (b *ballots) send(as []cpg.Action) {
	for _, ev := range b.g.act(as) {
		b.n.step(ev)
	}
}

// synced counts the votes of a ring.
func (b *ballots) synced(a *cpg.Synced) {
	infos, words := map[messaging.NodeID]quorum.Info{}, map[messaging.NodeID]word{}
	for id, x := range a.Extras {
		var in word
		if err := json.Unmarshal(x, &in); err != nil {
			panic(err)
		}
		words[id], infos[id] = in, in.Info
	}
	b.device.denied = false
	b.lease.View()
	b.ring, b.members, b.ops, b.moving = a.Ring, a.Members, 0, false
	as := b.core.Synced(a.Ring.Seq, a.Members, infos)
	if b.n.c.trace != nil {
		b.n.tracef("  votes on %v of %v: %+v from %+v", a.Ring, a.Members, b.core.Result(), infos)
	}
	b.n.c.truth.synced(b, words)
	b.act(as)
}

// service carries out an ordered operation.
func (b *ballots) service(s *cpg.Service) {
	var op operation
	if err := json.Unmarshal(s.Body, &op); err != nil {
		panic(err)
	}
	k := b.n.c.truth
	before := b.core.Result().Quorate
	var as []quorum.Action
	switch op.Op {
	case "expected":
		if err := b.core.CheckExpected(op.Value); err == nil {
			as = b.core.SetExpected(op.Value)
			k.kept(b, before, "%d expected votes were asked for", op.Value)
		}
	case "votes":
		if err := b.core.CheckVotes(op.Node, op.Value); err == nil {
			as = b.core.SetVotes(op.Node, op.Value)
			k.kept(b, before, "%d votes for node %d were asked for", op.Value, op.Node)
		}
	case "cancel":
		as = b.core.CancelWaitForAll()
	case "info":
		as = b.core.Update(s.From, *op.Info)
	case "window":
		if op.Ring == b.n.ring.Seq {
			as = b.core.WindowExpired()
			k.expired(b)
		}
	}
	b.ops++
	if b.n.c.trace != nil {
		b.n.tracef("  votes after %+v of %d: %+v", op, s.From, b.core.Result())
	}
	k.counted(b)
	b.act(as)
}

// quorate tells whether the node may act now.
func (b *ballots) quorate() bool {
	return b.core.Result().Quorate && !b.device.denied && b.lease.Valid(b.n.host.Now())
}

// ask lets an administrator ask for something.
func (b *ballots) ask() {
	r := b.n.c.w.Rand()
	n := len(b.n.c.nodes)
	truth := b.n.c.truth
	switch b.n.c.options.admin {
	case "raise":
		if b.core.Result().Quorate {
			truth.asked = true
			b.order(operation{Op: "expected", Value: uint32(n + r.IntN(n))})
		}
	case "lower":
		truth.asked = true
		b.order(operation{Op: "expected", Value: uint32(1 + r.IntN(2*n))})
	case "votes":
		truth.asked = true
		b.order(operation{Op: "votes", Node: messaging.NodeID(1 + r.IntN(n)), Value: uint32(r.IntN(4))})
	case "cancel":
		truth.asked = true
		b.order(operation{Op: "cancel"})
	}
}
