// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/cpg"
	"github.com/quorate/quorate/messaging/quorum"
	"github.com/quorate/quorate/messaging/totem"
)

// An Arbiter is an arbitration device as the engine uses it: it watches what the
// ring does and gives its vote to this node, or not.
type Arbiter interface {
	// Observe takes the newest state. It is called in the engine's turn
	// and does not wait.
	Observe(ArbiterView)
	// Run works until ctx is done.
	Run(ctx context.Context, poll Poll) error
	// Entries describe the device for the map, below runtime.qdevice.
	Entries() []messaging.CmapEntry
}

// A Poll gives the engine the device's word for a ring: whether this node has its
// vote. When it returns, the node has taken that to heart. Words for another ring
// than the present one count for nothing.
type Poll func(ctx context.Context, ring messaging.RingID, cast bool) error

// An ArbiterView is what an arbiter needs to know.
type ArbiterView struct {
	Ring     messaging.RingID
	Members  []messaging.NodeID
	Quorate  bool
	Expected uint32
	Nodes    []messaging.NodeID // configured
	// WaitForAll tells whether a node that starts waits for all others.
	WaitForAll bool
}

// DeviceConfig is the engine's part of an arbitration device.
type DeviceConfig struct {
	Arbiter Arbiter
	// Timeout takes the vote away that was not renewed in it.
	Timeout time.Duration
	// SyncTimeout bounds how long a change of the membership waits for the
	// device's word, where that decides on quorum.
	SyncTimeout time.Duration
	// Key stands for all that the device was made of: a reload keeps a device
	// whose key stays.
	Key string
}

// A Tracker keeps the highest expected votes across restarts.
type Tracker interface {
	// Save returns when the number is durable.
	Save(votes uint32) error
}

// An arbitration is the engine's state about lease and device.
type arbitration struct {
	lease   quorum.Lease
	lapse   clock.Timer  // the lease ends
	lapsed  bool         // and is known to have
	limit   atomic.Int64 // end of the lease by the clock, for those who only read the view
	tokens  uint64       // accepted when last looked at
	device  clock.Timer  // the device did not poll
	start   func()       // runs the configured device
	stop    context.CancelFunc
	denied  bool // the device's no came before the members' words
	holding bool // this node's word waits
	lost    bool // members went without a word
	needs   bool // for the device
	after   time.Duration
	release clock.Timer
	patient clock.Timer
}

// holdSync decides whether this node's word of a new membership has to wait: for
// the device where its vote decides, or until lost members have surely noticed
// that they are.
func (e *Engine) holdSync(c *totem.ConfChange) {
	now := e.cfg.Clock.Now()
	a := &e.arbitration
	a.after = a.lease.Install(now, a.lost, len(c.Members) == 1)
	a.lost = false
	if e.votes.Hopeless(c.Members) || e.complete(c.Members) {
		a.after = 0 // to stop is never too early, and nobody else is there to act
	}
	alive := e.votes.DeviceAlive()
	e.votes.DeviceStale()
	// A no that came for the ring before stays: the view is still of a ring before
	// that, and the vote may be elsewhere since.
	a.needs = alive && e.votes.DeviceDecides(c.Members)
	a.holding = true
	e.observe()
	if a.needs {
		if a.patient != nil {
			a.patient.Stop()
		}
		ring := c.Ring
		a.patient = e.cfg.Clock.AfterFunc(e.cfg.Device.SyncTimeout, func() {
			e.post(func() {
				if a.needs && e.ring == ring {
					e.cfg.Log.Warn("the device did not answer in time: its vote does not count", "patience", e.cfg.Device.SyncTimeout)
					a.needs = false
					e.releaseSync()
				}
			})
		})
	}
	e.releaseSync()
}

// complete tells whether all nodes of the configuration are members. A
// configuration without a list of nodes does not tell.
func (e *Engine) complete(members []messaging.NodeID) bool {
	outside := func(n Node) bool { return !slices.Contains(members, n.ID) }
	return len(e.cfg.Nodes) > 0 && !slices.ContainsFunc(e.cfg.Nodes, outside)
}

// releaseSync sends this node's word once nothing keeps it any more.
func (e *Engine) releaseSync() {
	a := &e.arbitration
	if !a.holding || a.needs {
		return
	}
	if wait := a.after - e.cfg.Clock.Now(); wait > 0 {
		if a.release != nil {
			a.release.Stop()
		}
		a.release = e.cfg.Clock.AfterFunc(wait, func() { e.post(e.releaseSync) })
		return
	}
	a.holding = false
	info := e.votes.Info()
	if a.lapsed || !a.lease.Valid(e.cfg.Clock.Now()) {
		info.Flags &^= quorum.FlagQuorate
	}
	extra, err := encodeExtra(extra{Info: info, ConfVersion: e.cfg.ConfVersion, Name: e.cfg.Name, Stamp: e.reload.core.Stamp()})
	if err != nil {
		e.fail(err)
		return
	}
	e.actGroups([]cpg.Action{e.groups.Word(extra)})
}

// tokenSeen renews the lease when the ring has accepted a token.
func (e *Engine) tokenSeen() {
	a := &e.arbitration
	if !a.lease.On() {
		return
	}
	if n := e.core.Stats().TokensReceived; n != a.tokens {
		a.tokens = n
		a.lease.Token(e.cfg.Clock.Now())
		e.noteLimit()
		if a.lapsed {
			e.publish()
		}
	}
}

// valid tells whether the lease holds, and watches for its end.
func (e *Engine) valid() bool {
	a := &e.arbitration
	e.noteLimit()
	at, bounded := a.lease.Until()
	now := e.cfg.Clock.Now()
	a.lapsed = bounded && now >= at
	if bounded && !a.lapsed {
		if a.lapse == nil {
			a.lapse = e.cfg.Clock.AfterFunc(at-now, func() { e.post(e.leaseEnds) })
		} else {
			a.lapse.Reset(at - now)
		}
	}
	return !a.lapsed
}

// noteLimit keeps the end of the lease where readers of the view see it.
func (e *Engine) noteLimit() {
	at, bounded := e.arbitration.lease.Until()
	if !bounded {
		at = 1<<63 - 1
	}
	e.arbitration.limit.Store(int64(at))
}

// current gives the view as it may be believed now: a process that was stopped
// meanwhile has not yet noticed itself that its lease is over.
func (e *Engine) current() (v messaging.QuorumView, version uint64, changed <-chan struct{}) {
	v, version, changed = e.views.get()
	if v.Quorate && e.cfg.Lease > 0 && int64(e.cfg.Clock.Now()) >= e.arbitration.limit.Load() {
		v.Quorate = false
		v.Flags = slices.DeleteFunc(v.Flags, func(f string) bool { return f == "Quorate" })
	}
	return v, version, changed
}

func (e *Engine) leaseEnds() {
	was := e.arbitration.lapsed
	e.publish()
	if e.arbitration.lapsed && !was {
		e.cfg.Log.Warn("the ring does not turn here: quorum is suspended", "lease", e.cfg.Lease)
	}
}

// runArbiter runs the device until the engine ends.
func (e *Engine) runArbiter(ctx context.Context) {
	e.arbitration.start = func() {
		arbiter := e.cfg.Device.Arbiter
		if arbiter == nil {
			return
		}
		run, cancel := context.WithCancel(ctx)
		e.arbitration.stop = cancel
		e.observe()
		e.wg.Go(func() {
			defer cancel()
			if err := arbiter.Run(run, e.poll); err != nil && run.Err() == nil {
				e.cfg.Log.Error("arbitration device ends: its vote does not count", "error", err)
			}
		})
	}
	e.arbitration.start()
}

// switchDevice lets another device take over, or none, or the first.
func (e *Engine) switchDevice(d DeviceConfig) {
	if d.Key == e.cfg.Device.Key {
		return
	}
	if e.arbitration.stop != nil {
		e.arbitration.stop()
		e.arbitration.stop = nil
	}
	e.cfg.Device = d
	if e.arbitration.start != nil {
		e.arbitration.start()
	}
	e.cfg.Log.Info("arbitration device changed", "present", d.Arbiter != nil)
}

// poll takes the device's word.
func (e *Engine) poll(ctx context.Context, ring messaging.RingID, cast bool) error {
	return e.call(ctx, func() { e.polled(ring, cast) })
}

func (e *Engine) polled(ring messaging.RingID, cast bool) {
	if ring != e.ring {
		return
	}
	a := &e.arbitration
	if a.device != nil {
		a.device.Stop()
	}
	a.device = e.cfg.Clock.AfterFunc(e.cfg.Device.Timeout, func() { e.post(e.deviceSilent) })
	if a.holding {
		// The members' words are still to come: nothing is counted before. But
		// from here on this node does not act on the view before either.
		e.votes.DeviceAnswered(cast)
		a.denied = a.denied || a.needs && !cast
		a.needs = false
		e.publish()
		e.releaseSync()
		return
	}
	e.actQuorum(e.votes.Poll(cast))
}

func (e *Engine) deviceSilent() {
	if !e.votes.DeviceAlive() {
		return
	}
	e.cfg.Log.Warn("the device is silent: its vote does not count", "for", e.cfg.Device.Timeout)
	e.actQuorum(e.votes.DeviceLost())
}

// observe tells the device what is.
func (e *Engine) observe() {
	if e.cfg.Device.Arbiter == nil {
		return
	}
	r := e.votes.Result()
	v := ArbiterView{
		Ring: e.ring, Members: slices.Clone(e.ringSet), Quorate: r.Quorate, Expected: r.ExpectedVotes,
		WaitForAll: slices.Contains(r.Flags, "WaitForAll"),
	}
	for _, n := range e.cfg.Nodes {
		v.Nodes = append(v.Nodes, n.ID)
	}
	e.cfg.Device.Arbiter.Observe(v)
}

// tell orders this node's word about its device.
func (e *Engine) tell() {
	info := e.votes.Info()
	e.orderOwn(operation{Op: opInfo, Info: &info})
}

// orderOwn orders an operation that nobody waits for, after the round that may be
// under way.
func (e *Engine) orderOwn(op operation) {
	body, err := encodeMsgpack(&op)
	if err != nil {
		e.fail(err)
		return
	}
	e.waiting = append(e.waiting, submission{body: e.groups.ServiceMessage(body)})
}

// track keeps the highest expected votes.
func (e *Engine) track(votes uint32) {
	if e.cfg.Tracker == nil {
		return
	}
	if err := e.cfg.Tracker.Save(votes); err != nil {
		e.cfg.Log.Error("expected votes not kept", "error", err)
	}
}

// UnregisterDevice takes the vote of this node's device away for good.
func (b *Bus) UnregisterDevice(ctx context.Context) error {
	if b.e.cfg.Device.Arbiter == nil {
		return fmt.Errorf("%w: there is no quorum device", messaging.ErrInvalid)
	}
	return b.e.call(ctx, func() { b.e.actQuorum(b.e.votes.Unregister()) })
}

// withDevice adds the keys that the device describes itself by.
func (e *Engine) withDevice(out []messaging.CmapEntry, prefix string) []messaging.CmapEntry {
	if e.cfg.Device.Arbiter == nil {
		return out
	}
	return merge(out, e.cfg.Device.Arbiter.Entries(), prefix)
}

// merge adds those of the entries that begin with prefix, and sorts all.
func merge(out, entries []messaging.CmapEntry, prefix string) []messaging.CmapEntry {
	for _, k := range entries {
		if strings.HasPrefix(k.Key, prefix) {
			out = append(out, k)
		}
	}
	slices.SortFunc(out, func(a, b messaging.CmapEntry) int { return strings.Compare(a.Key, b.Key) })
	return out
}

// publishDevice keeps the keys of the map about the device.
func (e *Engine) publishDevice(r quorum.Result) {
	const prefix = "runtime.votequorum."
	e.setCmapUint(prefix+"highest_expected", 32, uint64(r.Highest))
	if e.cfg.Device.Arbiter == nil {
		return
	}
	cast := uint64(0)
	if r.DeviceCast {
		cast = 1
	}
	e.setCmapStr(prefix+"qdevice.name", r.Device.Name)
	e.setCmapUint(prefix+"qdevice.votes", 32, uint64(r.Device.Votes))
	e.setCmapUint(prefix+"qdevice.cast", 8, cast)
	for id, flags := range r.Devices {
		e.setCmapStr(fmt.Sprintf("runtime.members.%d.qdevice", id), flags.DeviceText())
	}
}
