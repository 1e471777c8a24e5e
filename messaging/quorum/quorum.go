// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package quorum

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/messaging"
)

// Errors of requests.
var (
	// ErrVotes: the number asked for would make the cluster inquorate or is
	// below the votes that are present.
	ErrVotes = fmt.Errorf("%w: votes out of range", messaging.ErrInvalid)
)

// A Core holds the votes of one node's view. It is not safe for concurrent use.
type Core struct {
	cfg     Config
	nodes   map[messaging.NodeID]*node
	members []messaging.NodeID
	quorate bool
	quorum  uint32
	// expected is what this node remembers; what it counts with in this view
	// stands in nodes.
	expected uint32
	barrier  uint32 // downscaling does not go below
	tracked  uint32 // highest expected votes ever
	wfa      bool   // quorum is withheld until all were seen
	first    bool
	leaving  bool
	window   bool             // last_man_standing waits
	device   Flags            // of this node, as of now; others know what was ordered
	between  bool             // the ring has changed and its members have not told yet
	tieNode  messaging.NodeID // who decides a tie, chosen when last quorate
	epoch    uint64           // of tieNode
	tie      messaging.NodeID // what the latest quorate view known here says
	ring     uint64           // number of this view's ring
	base     uint64           // epoch at which the expected votes were lowered
	full     uint32           // expected votes as configured at the start
	inside   electorate       // what the members of this view owe to base
	settling bool             // after a reload: votes above the configured ones may go
}

type node struct {
	info   Info
	member bool
}

// New makes a core in which only this node is known.
func New(cfg Config) (*Core, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	if cfg.ExpectedVotes == 0 {
		cfg.ExpectedVotes = max(cfg.Votes, 1)
	}
	c := &Core{
		cfg: cfg, nodes: map[messaging.NodeID]*node{}, wfa: cfg.WaitForAll, first: true, quorate: cfg.Off,
		barrier: cfg.ExpectedVotes, full: cfg.ExpectedVotes, tracked: cfg.Tracked,
	}
	expected := cfg.ExpectedVotes
	if cfg.Tracking {
		expected = max(expected, cfg.Tracked)
	}
	c.expected = expected
	c.nodes[cfg.Self] = &node{info: Info{Votes: cfg.Votes, Expected: expected}, member: true}
	c.members = []messaging.NodeID{cfg.Self}
	c.device = registered(cfg.Device)
	return c, nil
}

// registered are the flags of a device that did not say anything yet.
func registered(d Device) (f Flags) {
	if d.Name == "" {
		return 0
	}
	if d.MasterWins {
		f = FlagDeviceMasterWins
	}
	return f | FlagDeviceRegistered
}

// Info is what this node has to tell the others now.
func (c *Core) Info() Info {
	in := c.nodes[c.cfg.Self].info
	in.Flags, in.Tie, in.Epoch = c.device, c.tieNode, c.epoch
	in.Base, in.Expected = c.base, c.expected
	for _, f := range []struct {
		on  bool
		bit Flags
	}{{c.quorate, FlagQuorate}, {c.wfa, FlagWaitForAll}, {c.first, FlagFirst}, {c.leaving, FlagLeaving}} {
		if f.on {
			in.Flags |= f.bit
		}
	}
	return in
}

// Synced installs the membership of the ring numbered seq, with what each member
// told. Members whose info is missing count with what was known of them.
func (c *Core) Synced(seq uint64, members []messaging.NodeID, infos map[messaging.NodeID]Info) []Action {
	var out []Action
	lost := false
	for id, n := range c.nodes {
		now := slices.Contains(members, id)
		lost = lost || n.member && !now
		n.member = now
	}
	c.members, c.settling = slices.Clone(members), false
	slices.Sort(c.members)
	if len(members) > 1 {
		c.first = false
	}
	for _, id := range c.members {
		in, ok := infos[id]
		if !ok {
			in = Info{Votes: 1, Expected: c.cfg.ExpectedVotes}
			if old := c.nodes[id]; old != nil {
				in = old.info
			}
		}
		c.take(id, in)
	}
	c.ring, c.between = seq, false
	c.learn()
	out = c.recalculate(out, false)
	switch {
	case c.cfg.LastManStanding && (lost || c.window) && c.quorate:
		c.window = true
		out = append(out, &StartWindow{c.cfg.Window})
	case c.window && !c.quorate:
		c.window = false
		out = append(out, &StopWindow{})
	}
	return out
}

// take stores one member's info.
func (c *Core) take(id messaging.NodeID, in Info) {
	in.Votes, in.Expected = min(in.Votes, MaxVotes), min(in.Expected, MaxVotes)
	n := c.nodes[id]
	if n == nil {
		n = &node{}
		c.nodes[id] = n
	}
	n.info, n.member = in, in.Flags&FlagLeaving == 0
	if c.cfg.LastManStanding && in.Votes > 1 {
		c.cfg.LastManStanding = false // it counts nodes for votes
	}
}

// Update takes what a member told outside a change of the membership, in the
// total order: the flags of its device.
func (c *Core) Update(from messaging.NodeID, in Info) []Action {
	n := c.nodes[from]
	if n == nil || !slices.Contains(c.members, from) {
		return nil
	}
	n.info.Flags, n.info.Votes = in.Flags, min(in.Votes, MaxVotes)
	if c.settling && c.configuredAgain() {
		c.settling = false
		return c.SetExpected(c.cfg.ExpectedVotes)
	}
	return c.recalculate(nil, false)
}

// configuredAgain tells whether votes that a reload took back were all that
// raised the expected votes above those of the configuration.
func (c *Core) configuredAgain() bool {
	votes, _ := c.nodeVotes()
	if c.device&FlagDeviceRegistered != 0 {
		votes += c.cfg.Device.Votes
	}
	return votes <= c.cfg.ExpectedVotes && c.nodes[c.cfg.Self].info.Expected > c.cfg.ExpectedVotes
}

// Left notes that nodes announced their departure.
func (c *Core) Left(ids []messaging.NodeID) []Action {
	if !c.cfg.AllowDownscale || len(ids) == 0 {
		return nil
	}
	for _, id := range ids {
		if n := c.nodes[id]; n != nil {
			n.member = false
		}
	}
	before := c.nodes[c.cfg.Self].info.Expected
	return c.rebased(before, c.recalculate(nil, true))
}

// SetLeaving makes this node's next info say that it leaves for good.
func (c *Core) SetLeaving() { c.leaving = true }

// WindowExpired is the end of last_man_standing's wait, in the total order.
// Those who get it in one membership lower their expectation to it alike.
func (c *Core) WindowExpired() []Action {
	c.window = false
	if !c.quorate || !c.cfg.LastManStanding {
		return nil
	}
	before := c.nodes[c.cfg.Self].info.Expected
	return c.rebased(before, c.recalculate(nil, true))
}

// CancelWaitForAll releases quorum that wait_for_all withholds.
func (c *Core) CancelWaitForAll() []Action {
	c.wfa = false
	return c.recalculate(nil, false)
}

// Poll takes the device's word of this moment: whether it gives its vote to this
// node. The device is alive from then on.
func (c *Core) Poll(cast bool) []Action {
	next := c.device | FlagDeviceAlive
	if cast {
		next |= FlagDeviceCast
	} else {
		next &^= FlagDeviceCast
	}
	return c.setDevice(next)
}

// DeviceStale takes the vote away because the ring has changed: the device gave
// it to the members before. Nothing is counted anew until those of now have told
// what they have.
func (c *Core) DeviceStale() {
	c.device &^= FlagDeviceCast
	c.between = true
}

// DeviceAnswered takes the device's word between rings, where nothing is counted:
// this node tells it with the rest.
func (c *Core) DeviceAnswered(cast bool) {
	if c.device&FlagDeviceRegistered == 0 {
		return
	}
	c.device = (c.device | FlagDeviceAlive) &^ FlagDeviceCast
	if cast {
		c.device |= FlagDeviceCast
	}
}

// DeviceLost takes the vote away: the device did not poll in time.
func (c *Core) DeviceLost() []Action {
	return c.setDevice(c.device &^ (FlagDeviceAlive | FlagDeviceCast))
}

// Unregister takes the device out for good (corosync-quorumtool -f).
func (c *Core) Unregister() []Action {
	return c.setDevice(0)
}

func (c *Core) setDevice(f Flags) []Action {
	if c.cfg.Device.Name == "" || c.device&FlagDeviceRegistered == 0 || f == c.device {
		return nil
	}
	gained := f&^c.device&FlagDeviceCast != 0
	c.device = f
	if c.between && gained {
		// The vote is for the next ring and must not be counted with the members
		// of the last one: node 2 is alone, meets 1, 3 and 4 who have quorum, the
		// device gives its vote to the ring of all four, and before these have
		// told who they are node 2 would be quorate by itself.
		return []Action{&Tell{}}
	}
	return c.recalculate([]Action{&Tell{}}, false)
}

// DeviceAlive tells whether the device polls.
func (c *Core) DeviceAlive() bool { return c.device&FlagDeviceAlive != 0 }

// DeviceDecides tells whether the device's vote makes the difference between
// quorum and none for a partition of these members, with the votes known.
func (c *Core) DeviceDecides(members []messaging.NodeID) bool {
	if c.device&FlagDeviceRegistered == 0 || c.cfg.Off {
		return false
	}
	votes := c.votesOf(members)
	need := (c.expected + 2) / 2
	return votes < need && (c.cfg.Device.MasterWins || votes+c.cfg.Device.Votes >= need)
}

// Hopeless tells whether a partition of these members cannot have quorum, with
// the votes known, whatever the device says.
func (c *Core) Hopeless(members []messaging.NodeID) bool {
	if c.cfg.Off || c.cfg.TwoNode || c.cfg.Device.MasterWins {
		return false
	}
	return 2*(c.votesOf(members)+c.cfg.Device.Votes) < c.expected
}

// votesOf counts the votes of nodes; one that was never seen counts one.
func (c *Core) votesOf(members []messaging.NodeID) (votes uint32) {
	for _, id := range members {
		if n := c.nodes[id]; n != nil {
			votes += n.info.Votes
		} else {
			votes++
		}
	}
	return votes
}

// CheckExpected tells whether the expected votes may be set to v. It looks at
// what is known in the total order alone, so that all members answer alike.
func (c *Core) CheckExpected(v uint32) error {
	total := c.orderedTotal()
	if v < total || v == 0 {
		return fmt.Errorf("%w: %d expected are below the %d that are present", ErrVotes, v, total)
	}
	if v > MaxVotes {
		return fmt.Errorf("%w: at most %d", ErrVotes, MaxVotes)
	}
	if c.quorate && total < max((v+2)/2, (total+2)/2) && !c.twoNodeNow() {
		return fmt.Errorf("%w: with %d expected this quorate partition of %d votes would lose quorum", ErrVotes, v, total)
	}
	return nil
}

// SetExpected changes the expected votes; the request came in the total order,
// so that all members do it at the same place.
func (c *Core) SetExpected(v uint32) []Action {
	if v == 0 || v > MaxVotes {
		return nil
	}
	before := c.nodes[c.cfg.Self].info.Expected
	c.cfg.ExpectedVotes, c.barrier = v, v
	if c.cfg.Tracking {
		v = max(v, c.tracked)
	}
	c.expect(v)
	if v < before {
		c.base, c.inside = 0, electorate{} // at the administrator's word
	}
	return c.rebased(before, c.recalculate(nil, false))
}

// CheckVotes tells whether a node may have that many votes.
func (c *Core) CheckVotes(id messaging.NodeID, votes uint32) error {
	n := c.nodes[id]
	switch {
	case n == nil:
		return fmt.Errorf("%w: node %d was never seen", messaging.ErrNoNode, id)
	case votes > MaxVotes:
		return fmt.Errorf("%w: at most %d", ErrVotes, MaxVotes)
	}
	total := c.orderedTotal()
	if n.member {
		total = total - n.info.Votes + votes
	}
	if need := max((c.highest()+2)/2, (total+2)/2); need > total && !c.twoNodeNow() {
		return fmt.Errorf("%w: with %d votes of node %d the %d present would not reach the quorum of %d", ErrVotes, votes, id, total, need)
	}
	return nil
}

// SetVotes changes the votes of one node, in the total order.
func (c *Core) SetVotes(id messaging.NodeID, votes uint32) []Action {
	n := c.nodes[id]
	if n == nil || votes > MaxVotes {
		return nil
	}
	n.info.Votes = votes
	if id == c.cfg.Self {
		c.cfg.Votes = votes
	}
	if votes > 1 {
		c.cfg.LastManStanding = false
	}
	return c.recalculate(nil, false)
}

// Reconfigure takes those options of a new configuration that may change while
// the daemon runs: the votes, the expected votes, the device, two_node and with it
// the wait_for_all that it implies. It comes in the total order. More votes than
// the configuration gives may have raised the expected votes; these go back when
// the members have told that they have the configured votes again.
func (c *Core) Reconfigure(cfg Config) []Action {
	cfg, _ = cfg.Normalize()
	if cfg.validate() != nil || cfg.ExpectedVotes == 0 {
		return nil
	}
	if c.cfg.TwoNode != cfg.TwoNode {
		if c.cfg.WaitForAll != cfg.WaitForAll {
			c.cfg.WaitForAll = cfg.WaitForAll
			c.wfa = false
		}
		c.cfg.TwoNode = cfg.TwoNode
	}
	if c.cfg.Device != cfg.Device {
		c.cfg.Device = cfg.Device
		c.device = registered(cfg.Device)
	}
	c.full = cfg.ExpectedVotes
	self := c.nodes[c.cfg.Self]
	changed := c.cfg.ExpectedVotes != cfg.ExpectedVotes
	c.cfg.Votes, self.info.Votes = cfg.Votes, cfg.Votes
	c.settling = true
	out := []Action{&Tell{}}
	if changed {
		return append(out, c.SetExpected(cfg.ExpectedVotes)...)
	}
	return c.recalculate(out, false)
}
