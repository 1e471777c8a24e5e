// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package quorum

import (
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/messaging"
)

// Errors of requests.
var (
	// ErrVotes: the number asked for would make the cluster inquorate or is
	// below the votes that are present.
	ErrVotes = fmt.Errorf("%w: expected votes out of range", messaging.ErrInvalid)
)

// MaxVotes bounds the votes of one node and the expected votes.
const MaxVotes = 1 << 20

// DefaultWindow is the time that last_man_standing waits after a loss before it
// lowers the expected votes.
const DefaultWindow = 10 * time.Second

// Config is the quorum section of corosync.conf as this node reads it.
type Config struct {
	Self          messaging.NodeID
	Votes         uint32
	ExpectedVotes uint32
	// TwoNode makes one vote of two enough; it implies WaitForAll unless that is
	// set to false on purpose.
	TwoNode bool
	// WaitForAll withholds quorum after a start until all nodes were seen once.
	WaitForAll bool
	// AutoTieBreaker lets half the votes suffice on the side of TieBreakers (the
	// first of them that is present decides), or of the lowest node.
	AutoTieBreaker bool
	TieBreakers    []messaging.NodeID
	TieHighest     bool
	// LastManStanding lowers the expected votes after Window, as long as the
	// partition stays quorate.
	LastManStanding bool
	Window          time.Duration
	// AllowDownscale lowers the expected votes when a node leaves cleanly.
	AllowDownscale bool
	// Off counts nothing: every partition is quorate, as with corosync without a
	// quorum provider.
	Off bool
}

// Normalize applies what options imply and switches off what cannot work
// together; the texts say what it changed.
func (c Config) Normalize() (Config, []string) {
	var notes []string
	if c.TwoNode && c.AutoTieBreaker {
		c.TwoNode = false
		notes = append(notes, "two_node and auto_tie_breaker exclude each other: two_node is off")
	}
	if c.AutoTieBreaker && c.ExpectedVotes%2 == 1 && !c.WaitForAll {
		c.AutoTieBreaker = false
		notes = append(notes, "auto_tie_breaker with an odd number of votes needs wait_for_all: auto_tie_breaker is off")
	}
	if c.LastManStanding && c.Votes > 1 {
		c.LastManStanding = false
		notes = append(notes, "last_man_standing needs one vote per node: it is off")
	}
	if c.Window == 0 {
		c.Window = DefaultWindow
	}
	return c, notes
}

// Info is what a node tells of itself after each change of the membership.
type Info struct {
	Votes    uint32
	Expected uint32
	Flags    Flags
	// Tie is the node that decides a tie, as of when the sender was last
	// quorate; 0 is none.
	Tie messaging.NodeID
}

// Flags of a node's state, with votequorum's bits.
type Flags uint32

// The flags.
const (
	FlagQuorate    Flags = 1
	FlagLeaving    Flags = 2
	FlagWaitForAll Flags = 4 // wait_for_all is not satisfied yet
	FlagFirst      Flags = 8 // not yet in a membership of more than one
)

// Result is what the core decided.
type Result struct {
	Quorate       bool
	ExpectedVotes uint32
	Highest       uint32
	TotalVotes    uint32
	Quorum        uint32
	WaitForAll    bool
	Flags         []string
	Nodes         map[messaging.NodeID]uint32 // votes of the members
}

// An Action is one output: *StartWindow, *StopWindow, *Waiting.
type Action interface{ action() }

// StartWindow asks to call [Core.WindowExpired] after a time.
type StartWindow struct{ After time.Duration }

// StopWindow cancels that.
type StopWindow struct{}

// Waiting tells that wait_for_all withholds quorum.
type Waiting struct{ Total, Expected uint32 }

func (*StartWindow) action() {}
func (*StopWindow) action()  {}
func (*Waiting) action()     {}

// A Core holds the votes of one node's view. It is not safe for concurrent use.
type Core struct {
	cfg     Config
	nodes   map[messaging.NodeID]*node
	members []messaging.NodeID
	quorate bool
	quorum  uint32
	wfa     bool // quorum is withheld until all were seen
	first   bool
	leaving bool
	tieNode messaging.NodeID // who decides a tie, chosen when last quorate
	tie     messaging.NodeID // what the quorate members of this view agree on
}

type node struct {
	info   Info
	member bool
}

// New makes a core in which only this node is known.
func New(cfg Config) (*Core, error) {
	if cfg.Self == 0 || cfg.Votes > MaxVotes || cfg.ExpectedVotes > MaxVotes {
		return nil, fmt.Errorf("quorum: node %d has %d votes of %d expected: at most %d are possible", cfg.Self, cfg.Votes, cfg.ExpectedVotes, MaxVotes)
	}
	if cfg.ExpectedVotes == 0 {
		cfg.ExpectedVotes = max(cfg.Votes, 1)
	}
	c := &Core{cfg: cfg, nodes: map[messaging.NodeID]*node{}, wfa: cfg.WaitForAll, first: true, quorate: cfg.Off}
	c.nodes[cfg.Self] = &node{info: Info{Votes: cfg.Votes, Expected: cfg.ExpectedVotes}, member: true}
	c.members = []messaging.NodeID{cfg.Self}
	return c, nil
}

// Info is what this node has to tell the others now.
func (c *Core) Info() Info {
	in := c.nodes[c.cfg.Self].info
	in.Flags, in.Tie = 0, c.tieNode
	if c.quorate {
		in.Flags |= FlagQuorate
	}
	if c.wfa {
		in.Flags |= FlagWaitForAll
	}
	if c.first {
		in.Flags |= FlagFirst
	}
	if c.leaving {
		in.Flags |= FlagLeaving
	}
	return in
}

// Synced installs a membership with what each member told. Members whose info
// is missing count with what was known of them.
func (c *Core) Synced(members []messaging.NodeID, infos map[messaging.NodeID]Info) []Action {
	var out []Action
	lost := false
	for id, n := range c.nodes {
		now := slices.Contains(members, id)
		lost = lost || n.member && !now
		n.member = now
	}
	c.members = slices.Clone(members)
	slices.Sort(c.members)
	downscale := false
	if len(members) > 1 {
		c.first = false
	}
	iWasQuorate := c.quorate
	for _, id := range c.members {
		in, ok := infos[id]
		if !ok {
			in = Info{Votes: 1, Expected: c.cfg.ExpectedVotes}
			if old := c.nodes[id]; old != nil {
				in = old.info
			}
		}
		downscale = c.take(id, in, iWasQuorate) || downscale
	}
	c.levelExpected()
	c.tie = agreedTie(infos)
	out = c.recalculate(out, downscale, false)
	if c.cfg.LastManStanding && lost && c.quorate {
		out = append(out, &StartWindow{c.cfg.Window})
	}
	return out
}

// take stores one member's info and tells whether the quorum may be lowered.
func (c *Core) take(id messaging.NodeID, in Info, iWasQuorate bool) (decrease bool) {
	in.Votes, in.Expected = min(in.Votes, MaxVotes), min(in.Expected, MaxVotes)
	n := c.nodes[id]
	if n == nil {
		n = &node{}
		c.nodes[id] = n
	}
	n.info, n.member = in, in.Flags&FlagLeaving == 0
	self := c.nodes[c.cfg.Self]
	if in.Flags&FlagQuorate != 0 && !iWasQuorate && id != c.cfg.Self {
		// Learn from the side that is quorate: an administrator may have changed
		// the number while this node was away.
		self.info.Expected = in.Expected
		decrease = true
	}
	if c.cfg.WaitForAll && in.Flags&FlagQuorate != 0 && in.Flags&FlagWaitForAll == 0 && id != c.cfg.Self {
		c.wfa = false
	}
	if in.Flags&FlagLeaving != 0 && c.cfg.AllowDownscale {
		decrease = true
	}
	return decrease
}

// levelExpected makes inquorate members count with the expectation of this node.
func (c *Core) levelExpected() {
	own := c.nodes[c.cfg.Self].info.Expected
	for _, n := range c.nodes {
		if n.member && n.info.Flags&FlagQuorate == 0 {
			n.info.Expected = own
		}
	}
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
	return c.recalculate(nil, true, true)
}

// SetLeaving makes this node's next info say that it leaves for good.
func (c *Core) SetLeaving() { c.leaving = true }

// WindowExpired is the end of last_man_standing's wait.
func (c *Core) WindowExpired() []Action {
	if !c.quorate {
		return nil
	}
	return c.recalculate(nil, true, true)
}

// CancelWaitForAll releases quorum that wait_for_all withholds.
func (c *Core) CancelWaitForAll() []Action {
	c.wfa = false
	return c.recalculate(nil, false, false)
}

// CheckExpected tells whether the expected votes may be set to v.
func (c *Core) CheckExpected(v uint32) error {
	total, _ := c.total()
	if v < total {
		return fmt.Errorf("%w: %d is below the %d votes that are present", ErrVotes, v, total)
	}
	if v > MaxVotes {
		return fmt.Errorf("%w: at most %d", ErrVotes, MaxVotes)
	}
	if c.quorate && total < max((v+2)/2, (total+2)/2) && !c.twoNodeNow() {
		return fmt.Errorf("%w: with %d this quorate partition of %d votes would lose quorum", ErrVotes, v, total)
	}
	return nil
}

// SetExpected changes the expected votes; the request came in the total order,
// so that all members do it at the same place.
func (c *Core) SetExpected(v uint32) []Action {
	if v == 0 || v > MaxVotes {
		return nil
	}
	c.cfg.ExpectedVotes = v
	for _, n := range c.nodes {
		n.info.Expected = v
	}
	return c.recalculate(nil, true, false)
}

// SetVotes changes the votes of one node, in the total order.
func (c *Core) SetVotes(id messaging.NodeID, votes uint32) []Action {
	n := c.nodes[id]
	if n == nil || votes > MaxVotes {
		return nil
	}
	n.info.Votes = votes
	return c.recalculate(nil, true, false)
}

func (c *Core) total() (votes, nodes uint32) {
	for _, n := range c.nodes {
		if n.member {
			votes += n.info.Votes
			nodes++
		}
	}
	return votes, nodes
}

func (c *Core) highest() (high uint32) {
	for _, n := range c.nodes {
		if n.member {
			high = max(high, n.info.Expected)
		}
	}
	return high
}

func (c *Core) twoNodeNow() bool {
	_, nodes := c.total()
	return c.cfg.TwoNode && nodes <= 2
}

// recalculate sets expected votes, quorum and whether it is reached. decrease
// allows the quorum to sink; byNodes takes the members' number as expectation.
func (c *Core) recalculate(out []Action, decrease, byNodes bool) []Action {
	if c.cfg.Off {
		c.quorate = true
		return out
	}
	total, nodes := c.total()
	self := c.nodes[c.cfg.Self]
	if total > self.info.Expected {
		self.info.Expected = total
	}
	high := c.highest()
	if byNodes {
		high = nodes
		for _, n := range c.nodes {
			if n.member {
				n.info.Expected = high
			}
		}
	}
	q := max((high+2)/2, (total+2)/2)
	if !decrease {
		q = max(q, c.quorum)
	}
	if c.cfg.TwoNode && nodes <= 2 {
		q = 1
	}
	c.quorum = q
	return c.decide(out, total)
}

func (c *Core) decide(out []Action, total uint32) []Action {
	self := c.nodes[c.cfg.Self]
	if c.cfg.WaitForAll && c.wfa {
		if total != self.info.Expected {
			c.quorate = false
			return append(out, &Waiting{total, self.info.Expected})
		}
		c.wfa = false
	}
	ok := c.quorum <= total || c.tieWon(total)
	if c.cfg.WaitForAll {
		c.wfa = !ok
	}
	c.quorate = ok
	if ok {
		c.tieNode = c.tieBreaker()
		c.tie = c.tieNode
	}
	return out
}

// agreedTie is the tie breaker that those members name who were quorate until
// now. Only one partition is quorate at a time, so they differ only when one of
// them missed a view; then nobody wins a tie. (corosync asks each node's own
// memory, and counts half of an odd number as half. Both let two partitions be
// quorate at once: nodes 2, 3, 4 of four run on without 1, so that 2 breaks
// ties; then 2, 3 part from 4, which meets 1, who still thinks that it does.)
func agreedTie(infos map[messaging.NodeID]Info) (tie messaging.NodeID) {
	for _, in := range infos {
		if in.Flags&FlagQuorate == 0 {
			continue
		}
		if in.Tie == 0 || tie != 0 && tie != in.Tie {
			return 0
		}
		tie = in.Tie
	}
	return tie
}

// tieWon tells whether exactly half the votes are here and the tie breaker too.
func (c *Core) tieWon(total uint32) bool {
	return c.cfg.AutoTieBreaker && c.tie != 0 && 2*total == c.nodes[c.cfg.Self].info.Expected && slices.Contains(c.members, c.tie)
}

// tieBreaker chooses among the members: the first of the list, or the extreme.
func (c *Core) tieBreaker() messaging.NodeID {
	for _, id := range c.cfg.TieBreakers {
		if slices.Contains(c.members, id) {
			return id
		}
	}
	switch {
	case len(c.cfg.TieBreakers) > 0:
		return 0
	case c.cfg.TieHighest:
		return slices.Max(c.members)
	}
	return slices.Min(c.members)
}

// Result describes the present decision.
func (c *Core) Result() Result {
	total, _ := c.total()
	r := Result{
		Quorate: c.quorate, ExpectedVotes: c.nodes[c.cfg.Self].info.Expected, Highest: c.highest(), TotalVotes: total,
		Quorum: c.quorum, WaitForAll: c.wfa && c.cfg.WaitForAll, Nodes: map[messaging.NodeID]uint32{},
	}
	for id, n := range c.nodes {
		if n.member {
			r.Nodes[id] = n.info.Votes
		}
	}
	for _, f := range []struct {
		on   bool
		name string
	}{
		{c.cfg.TwoNode, "2Node"},
		{c.quorate, "Quorate"},
		{c.cfg.WaitForAll, "WaitForAll"},
		{c.cfg.LastManStanding, "LastManStanding"},
		{c.cfg.AutoTieBreaker, "AutoTieBreaker"},
		{c.cfg.AllowDownscale, "AllowDownscale"},
	} {
		if f.on {
			r.Flags = append(r.Flags, f.name)
		}
	}
	return r
}
