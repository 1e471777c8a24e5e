// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package link

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/quorate/quorate/messaging"
)

// Config sets the detector. Shorter limits find a dead node sooner and raise
// more false alarms on busy machines.
type Config struct {
	// Interval is the longest time between two packets to a peer on one link.
	Interval time.Duration
	// Limit is the silence after which a link counts as down while another link
	// to the peer is heard.
	Limit time.Duration
	// NodeLimit is the silence of all links after which the peer counts as dead.
	// No pause of a peer and no gap of the network that the token survives is to
	// pass for a death, so it is about the token timeout.
	NodeLimit time.Duration
	// Refusals is how many answers "port unreachable" in a row, with no packet
	// of the peer among them, count as death.
	Refusals int
	// RefusedSilence is the silence that is needed beside the refusals. A refusal
	// proves that the daemon is gone, not the machine: its resources still run
	// there, and its unit is about to start it again. So the silence has to be
	// longer than such a restart takes; it also makes forged answers harmless
	// against a peer that is heard.
	RefusedSilence time.Duration
}

// Defaults of the detector.
const (
	DefaultInterval = 120 * time.Millisecond
	DefaultRefusals = 3
	// RestartGrace is the default of RefusedSilence: what a killed daemon is
	// given to be started again.
	RestartGrace = 700 * time.Millisecond
	// MinIntervals is the least number of intervals in the limit.
	MinIntervals = 3
	// limitShare is the part of the token timeout, in percent, that is the
	// default limit of a link; silence of nodeShare is forgiven to a node.
	limitShare = 60
	nodeShare  = 90
)

// DefaultConfig fits a token timeout.
func DefaultConfig(token time.Duration) Config {
	c := Config{Interval: DefaultInterval, Refusals: DefaultRefusals}
	c.Limit = max(token*limitShare/100, MinIntervals*c.Interval)
	c.NodeLimit = NodeLimit(token, c)
	c.RefusedSilence = RestartGrace
	return c
}

// NodeLimit is the default of that limit for a token timeout. When a peer falls
// silent its last packet may be an interval and half a tick old, and it is heard
// again at its next packet; silence is counted in ticks.
func NodeLimit(token time.Duration, c Config) time.Duration {
	return max(token*nodeShare/100+c.Interval+2*c.Tick(), c.Limit)
}

func (c *Config) validate() error {
	if c.NodeLimit < c.Limit {
		return fmt.Errorf("link: the limit of a node is %s, that of a link %s: it must not be less", c.NodeLimit, c.Limit)
	}
	if c.Interval <= 0 || c.Limit < MinIntervals*c.Interval || c.Refusals < 1 || c.RefusedSilence < 0 {
		return fmt.Errorf("link: interval %s, limit %s, refusals %d: the limit must be at least %d intervals", c.Interval, c.Limit, c.Refusals, MinIntervals)
	}
	return nil
}

// Tick is the nominal time between two calls of [Core.Tick].
func (c Config) Tick() time.Duration { return c.Interval / 3 }

// An Action is one output of the core: *SendBeat, *PeerDown, *PeerUp,
// *LinkChange.
type Action interface{ action() }

// SendBeat asks for a heartbeat to a peer on one link. Hears tells the peer
// whether it is heard there.
type SendBeat struct {
	Peer  messaging.NodeID
	Link  int
	Hears bool
}

// PeerDown reports that no link to a peer is alive any more.
type PeerDown struct {
	Peer messaging.NodeID
	Why  string
}

// PeerUp reports that a peer is heard, for the first time or again.
type PeerUp struct{ Peer messaging.NodeID }

// LinkChange reports that one link to a peer went up or down.
type LinkChange struct {
	Peer messaging.NodeID
	Link int
	Up   bool
}

func (*SendBeat) action()   {}
func (*PeerDown) action()   {}
func (*PeerUp) action()     {}
func (*LinkChange) action() {}

// State is what is known of one link to one peer.
type State struct {
	Peer    messaging.NodeID
	Link    int
	Up      bool // the peer is heard
	Heard   bool // the peer says that it hears us
	Silence time.Duration
}

type pathKey struct {
	peer messaging.NodeID
	link int
}

type path struct {
	up       bool
	hearsUs  bool
	silence  time.Duration // counted time without a packet
	idle     time.Duration // counted time without sending
	refusals int
}

type peerState struct {
	links []int
	up    bool
}

// A Core judges all peers. It is not safe for concurrent use.
type Core struct {
	cfg   Config
	peers map[messaging.NodeID]*peerState
	order []messaging.NodeID
	paths map[pathKey]*path
	last  time.Duration
	begun bool
	late  time.Duration
}

// New makes a core without peers.
func New(cfg Config) (*Core, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Core{cfg: cfg, peers: map[messaging.NodeID]*peerState{}, paths: map[pathKey]*path{}}, nil
}

// Add makes a link of a peer known.
func (c *Core) Add(peer messaging.NodeID, link int) {
	p := c.peers[peer]
	if p == nil {
		p = &peerState{}
		c.peers[peer] = p
		c.order = append(c.order, peer)
		slices.Sort(c.order)
	}
	k := pathKey{peer, link}
	if c.paths[k] == nil {
		p.links = append(p.links, link)
		slices.Sort(p.links)
		c.paths[k] = &path{idle: c.cfg.Interval}
	}
}

// Heard notes a sealed packet of a peer on a link.
func (c *Core) Heard(peer messaging.NodeID, link int) []Action {
	p, ps := c.paths[pathKey{peer, link}], c.peers[peer]
	if p == nil {
		return nil
	}
	p.silence, p.refusals = 0, 0
	var out []Action
	if !p.up {
		p.up = true
		out = append(out, &LinkChange{peer, link, true})
	}
	if !ps.up {
		ps.up = true
		out = append(out, &PeerUp{peer})
	}
	return out
}

// Beat notes what a peer's heartbeat says about this direction.
func (c *Core) Beat(peer messaging.NodeID, link int, hearsUs bool) {
	if p := c.paths[pathKey{peer, link}]; p != nil {
		p.hearsUs = hearsUs
	}
}

// Sent notes that a packet went to a peer on a link: no heartbeat is due.
func (c *Core) Sent(peer messaging.NodeID, link int) {
	if p := c.paths[pathKey{peer, link}]; p != nil {
		p.idle = 0
	}
}

// Forget drops a peer's life signs: it restarted, and what was heard belonged to
// the process before.
func (c *Core) Forget(peer messaging.NodeID) {
	for _, l := range c.linksOf(peer) {
		*c.paths[pathKey{peer, l}] = path{idle: c.cfg.Interval}
	}
	if p := c.peers[peer]; p != nil {
		p.up = false
	}
}

func (c *Core) linksOf(peer messaging.NodeID) []int {
	if p := c.peers[peer]; p != nil {
		return p.links
	}
	return nil
}

// Refused notes that a peer's kernel answered "port unreachable". The answer is
// a beat at once, to learn soon whether the next one is refused as well.
func (c *Core) Refused(peer messaging.NodeID, link int) []Action {
	p := c.paths[pathKey{peer, link}]
	if p == nil || !p.up {
		return nil
	}
	p.refusals++
	return c.judge(peer, nil)
}

// Tick counts time. It is to be called each cfg.Tick(), after the packets that
// are already here have been handed in.
func (c *Core) Tick(now time.Duration) []Action {
	step := c.cfg.Tick()
	if c.begun {
		elapsed := now - c.last
		c.late = max(0, elapsed-step)
		// Time in which this process did not run is not the peers' silence: at
		// most two steps count, whatever has passed.
		step = min(elapsed, 2*step)
	}
	c.last, c.begun = now, true
	var out []Action
	for _, id := range c.order {
		for _, l := range c.peers[id].links {
			p := c.paths[pathKey{id, l}]
			p.silence += step
			p.idle += step
			if p.idle+c.cfg.Tick()/2 >= c.cfg.Interval || p.refusals > 0 {
				p.idle = 0
				out = append(out, &SendBeat{id, l, p.up})
			}
		}
	}
	for _, id := range c.order {
		out = c.judge(id, out)
	}
	return out
}

// waitsFor tells whether the judgement on a silent peer is put off for a moment,
// because another peer is nearly as silent:
//
//  1. Node 2 hears nobody any more. The last packet of node 1 is 40 ms older than
//     that of node 3, so node 1 passes the limit first.
//  2. Node 2 tells the others that node 1 is dead. Node 3 believes it, and parts
//     from node 1, which it hears well.
//  3. Node 3 passes the limit: node 2 rejects it too. Now all three are alone.
//
// Told of both at a time, both know that it is node 2 that is deaf. A peer that
// lives is heard within the window, one that does not passes the limit.
func (c *Core) waitsFor(id messaging.NodeID, silence time.Duration) bool {
	window := c.cfg.Interval + 2*c.cfg.Tick()
	if silence >= c.cfg.NodeLimit+window {
		return false
	}
	for _, other := range c.order {
		if s := c.silence(other); other != id && c.peers[other].up && s < c.cfg.NodeLimit && s >= c.cfg.NodeLimit-window {
			return true
		}
	}
	return false
}

// silence is that of a peer's least silent link.
func (c *Core) silence(id messaging.NodeID) time.Duration {
	least := time.Duration(math.MaxInt64)
	for _, l := range c.peers[id].links {
		if p := c.paths[pathKey{id, l}]; p.up {
			least = min(least, p.silence)
		}
	}
	return least
}

// judge takes down the links of a peer that are silent for too long, and the
// peer when no link is left.
func (c *Core) judge(id messaging.NodeID, out []Action) []Action {
	ps := c.peers[id]
	any, why := false, ""
	heard := c.silence(id) < c.cfg.Limit
	for _, l := range ps.links {
		p := c.paths[pathKey{id, l}]
		if !p.up {
			continue
		}
		switch {
		case heard && p.silence >= c.cfg.Limit, p.silence >= c.cfg.NodeLimit && !c.waitsFor(id, p.silence):
			why = fmt.Sprintf("silent for %d ms", p.silence.Milliseconds())
		case p.refusals >= c.cfg.Refusals && p.silence >= c.cfg.RefusedSilence:
			why = "its kernel refuses packets: the daemon is gone"
		default:
			any = true
			continue
		}
		p.up, p.hearsUs, p.refusals = false, false, 0
		out = append(out, &LinkChange{id, l, false})
	}
	if ps.up && !any {
		ps.up = false
		out = append(out, &PeerDown{id, why})
	}
	return out
}

// Up tells whether a peer is heard on any link.
func (c *Core) Up(peer messaging.NodeID) bool {
	p := c.peers[peer]
	return p != nil && p.up
}

// Down lists the peers that were heard once or never and are not now.
func (c *Core) Down() []messaging.NodeID {
	var out []messaging.NodeID
	for _, id := range c.order {
		if !c.peers[id].up {
			out = append(out, id)
		}
	}
	return out
}

// Paths chooses the links to send a peer's packets on: the lowest that is alive
// in both directions, else all that are alive in one, else all.
func (c *Core) Paths(dst []int, peer messaging.NodeID) []int {
	links := c.linksOf(peer)
	for _, l := range links {
		if p := c.paths[pathKey{peer, l}]; p.up && p.hearsUs {
			return append(dst, l)
		}
	}
	n := len(dst)
	for _, l := range links {
		if c.paths[pathKey{peer, l}].up {
			dst = append(dst, l)
		}
	}
	if len(dst) > n {
		return dst
	}
	return append(dst, links...)
}

// States describes all links, sorted by peer and link.
func (c *Core) States() []State {
	var out []State
	for _, id := range c.order {
		for _, l := range c.peers[id].links {
			p := c.paths[pathKey{id, l}]
			out = append(out, State{Peer: id, Link: l, Up: p.up, Heard: p.hearsUs, Silence: p.silence})
		}
	}
	return out
}

// Late is how much later than due the last tick came: this process's own
// scheduling delay.
func (c *Core) Late() time.Duration { return c.late }
