// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package reload

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/messaging"
)

// Bounds of what a vote says.
const (
	MaxFaults = 32  // of one node
	MaxFault  = 512 // bytes of one fault
)

// Errors of a reload, besides [messaging.ErrRefused]. All mean that nothing was
// changed on any node.
var (
	// ErrBusy: another reload is under way.
	ErrBusy = fmt.Errorf("%w: another reload is under way", messaging.ErrAgain)
	// ErrRing: the membership changed, or is changing.
	ErrRing = fmt.Errorf("%w: the membership changed meanwhile, nothing was changed", messaging.ErrAgain)
	// ErrTime: a node did not answer.
	ErrTime = fmt.Errorf("%w: patience ended", messaging.ErrRefused)
)

// A Digest stands for what a file says about the whole cluster.
type Digest [32]byte

// String gives the first bytes, for logs.
func (d Digest) String() string { return hex.EncodeToString(d[:4]) }

// A Stamp says which configuration a node runs: how many changes ago it was read
// first, and its digest.
type Stamp struct {
	Number uint64
	Digest []byte
}

// A Kind tells messages apart.
type Kind uint8

// The kinds of messages.
const (
	Prepare Kind = 1
	Vote    Kind = 2
	Cancel  Kind = 3
)

// A Round names one attempt: who was asked, its count, and the configuration of
// the ring in which it lives.
type Round struct {
	Origin messaging.NodeID
	Count  uint64
	Rep    messaging.NodeID
	Seq    uint64
}

// A Message is one ordered message of a round.
type Message struct {
	Kind   Kind
	Round  Round
	Digest []byte   // of Prepare and Vote; empty where the file is not valid
	Faults []string // of Vote
	// Text is what the origin's file says, so that others can name what differs.
	// It is empty where it would be too long.
	Text []byte
}

// A Result is what the shell found in the node's own file.
type Result struct {
	Digest Digest
	Faults []string // empty where the file is valid
	Text   []byte
}

// An Action is one output of the core.
type Action interface{ action() }

// Read asks for the node's own file; the answer is [Core.Read]. Theirs is the
// origin's Text, empty at the origin itself: where the digests differ the faults
// should tell what does.
type Read struct {
	Round  Round
	Theirs []byte
	Digest []byte // of the origin; empty where its file is not valid
}

// Submit asks to multicast a message in the total order.
type Submit struct{ Message Message }

// Commit applies what was read last: the round, or the catching up, is done.
type Commit struct{ Number uint64 }

// Drop forgets what was read last.
type Drop struct{ Reasons []string }

// Answer ends the call that began the round.
type Answer struct{ Err error }

// Behind asks to read the file because the others run a newer configuration;
// the answer is [Core.Follow].
type Behind struct {
	Node  messaging.NodeID
	Stamp Stamp
}

// Differs reports that this node runs another configuration than one of its
// peers and cannot help it.
type Differs struct{ Node messaging.NodeID }

// Patience asks to call [Core.Expired] for the round after a while.
type Patience struct{ Round Round }

func (*Read) action()     {}
func (*Submit) action()   {}
func (*Commit) action()   {}
func (*Drop) action()     {}
func (*Answer) action()   {}
func (*Behind) action()   {}
func (*Differs) action()  {}
func (*Patience) action() {}

// A Core is one node's part. It is not safe for concurrent use.
type Core struct {
	self    messaging.NodeID
	stamp   Stamp
	high    uint64 // highest number of the members
	ring    messaging.RingID
	members []messaging.NodeID // empty while the ring changes
	count   uint64

	asked *Round // what a local caller waits for
	own   Result // what this node read for it
	open  *Round // prepared on all members
	votes map[messaging.NodeID]Message
	catch *Stamp // read again for this
}

// New makes the core of a node that runs a configuration with that digest.
func New(self messaging.NodeID, running Digest) *Core {
	return &Core{self: self, stamp: Stamp{Digest: running[:]}}
}

// Stamp is what this node tells the others.
func (c *Core) Stamp() Stamp { return c.stamp }

// Ask begins a round for a local caller.
func (c *Core) Ask() []Action {
	switch {
	case c.asked != nil || c.open != nil || c.catch != nil:
		return []Action{&Answer{ErrBusy}}
	case len(c.members) == 0:
		return []Action{&Answer{ErrRing}}
	}
	c.count++
	c.asked = &Round{Origin: c.self, Count: c.count, Rep: c.ring.Rep, Seq: c.ring.Seq}
	return []Action{&Read{Round: *c.asked}}
}

// Wants tells whether a file read for the round is still of use. The shell
// prepares what it read only then, and hands it over with [Core.Read].
func (c *Core) Wants(r Round) bool {
	return c.open != nil && *c.open == r && !c.voted(c.self) || c.open == nil && c.asked != nil && *c.asked == r
}

// Read takes what the shell found in the node's own file.
func (c *Core) Read(r Round, res Result) []Action {
	switch {
	case !c.Wants(r):
		return nil
	case c.open != nil:
		return []Action{&Submit{vote(r, res)}}
	}
	c.own = res
	m := Message{Kind: Prepare, Round: r, Text: res.Text}
	if len(res.Faults) == 0 {
		m.Digest = res.Digest[:]
	}
	return []Action{&Submit{m}, &Patience{r}}
}

func vote(r Round, res Result) Message {
	m := Message{Kind: Vote, Round: r}
	for _, f := range res.Faults[:min(len(res.Faults), MaxFaults)] {
		m.Faults = append(m.Faults, strings.ToValidUTF8(f[:min(len(f), MaxFault)], ""))
	}
	if len(m.Faults) == 0 {
		m.Digest = res.Digest[:]
	}
	return m
}

// Deliver takes one ordered message.
func (c *Core) Deliver(from messaging.NodeID, m Message) []Action {
	if m.Round.Rep != c.ring.Rep || m.Round.Seq != c.ring.Seq || !slices.Contains(c.members, from) {
		return nil // of a configuration that is gone: it counts nowhere
	}
	switch m.Kind {
	case Prepare:
		return c.prepare(from, m)
	case Vote:
		if c.open == nil || m.Round != *c.open || c.voted(from) {
			return nil
		}
		m.Faults = m.Faults[:min(len(m.Faults), MaxFaults)]
		c.votes[from] = m
		if len(c.votes) == len(c.members) {
			return c.decide()
		}
	case Cancel:
		if c.open != nil && m.Round == *c.open && from == m.Round.Origin {
			return c.end(fmt.Errorf("%w: %s did not answer", ErrTime, c.silent()), nil)
		}
	}
	return nil
}

// prepare opens a round, at all members alike.
func (c *Core) prepare(from messaging.NodeID, m Message) []Action {
	if from != m.Round.Origin {
		return nil
	}
	mine := c.asked != nil && *c.asked == m.Round
	if c.open != nil {
		if !mine {
			return nil
		}
		c.asked = nil
		return []Action{&Answer{ErrBusy}}
	}
	c.catch = nil // the round brings what was missed
	c.open, c.votes = &m.Round, map[messaging.NodeID]Message{}
	if mine {
		return []Action{&Submit{vote(m.Round, c.own)}}
	}
	out := []Action{&Read{Round: m.Round, Theirs: m.Text, Digest: m.Digest}}
	if c.asked != nil { // the other one was first
		c.asked = nil
		out = append(out, &Answer{ErrBusy})
	}
	return out
}

func (c *Core) voted(id messaging.NodeID) bool {
	_, ok := c.votes[id]
	return ok
}

func (c *Core) silent() string {
	var out []string
	for _, id := range c.members {
		if !c.voted(id) {
			out = append(out, fmt.Sprintf("node %d", id))
		}
	}
	return strings.Join(out, ", ")
}

// decide ends a round in which everybody voted.
func (c *Core) decide() []Action {
	var reasons []string
	first := c.votes[c.open.Origin]
	for _, id := range c.members {
		v := c.votes[id]
		for _, f := range v.Faults {
			reasons = append(reasons, fmt.Sprintf("node %d: %s", id, f))
		}
		if len(v.Faults) == 0 && len(first.Faults) == 0 && !bytes.Equal(v.Digest, first.Digest) {
			reasons = append(reasons, fmt.Sprintf("node %d: the file differs from that of node %d", id, c.open.Origin))
		}
	}
	if len(reasons) > 0 {
		return c.end(fmt.Errorf("%w:\n%s", messaging.ErrRefused, strings.Join(reasons, "\n")), reasons)
	}
	c.high++
	c.stamp = Stamp{Number: c.high, Digest: slices.Clone(first.Digest)}
	out := []Action{&Commit{c.stamp.Number}}
	if c.asked != nil && *c.asked == *c.open {
		out = append(out, &Answer{})
		c.asked = nil
	}
	c.open, c.votes = nil, nil
	return out
}

// end gives a round up.
func (c *Core) end(err error, reasons []string) []Action {
	if reasons == nil {
		reasons = []string{err.Error()}
	}
	var out []Action
	if c.open != nil || c.asked != nil || c.catch != nil {
		out = append(out, &Drop{reasons})
	}
	if c.asked != nil && (c.open == nil || *c.asked == *c.open) {
		out = append(out, &Answer{err})
		c.asked = nil
	}
	c.open, c.votes, c.catch = nil, nil, nil
	return out
}

// Expired tells that the patience with a round is at its end.
func (c *Core) Expired(r Round) []Action {
	switch {
	case c.open != nil && *c.open == r:
		return []Action{&Submit{Message{Kind: Cancel, Round: r}}}
	case c.asked != nil && *c.asked == r:
		// Its Prepare may still be on its way: the Cancel that follows ends the
		// round that it opens.
		c.asked = nil
		return []Action{&Submit{Message{Kind: Cancel, Round: r}}, &Drop{}, &Answer{fmt.Errorf("%w: the ring took no message", ErrTime)}}
	}
	return nil
}

// Changing tells that the ring has a new configuration that is not synchronised
// yet: an open round is over.
func (c *Core) Changing(ring messaging.RingID) []Action {
	c.ring, c.members = ring, nil
	return c.end(ErrRing, nil)
}

// Synced tells that the configuration of the ring is in force, and what each
// member told.
func (c *Core) Synced(ring messaging.RingID, members []messaging.NodeID, stamps map[messaging.NodeID]Stamp) []Action {
	c.ring, c.members = ring, slices.Sorted(slices.Values(members))
	best, at := c.stamp, c.self
	for _, id := range c.members {
		if s, ok := stamps[id]; ok && s.Number > best.Number {
			best, at = s, id
		}
	}
	c.high = best.Number
	switch {
	case bytes.Equal(best.Digest, c.stamp.Digest):
		c.stamp.Number = best.Number
	case at != c.self:
		c.catch = &best
		return []Action{&Behind{Node: at, Stamp: best}}
	}
	for _, id := range c.members {
		if s, ok := stamps[id]; ok && s.Number == c.stamp.Number && !bytes.Equal(s.Digest, c.stamp.Digest) {
			return []Action{&Differs{Node: id}}
		}
	}
	return nil
}

// Catching tells whether the answer to b is still of use.
func (c *Core) Catching(b Behind) bool {
	return c.catch != nil && c.catch.Number == b.Stamp.Number && bytes.Equal(c.catch.Digest, b.Stamp.Digest)
}

// Follow takes the file that was read because this node is behind.
func (c *Core) Follow(b Behind, res Result) []Action {
	if !c.Catching(b) {
		return nil // a round, or another configuration, came between
	}
	c.catch = nil
	if len(res.Faults) > 0 || !bytes.Equal(res.Digest[:], b.Stamp.Digest) {
		return []Action{&Drop{}, &Differs{Node: b.Node}}
	}
	c.stamp = b.Stamp
	return []Action{&Commit{b.Stamp.Number}}
}

// Open tells whether a round is under way here, for the map.
func (c *Core) Open() bool { return c.open != nil || c.asked != nil }
