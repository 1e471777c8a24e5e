// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package link

import (
	"math/bits"
	"slices"

	"github.com/quorate/quorate/messaging"
)

// A Mode says how several links to a peer are used.
type Mode uint8

// The modes.
const (
	// Passive sends on one link: of the good ones that of the highest priority,
	// of equal ones the lowest.
	Passive Mode = iota
	// Active sends each packet on all links; the first to arrive counts.
	Active
	// RoundRobin sends on the good links in turn.
	RoundRobin
)

// MaxLinks bounds the links of a node; their numbers are less.
const MaxLinks = 8

// DefaultPriority is the priority of a link that none is set for.
const DefaultPriority = 1

// turnLen is how many packets go over one link before it is the next one's
// turn: packets that go together cost less.
const turnLen = 16

// The state of a path orders the links to a peer for sending.
type rank uint8

const (
	silent rank = iota // nothing is heard
	oneWay             // heard, but the peer does not hear us, or no longer for sure
	lossy              // heard both ways, many heartbeats are lost
	good               // heard both ways, hardly any are lost
)

// Bounds of what counts as a good link. A link that has lost heartbeats has to
// show for a while that it loses none any more.
const (
	qualityBeats = 32 // heartbeats that are judged
	maxLost      = 4  // a good link stays one
	maxLostNew   = 1  // a link becomes a good one
	minBeats     = 16 // … after so many
)

// quality counts the heartbeats of a peer that were lost on one link.
type quality struct {
	last  uint32 // newest number
	seen  uint32 // bit n: last-n arrived
	known int    // how many bits count
	good  bool
}

// note takes in the number of a heartbeat that arrived.
func (q *quality) note(seq uint32) {
	step := int32(seq - q.last)
	switch {
	case q.known == 0 || step >= qualityBeats:
		*q = quality{last: seq, seen: 1, known: 1}
	case step > 0:
		q.last = seq
		q.seen = q.seen<<step | 1
		q.known = min(q.known+int(step), qualityBeats)
	case step > -qualityBeats:
		q.seen |= 1 << -step
	}
	lost := q.known - bits.OnesCount32(q.seen)
	if q.good {
		q.good = lost <= maxLost
	} else {
		q.good = lost <= maxLostNew && q.known >= minBeats
	}
}

// fresh tells whether a link is surely heard: not for as long as it takes to be
// down, which is too long to send into silence where there is another link.
func (c *Core) fresh(p *path) bool {
	return p.up && p.silence < 2*c.cfg.Interval+2*c.cfg.Tick()
}

func (c *Core) rank(p *path) rank {
	switch {
	case !p.up:
		return silent
	case !p.hearsUs || !c.fresh(p):
		return oneWay
	case !p.in.good || !p.wellUs:
		return lossy
	}
	return good
}

// reroute chooses the links to a peer anew.
func (c *Core) reroute(ps *peerState) {
	ps.route, ps.alive = ps.route[:0], ps.alive[:0]
	if len(ps.links) == 1 {
		ps.route = append(ps.route, ps.links[0])
		ps.alive = append(ps.alive, ps.links[0])
		return
	}
	best := silent
	for _, l := range ps.links {
		p := ps.paths[l]
		best = max(best, c.rank(p))
		if p.up {
			ps.alive = append(ps.alive, l)
		}
	}
	if len(ps.alive) == 0 {
		ps.alive = append(ps.alive, ps.links...)
	}
	atLeast := best
	if c.cfg.Mode == Active {
		atLeast = min(best, lossy)
	}
	ps.single = best == good && c.cfg.Mode != Active
	for _, l := range ps.links {
		if c.rank(ps.paths[l]) >= atLeast {
			ps.route = append(ps.route, l)
		}
	}
	if c.cfg.Mode != Passive || !ps.single {
		return
	}
	first := ps.route[0]
	for _, l := range ps.route {
		if c.cfg.Priority[l] > c.cfg.Priority[first] {
			first = l
		}
	}
	ps.route = append(ps.route[:0], first)
}

// Route gives the links to send a packet to a peer on. The slice is valid until
// the next call of any method.
//
// In the passive mode it is one link: of the good ones, which work in both
// directions and lose hardly any heartbeats, that of the highest priority. While
// none is good it is all that work in both directions, else all that are heard,
// else all, in every mode.
func (c *Core) Route(peer messaging.NodeID) []int {
	ps := c.peers[peer]
	if ps == nil {
		return nil
	}
	if c.cfg.Mode != RoundRobin || len(ps.route) < 2 || !ps.single {
		return ps.route
	}
	i := ps.turn / turnLen % len(ps.route)
	ps.turn++
	return ps.route[i : i+1]
}

// Alive gives all links on which a peer is heard, or all there are: for packets
// that had better not be lost.
func (c *Core) Alive(peer messaging.NodeID) []int {
	if ps := c.peers[peer]; ps != nil {
		return ps.alive
	}
	return nil
}

// Uses tells whether packets to a peer that is heard may go on a link.
func (c *Core) Uses(peer messaging.NodeID, link int) bool {
	p := c.path(peer, link)
	return p != nil && p.up && slices.Contains(c.peers[peer].route, link)
}
