// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/internal/sim"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/link"
	"github.com/quorate/quorate/messaging/totem"
	"github.com/quorate/quorate/messaging/totem/wire"
)

// A scenario is what a seed chooses. Each fault is on or off as a whole (swarm
// testing), so that extremes meet.
type scenario struct {
	seed     uint64
	nodes    int
	cfg      totem.Config
	faults   sim.Faults
	chaos    time.Duration // how long faults rage
	load     time.Duration // mean time between two messages of a node
	maxBody  int
	bigBody  bool
	evidence time.Duration // silence until the link layer suspects; 0: no link layer
	link     link.Config   // of the real link layer, in seeds with seals
	// directed lets the link layer judge each direction by itself.
	directed bool
	// options are those of the quorum, where there are process groups.
	options *options
	// timersFirst lets a node that was paused run its timers before its packets.
	timersFirst bool
	// grouped, sealed, record: see cluster.
	grouped, sealed, record bool
	burst                   bool
	digests                 bool          // keep the digest of each step
	drift                   int64         // of clocks, at most, in parts of a million
	diskDelay               time.Duration // at most
	on                      map[string]bool
	every                   time.Duration // mean time between two faults
}

var faultNames = []string{
	"crash", "lose_disk", "partition", "one_way", "pause", "flap", "false_suspicion", "leave", "storm",
	"deaf", "reconfigure", "clock_jump", "slow_disk", "small_mtu", "congestion",
}

func newScenario(seed uint64) *scenario {
	w := sim.New(seed ^ 0xa5a5_0000)
	r := w.Rand()
	s := &scenario{seed: seed, nodes: 1 + r.IntN(6), on: map[string]bool{}}
	switch r.IntN(8) {
	case 0:
		s.nodes = 1 + r.IntN(16)
	case 1, 2, 3:
		s.nodes = 2 + r.IntN(3)
	}
	cfg := totem.DefaultConfig(1, s.nodes)
	cfg.Token = w.Between(100*time.Millisecond, 600*time.Millisecond).Truncate(time.Millisecond)
	cfg.TokenRetransmitsBeforeLoss = 2
	if cfg.Token > 140*time.Millisecond {
		cfg.TokenRetransmitsBeforeLoss = 2 + r.IntN(3)
	}
	cfg.Join = w.Between(30*time.Millisecond, 50*time.Millisecond)
	cfg.Merge = w.Between(50*time.Millisecond, 200*time.Millisecond)
	cfg.Window = 1 + r.IntN(60)
	cfg.MaxMessages = 1 + r.IntN(20)
	cfg.MissCount = r.IntN(6)
	cfg.SeqnoUnchanged = 1 + r.IntN(30)
	cfg.FailToReceive = 1 + r.IntN(60)
	if r.IntN(2) == 0 {
		cfg.FailToReceive = 2500
	}
	cfg.MTU = 256 + r.IntN(1200)
	cfg.HoldForSync = r.IntN(2) == 0
	cfg.NoHoldOnRetransmit = r.IntN(4) != 0
	cfg.Seed = seed
	if r.IntN(4) == 0 {
		cfg.SendJoin = w.Between(0, 30*time.Millisecond)
	}
	s.cfg = cfg
	s.faults = sim.Faults{MinDelay: w.Between(100*time.Microsecond, time.Millisecond)}
	s.faults.MaxDelay = s.faults.MinDelay + w.Between(0, 4*time.Millisecond)
	if r.IntN(2) == 0 {
		s.faults.Loss = r.Float64() * r.Float64() * 0.3
	}
	if r.IntN(2) == 0 {
		s.faults.Duplicate = r.Float64() * 0.2
	}
	if r.IntN(2) == 0 {
		s.faults.Late, s.faults.LateBy = r.Float64()*0.05, w.Between(0, 2*cfg.Token)
	}
	for _, f := range faultNames {
		s.on[f] = r.IntN(2) == 0
	}
	s.chaos = cfg.Token * time.Duration(5+r.IntN(20))
	s.every = cfg.Token/4 + w.Between(0, 3*cfg.Token)
	s.load = w.Between(8*time.Millisecond, 150*time.Millisecond)
	s.maxBody = 20 + r.IntN(600)
	s.bigBody = r.IntN(4) == 0 && cfg.Window > s.nodes
	if r.IntN(2) == 0 {
		s.evidence = w.Between(cfg.Token/4, cfg.Token)
	}
	s.burst = r.IntN(2) == 0
	s.directed = r.IntN(2) == 0
	s.timersFirst = r.IntN(2) == 0
	s.grouped = s.cfg.HoldForSync && r.IntN(2) == 0
	if onlyOptions != "" {
		s.grouped, s.cfg.HoldForSync = true, true
	}
	s.sealed = r.IntN(6) == 0
	s.record = r.IntN(8) == 0
	if r.IntN(2) == 0 {
		s.drift = 1 + r.Int64N(20_000) // up to two percent
	}
	if r.IntN(3) == 0 {
		s.diskDelay = w.Between(0, 2*cfg.Token)
	}
	if s.options = drawOptions(seed, s.nodes, s.cfg.Token); s.grouped {
		if s.options.lease > 0 {
			s.drift = min(s.drift, maxDriftWithLease)
		}
		if s.options.algorithm != 0 {
			s.chaos = max(s.chaos, 10*time.Second)
		}
	}
	if s.sealed {
		s.evidence = 0
		s.link = link.DefaultConfig(cfg.Token)
		s.link.Interval = max(cfg.Token/8, 10*time.Millisecond)
		s.link.Limit = max(cfg.Token*60/100, link.MinIntervals*s.link.Interval)
		if r.IntN(2) == 0 {
			s.faults.Corrupt = r.Float64() * 0.1
		}
	}
	return s
}

func (s *scenario) String() string {
	var on []string
	for _, f := range faultNames {
		if s.on[f] {
			on = append(on, f)
		}
	}
	for name, is := range map[string]bool{"grouped": s.grouped, "sealed": s.sealed, "record": s.record, "directed": s.directed} {
		if is {
			on = append(on, "+"+name)
		}
	}
	slices.Sort(on)
	if s.grouped {
		on = append(on, "quorum: "+s.options.name)
	}
	return fmt.Sprintf("seed %d: %d nodes, token %v, window %d/%d, mtu %d, loss %.3f duplicate %.3f late %.3f by %v, evidence %v, faults %s",
		s.seed, s.nodes, s.cfg.Token, s.cfg.Window, s.cfg.MaxMessages, s.cfg.MTU, s.faults.Loss, s.faults.Duplicate,
		s.faults.Late, s.faults.LateBy, s.evidence, strings.Join(on, " "))
}

// result is what a run leaves behind.
type result struct {
	hash      uint64
	steps     uint64
	delivered int
	rings     int
	faults    []string
	checks    map[string]uint64
	stats     []totem.Stats
	cover     *coverage
	settled   time.Duration // from the end of the faults to one ring
}

// run plays a scenario.
func (s *scenario) run() result {
	_, res := s.play()
	return res
}

func (s *scenario) play() (*cluster, result) {
	c := newCluster(s.seed, s.nodes, s.cfg)
	c.grouped, c.sealed, c.record, c.link = s.grouped, s.sealed, s.record, s.link
	c.diskDelay, c.digests = s.diskDelay, s.digests
	if c.grouped {
		c.options = s.options
		c.truth = newTruth(c, c.options)
		if c.options.cfg.Device.Name != "" {
			c.arbiter = newArbiter(c)
			c.arbiter.plague(s.chaos)
		}
	}
	c.net.SetFaults(s.faults)
	for _, n := range c.nodes {
		if s.drift > 0 {
			n.host.SetClock(sim.Clock{Origin: c.w.Between(0, 100*time.Hour), Drift: c.w.Rand().Int64N(2*s.drift) - s.drift})
		}
		c.w.After(c.w.Between(0, s.cfg.Token), func() {
			if !n.host.Up() {
				n.start(true)
			}
		})
		s.work(c, n)
	}
	if s.evidence > 0 {
		s.watchLinks(c)
	}
	s.plague(c)
	c.w.Run(s.chaos, c.failed)
	s.recover(c)
	c.check.finish()
	for _, n := range c.nodes {
		n.replay()
		n.written()
	}
	res := result{
		hash: c.w.Hash(), steps: c.w.Steps(), rings: len(c.check.rings), delivered: c.check.arrived(),
		faults: c.check.faults, checks: c.check.counts(), cover: c.cover, settled: c.settled,
	}
	for _, n := range c.nodes {
		if n.core == nil {
			continue // the run failed before it started
		}
		c.w.Mix(n.core.Digest())
		res.stats = append(res.stats, n.core.Stats())
	}
	res.hash = c.w.Hash()
	return c, res
}

// bounded checks what a core keeps and what waits anywhere.
func (c *cluster) bounded() {
	for _, n := range c.nodes {
		if n.core == nil {
			continue
		}
		st := n.core.Stats()
		c.check.expect("bounded state", st.Unreleased <= 16384 && st.QueuedBytes <= 4*totem.MaxBody && c.w.Pending() < 1_000_000,
			"node %d: %d packets kept, %d bytes wait, %d events", n.id, st.Unreleased, st.QueuedBytes, c.w.Pending())
	}
}

// maxSteps bounds the events of one run: a core that never rests is at fault.
const maxSteps = 1_000_000

func (c *cluster) failed() bool {
	if c.w.Steps() > c.maxSteps+c.heartbeats() {
		c.check.expect("bounded work", false, "%d events at %v", c.w.Steps(), c.w.Now())
	}
	return len(c.check.faults) > 0
}

// heartbeats gives how many events the link layer may have led to by now: it
// never rests.
func (c *cluster) heartbeats() uint64 {
	if !c.sealed {
		return 0
	}
	n := uint64(len(c.nodes))
	return n * (n + 1) * uint64(c.w.Now()/c.link.Tick()+1)
}

// work lets a node's application send as long as faults rage.
func (s *scenario) work(c *cluster, n *node) {
	c.w.After(c.w.Between(0, 2*s.load), func() {
		if c.w.Now() > s.chaos {
			return
		}
		size := c.w.Rand().IntN(s.maxBody)
		if s.bigBody && c.w.Rand().IntN(30) == 0 {
			size = c.w.Rand().IntN(40_000)
		}
		burst := 1
		if s.burst && c.w.Rand().IntN(20) == 0 {
			burst = c.w.Rand().IntN(60)
		}
		for range burst {
			if n.groups != nil && n.host.Up() && !n.host.Paused() {
				n.groups.work(size)
			} else {
				n.submit(size)
			}
		}
		s.work(c, n)
	})
}

// plague plays faults until chaos ends.
func (s *scenario) plague(c *cluster) {
	c.w.After(c.w.Between(0, 2*s.every), func() {
		if c.w.Now() >= s.chaos {
			return
		}
		c.bounded()
		name := faultNames[c.w.Rand().IntN(len(faultNames))]
		if s.on[name] {
			s.strike(c, name, c.nodes[c.w.Rand().IntN(len(c.nodes))])
		}
		s.plague(c)
	})
}

// strike plays one fault.
func (s *scenario) strike(c *cluster, name string, n *node) {
	r := c.w.Rand()
	some := func(of time.Duration) time.Duration { return c.w.Between(of/10, 3*of) }
	other := c.nodes[r.IntN(len(c.nodes))]
	if c.trace != nil {
		c.trace("fault %s at node %d", name, n.id)
	}
	if n.host.Up() {
		c.cover.fault(name, n.state)
	}
	switch name {
	case "crash", "lose_disk", "leave":
		if !n.host.Up() {
			return
		}
		if name == "leave" && !n.host.Paused() {
			n.leave()
		} else {
			n.crash()
		}
		c.w.After(some(s.cfg.Token), func() {
			if !n.host.Up() {
				n.start(name == "lose_disk")
			}
		})
	case "partition":
		side := make([]int, len(c.nodes))
		for i := range side {
			side[i] = r.IntN(2 + r.IntN(2))
		}
		c.net.Partition(side)
		c.w.After(some(s.cfg.Token), c.net.Heal)
	case "one_way":
		c.net.Cut(n.index, other.index, true)
		c.w.After(some(s.cfg.Token), func() { c.net.Cut(n.index, other.index, false) })
	case "pause":
		n.host.Pause()
		life := n.life
		c.w.After(some(s.cfg.Token), func() {
			if n.life == life {
				s.resume(n)
			}
		})
	case "flap":
		s.flap(c, n, 6)
	case "false_suspicion":
		if n.host.Up() && n != other {
			n.host.Do(func() { n.step(&totem.SuspectDown{Nodes: []messaging.NodeID{other.id}}) })
		}
	case "deaf":
		s.deafen(c, n, some(s.cfg.Token))
	case "reconfigure":
		s.reconfigure(c)
	case "clock_jump":
		// Only who lost the disk looks at the calendar, and must find it right.
		if !s.on["lose_disk"] {
			n.wall += c.w.Between(-time.Hour, time.Hour)
		}
	case "slow_disk":
		c.diskDelay = c.w.Between(0, 5*s.cfg.Token)
		c.w.After(some(s.cfg.Token), func() { c.diskDelay = s.diskDelay })
	case "small_mtu", "congestion":
		f := s.faults
		if name == "small_mtu" {
			f.MaxSize = 200 + r.IntN(s.cfg.MTU)
		} else {
			f.Rate, f.MaxWait = 50_000+r.IntN(500_000), c.w.Between(time.Millisecond, 30*time.Millisecond)
		}
		c.net.SetFaults(f)
		c.w.After(some(s.cfg.Token)/2, func() { c.net.SetFaults(s.faults) })
	case "storm":
		f := s.faults
		f.Loss = 0.1 + 0.6*r.Float64()
		c.net.SetFaults(f)
		c.w.After(some(s.cfg.Token)/2, func() { c.net.SetFaults(s.faults) })
	}
}

func (s *scenario) resume(n *node) {
	n.resuming = true
	defer func() { n.resuming = false }()
	if s.timersFirst {
		n.host.ResumeTimersFirst()
	} else {
		n.host.Resume()
	}
}

// deafen keeps data from a node while tokens pass, as a wrong packet size does.
func (s *scenario) deafen(c *cluster, n *node, d time.Duration) {
	until := c.w.Now() + d
	before := c.net.Drop
	c.net.Drop = func(from, to int, packet []byte) bool {
		t, _ := wire.TypeOf(packet)
		return (to == n.index && t == wire.TypeMcast && c.w.Now() < until) || (before != nil && before(from, to, packet))
	}
}

// reconfigure gives all nodes other settings, one after the other.
func (s *scenario) reconfigure(c *cluster) {
	cfg := s.cfg
	cfg.Window = 1 + c.w.Rand().IntN(60)
	cfg.MaxMessages = 1 + c.w.Rand().IntN(20)
	cfg.MTU = 256 + c.w.Rand().IntN(1200)
	cfg.Token = max(cfg.Token*time.Duration(80+c.w.Rand().IntN(40))/100, 100*time.Millisecond)
	if s.bigBody && cfg.Window <= s.nodes {
		cfg.Window += s.nodes
	}
	c.watch.window = max(c.watch.window, cfg.Window)
	for _, n := range c.nodes {
		if n.host.Up() {
			n.host.After(c.w.Between(0, s.cfg.Token), func() { n.step(&totem.Reconfigure{Config: cfg}) })
		}
	}
}

// flap cuts a node off and joins it again, near the period of the token.
func (s *scenario) flap(c *cluster, n *node, times int) {
	if times == 0 || c.w.Now() > s.chaos {
		return
	}
	for _, o := range c.nodes {
		closed := times%2 == 0 && o != n
		c.net.Cut(n.index, o.index, closed)
		c.net.Cut(o.index, n.index, closed)
	}
	c.w.After(c.w.Between(s.cfg.Token/2, s.cfg.Token*3/2), func() { s.flap(c, n, times-1) })
}

// watchLinks is the link layer: it suspects who was out of reach for a while.
func (s *scenario) watchLinks(c *cluster) {
	silent := map[[2]int]time.Duration{}
	var tick func()
	tick = func() {
		for _, n := range c.nodes {
			for _, o := range c.nodes {
				if n == o || !n.host.Up() || n.host.Paused() {
					continue
				}
				s.watchLink(c, n, o, silent)
			}
		}
		c.w.After(s.evidence/5, tick)
	}
	tick()
}

func (s *scenario) watchLink(c *cluster, n, o *node, silent map[[2]int]time.Duration) {
	key := [2]int{n.index, o.index}
	heard := c.net.Reachable(n.index, o.index)
	if s.directed {
		heard = c.net.Passes(o.index, n.index)
	}
	if o.host.Up() && !o.host.Paused() && heard {
		silent[key] = c.w.Now()
		if n.down[o.index] {
			n.down[o.index] = false
			n.step(&totem.SuspectCleared{Node: o.id})
		}
		return
	}
	if !n.down[o.index] && c.w.Now()-silent[key] >= s.evidence {
		n.down[o.index] = true
		n.step(&totem.SuspectDown{Nodes: []messaging.NodeID{o.id}})
	}
}

// recover heals everything and demands progress.
func (s *scenario) recover(c *cluster) {
	if c.failed() {
		return
	}
	if c.trace != nil {
		c.trace("faults end")
	}
	c.w.After(0, func() {
		c.net.Heal()
		f := s.faults
		f.Loss, f.Duplicate, f.Late, f.Corrupt = min(f.Loss, 0.01), 0, 0, 0
		c.diskDelay, s.diskDelay = 0, 0
		s.faults = f
		c.net.SetFaults(f)
		for _, n := range c.nodes {
			s.resume(n)
			if !n.host.Up() {
				n.start(false)
			}
		}
	})
	c.w.Run(c.w.Now(), nil)
	if c.arbiter != nil {
		c.arbiter.heal()
	}
	quiet := 4*s.cfg.Token + s.cfg.Consensus // delayed packets and half played faults run out
	c.w.Run(c.w.Now()+quiet, c.failed)
	c.net.Heal()
	c.net.SetFaults(s.faults)
	if c.truth != nil {
		s.part(c)
	}
	from := c.w.Now()
	bound := from + s.patience()
	ok := c.w.Run(bound, func() bool { return c.failed() || c.whole() })
	c.settled = c.w.Now() - from
	c.check.expect("one ring after the faults", ok, "after %v: %s", bound, c.describe())
	if c.failed() {
		return
	}
	for _, n := range c.nodes {
		for range 3 {
			if n.groups != nil {
				n.groups.work(100)
			} else {
				n.submit(100)
			}
		}
	}
	idle := func() bool {
		for _, n := range c.nodes {
			if st := n.core.Stats(); st.QueuedMessages > 0 || st.Unreleased > 0 || n.groups != nil && n.groups.core.Syncing() {
				return false
			}
		}
		return c.whole()
	}
	for before := -1; before < c.sent(); {
		before = c.sent() // a narrow window takes long: what counts is progress
		if c.w.Run(c.w.Now()+5*time.Second+2*s.cfg.Token, func() bool { return c.failed() || idle() }) {
			break
		}
	}
	c.check.expect("everything is sent and released", idle(), "%s", c.describe())
	if c.failed() {
		return
	}
	c.check.everythingArrived()
	if c.truth != nil {
		c.truth.together()
	}
	f := s.faults
	f.Loss = 0
	c.net.SetFaults(f)
	c.w.Run(c.w.Now()+s.cfg.Token, c.failed)
	c.watch.calm = true
	c.w.Run(c.w.Now()+2*s.cfg.Token, c.failed)
}

// patience is how long nodes may take to one ring: the longest penalty of one that
// flapped, by a clock that runs slow, and then some attempts, since some packets
// still get lost.
func (s *scenario) patience() time.Duration {
	const penalty, attempts = 20*time.Second + 20*time.Second*20_000/1_000_000, 10
	return penalty + attempts*(s.cfg.Token+s.cfg.Consensus) + s.cfg.Merge
}

// sent gives the packets that the nodes have numbered, or sent again.
func (c *cluster) sent() int {
	total := uint64(0)
	for _, n := range c.nodes {
		st := n.core.Stats()
		total += st.McastSent + st.McastRetransmits
	}
	return int(total)
}

func (c *cluster) describe() string {
	var b strings.Builder
	for _, n := range c.nodes {
		if n.core == nil {
			continue
		}
		fmt.Fprintf(&b, "node %d up=%v %v ring %v members %v; ", n.id, n.host.Up(), n.core.State(), n.core.Ring(), n.core.Members())
	}
	return b.String()
}
