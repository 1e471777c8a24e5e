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

	// Mode says how several links to a peer are used, Priority which of equally
	// good ones is preferred in the passive mode: the highest.
	Mode     Mode
	Priority [MaxLinks]uint8
	// MTU is the size of the largest packets that are tried, with all headers;
	// 0: sizes are not looked after. Probes cost a packet of the present size in
	// four intervals.
	MTU int
	// ProbeEvery is the time after which larger packets are tried again.
	ProbeEvery time.Duration
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
	c.ProbeEvery = DefaultProbeEvery
	for l := range c.Priority {
		c.Priority[l] = DefaultPriority
	}
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
	if c.MTU != 0 && (c.MTU < FloorMTU || c.MTU > MaxMTU || c.ProbeEvery <= 0) {
		return fmt.Errorf("link: packets of %d bytes, larger ones tried every %s: the range is %d to %d", c.MTU, c.ProbeEvery, FloorMTU, MaxMTU)
	}
	return nil
}

// Tick is the nominal time between two calls of [Core.Tick].
func (c Config) Tick() time.Duration { return c.Interval / 3 }

// An Action is one output of the core: *SendBeat, *PeerDown, *PeerUp,
// *LinkChange.
type Action interface{ action() }

// SendBeat asks for a heartbeat to a peer on one link. Where Size is set the
// packet is to be padded to that size, with all headers.
type SendBeat struct {
	Peer messaging.NodeID
	Link int
	Beat
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
	Well    bool // hardly any heartbeats are lost in either direction
	Used    bool // packets go this way
	Silence time.Duration
	MTU     int // the largest packets that pass, 0: not looked after
	Latency Latency
}

type path struct {
	link     int
	up       bool
	hearsUs  bool
	wellUs   bool          // the peer says that it loses hardly any of our heartbeats
	told     bool          // what our last heartbeat said of hearing it
	silence  time.Duration // counted time without a packet
	idle     time.Duration // counted time without sending
	refusals int
	seq      uint32 // of our heartbeats
	in       quality
	mtu      pmtu
	latency  Latency
}

type peerState struct {
	links []int // ascending
	paths [MaxLinks]*path
	up    bool
	// route are the links that packets go on, alive those that are heard.
	route, alive []int
	single       bool // a packet goes on one link of route, in turn
	turn         int
}

// A Core judges all peers. It is not safe for concurrent use.
type Core struct {
	cfg   Config
	sizes []int
	peers map[messaging.NodeID]*peerState
	order []messaging.NodeID
	now   time.Duration // of the last tick
	begun bool
	late  time.Duration
}

// New makes a core without peers.
func New(cfg Config) (*Core, error) {
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	return &Core{cfg: cfg, sizes: sizes(cfg.MTU), peers: map[messaging.NodeID]*peerState{}}, nil
}

// Add makes a link of a peer known; its number is less than MaxLinks.
func (c *Core) Add(peer messaging.NodeID, link int) {
	p := c.peers[peer]
	if p == nil {
		p = &peerState{}
		c.peers[peer] = p
		c.order = append(c.order, peer)
		slices.Sort(c.order)
	}
	if p.paths[link] == nil {
		p.links = append(p.links, link)
		slices.Sort(p.links)
		p.paths[link] = c.newPath(link)
		c.reroute(p)
	}
}

func (c *Core) newPath(link int) *path {
	return &path{link: link, idle: c.cfg.Interval, mtu: pmtu{size: min(baseMTU, c.cfg.MTU)}}
}

// path finds what is known of a link, or nil.
func (c *Core) path(peer messaging.NodeID, link int) *path {
	ps := c.peers[peer]
	if ps == nil || link < 0 || link >= MaxLinks {
		return nil
	}
	return ps.paths[link]
}

// Heard notes a sealed packet of a peer on a link.
func (c *Core) Heard(peer messaging.NodeID, link int) []Action {
	p, ps := c.path(peer, link), c.peers[peer]
	if p == nil {
		return nil
	}
	stale := p.silence != 0 && !c.fresh(p)
	p.silence, p.refusals = 0, 0
	if p.up && ps.up && !stale {
		return nil
	}
	var out []Action
	if !p.up {
		p.up, p.in = true, quality{}
		p.mtu.begin()
		out = append(out, &LinkChange{peer, link, true})
	}
	if !ps.up {
		ps.up = true
		out = append(out, &PeerUp{peer})
	}
	c.reroute(ps)
	return out
}

// Beat notes what a peer's heartbeat says, and answers it if it is a probe.
func (c *Core) Beat(now time.Duration, peer messaging.NodeID, link int, b Beat) []Action {
	p := c.path(peer, link)
	if p == nil {
		return nil
	}
	p.hearsUs, p.wellUs = b.Hears, b.Well
	if b.Seq != 0 {
		p.in.note(b.Seq)
	}
	if b.Ack != 0 {
		c.answered(p, int(b.Ack))
		p.latency.note(time.Duration(stamp(now)-b.Echo) * time.Microsecond)
	}
	c.reroute(c.peers[peer])
	if !b.Probe || b.Size == 0 {
		return nil
	}
	p.idle = 0
	answer := c.beat(peer, p, 0)
	answer.Ack, answer.Echo = b.Size, b.Stamp
	return []Action{answer}
}

// stamp is the time as heartbeats carry it.
func stamp(now time.Duration) uint32 { return uint32(now / time.Microsecond) }

// beat makes a heartbeat; one with a size asks for an answer.
func (c *Core) beat(id messaging.NodeID, p *path, size int) *SendBeat {
	b := Beat{Hears: c.hears(id, p), Well: p.in.good}
	if size <= p.mtu.size { // a larger one may be lost for its size
		p.seq++
		b.Seq = p.seq
	}
	if size > 0 {
		b.Probe, b.Size, b.Stamp = true, uint16(size), stamp(c.now)
	}
	p.told = b.Hears
	return &SendBeat{Peer: id, Link: p.link, Beat: b}
}

// hears tells whether a peer is heard on a link; where there is another link
// the peer learns of silence before the link is down.
func (c *Core) hears(id messaging.NodeID, p *path) bool {
	if len(c.peers[id].links) == 1 {
		return p.up
	}
	return c.fresh(p)
}

// Sent notes that a packet went to a peer on a link: no heartbeat is due. Where
// there are several links the heartbeats go on, which tell how good each is.
func (c *Core) Sent(peer messaging.NodeID, link int) {
	if ps := c.peers[peer]; ps != nil && len(ps.links) == 1 && ps.paths[link] != nil {
		ps.paths[link].idle = 0
	}
}

// Forget drops a peer's life signs: it restarted, and what was heard belonged to
// the process before.
func (c *Core) Forget(peer messaging.NodeID) {
	ps := c.peers[peer]
	if ps == nil {
		return
	}
	for _, l := range ps.links {
		ps.paths[l] = c.newPath(l)
	}
	ps.up = false
	c.reroute(ps)
}

// Refused notes that a peer's kernel answered "port unreachable". The answer is
// a beat at once, to learn soon whether the next one is refused as well.
func (c *Core) Refused(peer messaging.NodeID, link int) []Action {
	p := c.path(peer, link)
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
		elapsed := now - c.now
		c.late = max(0, elapsed-step)
		// Time in which this process did not run is not the peers' silence: at
		// most two steps count, whatever has passed.
		step = min(elapsed, 2*step)
	}
	c.now, c.begun = now, true
	var out []Action
	for _, id := range c.order {
		for _, l := range c.peers[id].links {
			out = c.tickPath(id, c.peers[id].paths[l], step, out)
		}
	}
	for _, id := range c.order {
		out = c.judge(id, out)
	}
	return out
}

func (c *Core) tickPath(id messaging.NodeID, p *path, step time.Duration, out []Action) []Action {
	p.silence += step
	p.idle += step
	news := p.told != c.hears(id, p) && len(c.peers[id].links) > 1
	size := c.confirm(p, step)
	if p.idle+c.cfg.Tick()/2 >= c.cfg.Interval || p.refusals > 0 || news || size > 0 {
		p.idle = 0
		out = append(out, c.beat(id, p, size))
	}
	return c.search(id, p, step, out)
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
		if p := c.peers[id].paths[l]; p.up {
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
		p := ps.paths[l]
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
		p.up, p.hearsUs, p.wellUs, p.refusals = false, false, false, 0
		out = append(out, &LinkChange{id, l, false})
	}
	if ps.up && !any {
		ps.up = false
		out = append(out, &PeerDown{id, why})
	}
	if len(ps.links) > 1 {
		c.reroute(ps)
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

// States describes all links, sorted by peer and link.
func (c *Core) States() []State {
	var out []State
	for _, id := range c.order {
		ps := c.peers[id]
		for _, l := range ps.links {
			p := ps.paths[l]
			s := State{
				Peer: id, Link: l, Up: p.up, Heard: p.hearsUs, Well: p.in.good && p.wellUs, Used: c.Uses(id, l),
				Silence: p.silence, Latency: p.latency,
			}
			s.MTU, _ = c.MTU(id, l)
			out = append(out, s)
		}
	}
	return out
}

// Late is how much later than due the last tick came: this process's own
// scheduling delay.
func (c *Core) Late() time.Duration { return c.late }

// A Latency sums up how long answers to probes took, there and back.
type Latency struct {
	Min, Max, Ave time.Duration
	Samples       uint64
}

// aveShare is the weight of what was before in the average.
const aveShare = 8

func (l *Latency) note(d time.Duration) {
	if l.Samples++; l.Samples == 1 {
		l.Min, l.Max, l.Ave = d, d, d
		return
	}
	l.Min, l.Max = min(l.Min, d), max(l.Max, d)
	l.Ave += (d - l.Ave) / aveShare
}
