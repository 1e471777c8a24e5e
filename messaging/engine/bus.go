// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"golang.org/x/sync/semaphore"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/cmap"
	"github.com/quorate/quorate/messaging/cpg"
	"github.com/quorate/quorate/messaging/totem"
)

// Bounds of local clients.
const (
	// maxAhead bounds the bytes that one member has handed over and the ring has
	// not taken; a message above it counts for all of it. What waits here delays
	// what comes after, so it is little more than a few visits of the token take.
	maxAhead = 1 << 20
	// sendOverhead is what a message counts beside its body.
	sendOverhead = 1024
	// maxAsked bounds the administrative operations under way.
	maxAsked = 64
)

var (
	_ messaging.Bus   = (*Bus)(nil)
	_ messaging.Admin = (*Bus)(nil)
)

// A Bus is one local client of the engine.
type Bus struct {
	e      *Engine
	pid    uint32
	mu     sync.Mutex
	groups map[*member]bool // guarded by mu
	closed bool             // guarded by mu
}

// Bus opens a client; pid is shown by status tools.
func (e *Engine) Bus(pid uint32) *Bus {
	return &Bus{e: e, pid: pid, groups: map[*member]bool{}}
}

// A member is one membership of a local client in a group.
type member struct {
	e     *Engine
	bus   *Bus
	id    uint64
	pid   uint32
	group string
	queue *eventQueue
	ahead *semaphore.Weighted
	left  bool // belongs to who has the turn

	// For the statistics.
	procname        string
	dispatched      uint64 // events; belongs to who has the turn
	requests, waits atomic.Uint64
}

// Join makes the caller a member of a group.
func (b *Bus) Join(ctx context.Context, group string) (messaging.Group, error) {
	m := &member{e: b.e, bus: b, pid: b.pid, group: group, queue: newEventQueue(), ahead: semaphore.NewWeighted(maxAhead), procname: procname(b.pid)}
	var failed error
	err := b.e.call(ctx, func() { failed = b.e.addMember(m) })
	if err == nil {
		err = failed
	}
	if err == nil && !b.remember(m) {
		err = messaging.ErrClosed
	}
	if err != nil {
		// The call may still run after ctx has ended: then nobody reads, and
		// the member goes again.
		b.e.abandon(m)
		return nil, fmt.Errorf("join group %q: %w", group, err)
	}
	return m, nil
}

func (b *Bus) remember(m *member) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.groups[m] = true
	}
	return !b.closed
}

func (b *Bus) forget(m *member) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.groups, m)
}

func (e *Engine) addMember(m *member) error {
	if len(e.members) >= cpg.MaxLocal {
		return fmt.Errorf("%w: %d memberships are open", messaging.ErrInvalid, len(e.members))
	}
	e.nextID++
	body, err := e.groups.Join(e.nextID, m.pid, m.group)
	if err != nil {
		return err
	}
	m.id = e.nextID
	e.members[m.id] = m
	e.waiting = append(e.waiting, submission{body: body})
	return nil
}

// abandon undoes a join that nobody waits for.
func (e *Engine) abandon(m *member) {
	go e.post(func() {
		if m.id != 0 {
			e.dropMember(m, messaging.ReasonProcDown)
		}
	})
}

// dropMember makes a member leave; it runs in the engine's turn.
func (e *Engine) dropMember(m *member, why messaging.Reason) {
	if m.left {
		return
	}
	m.left = true
	m.queue.end(messaging.ErrClosed)
	m.bus.forget(m)
	delete(e.members, m.id)
	e.stats.closed++
	e.waiting = append(e.waiting, submission{body: e.groups.Leave(m.id, why)})
}

// endMembers ends all readers when the engine stops.
func (e *Engine) endMembers() {
	for _, m := range e.members {
		m.queue.end(messaging.ErrClosed)
	}
	for id, ask := range e.asked {
		ask <- messaging.ErrClosed
		delete(e.asked, id)
	}
}

// Self is the id of this membership.
func (m *member) Self() messaging.MemberID {
	return messaging.MemberID{Node: m.e.cfg.Self, Client: m.id}
}

// Multicast hands body over for total order. It waits while this member is too
// far ahead of the ring.
func (m *member) Multicast(ctx context.Context, body []byte) error {
	if len(body) > messaging.MaxMessage {
		return fmt.Errorf("%w: %d bytes", messaging.ErrTooBig, len(body))
	}
	if m.queue.crowded() {
		if err := m.letRead(ctx); err != nil {
			return err
		}
	}
	weight := min(int64(len(body)+sendOverhead), maxAhead)
	if err := m.acquire(ctx, weight); err != nil {
		return err
	}
	msg, err := m.e.groups.Multicast(m.id, body)
	if err != nil {
		m.ahead.Release(weight)
		return err
	}
	f := func() {
		if m.left {
			m.ahead.Release(weight)
			return
		}
		m.e.waiting = append(m.e.waiting, submission{body: msg, release: func() { m.ahead.Release(weight) }})
	}
	if m.e.handleHere(f) {
		return nil
	}
	if err := m.e.enqueue(ctx, f); err != nil {
		m.ahead.Release(weight)
		return err
	}
	return nil
}

// letRead gives this member's reader time: see crowdedEvents.
func (m *member) letRead(ctx context.Context) error {
	patience := m.e.cfg.Clock.NewTimer(crowdPatience)
	defer patience.Stop()
	for m.queue.crowded() {
		select {
		case <-m.queue.thin: // for this crowd, or one before
		case <-patience.C():
			return nil
		case <-m.e.done:
			return messaging.ErrClosed
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// acquire waits for room, for the end of ctx, or for the end of the engine.
func (m *member) acquire(ctx context.Context, weight int64) error {
	if err := m.queue.ended(); err != nil {
		return err
	}
	m.requests.Add(1)
	if m.ahead.TryAcquire(weight) {
		return nil
	}
	m.waits.Add(1)
	wait, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(m.e.ended(), cancel)
	defer stop()
	if err := m.ahead.Acquire(wait, weight); err != nil {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		return messaging.ErrClosed
	}
	return m.queue.ended()
}

// Next waits for the next event of the group.
func (m *member) Next(ctx context.Context) (messaging.Event, error) { return m.queue.next(ctx) }

// NextBatch waits for the next event and takes what else is there: at most count
// events, and no more after size bytes.
func (m *member) NextBatch(ctx context.Context, count, size int) ([]messaging.Event, error) {
	return m.queue.batch(ctx, count, size)
}

// Leave ends the membership.
func (m *member) Leave(ctx context.Context) error {
	return m.e.call(ctx, func() { m.e.dropMember(m, messaging.ReasonLeave) })
}

// Close leaves all groups that were joined through this client.
func (b *Bus) Close() error {
	b.mu.Lock()
	b.closed = true
	groups := slices.Collect(maps.Keys(b.groups))
	clear(b.groups)
	b.mu.Unlock()
	b.e.post(func() {
		for _, m := range groups {
			b.e.dropMember(m, messaging.ReasonProcDown)
		}
	})
	return nil
}

// WatchQuorum gives the view and its changes.
func (b *Bus) WatchQuorum(context.Context) (messaging.QuorumWatch, error) {
	return &watch{e: b.e, stop: make(chan struct{})}, nil
}

type watch struct {
	e       *Engine
	version uint64
	once    sync.Once
	stop    chan struct{}
}

// Next returns the present view, then waits for another one.
func (w *watch) Next(ctx context.Context) (messaging.QuorumView, error) {
	for {
		v, version, changed := w.e.current()
		if version != w.version {
			w.version = version
			return v, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return messaging.QuorumView{}, ctx.Err()
		case <-w.stop:
			return messaging.QuorumView{}, messaging.ErrClosed
		case <-w.e.done:
			return messaging.QuorumView{}, messaging.ErrClosed
		}
	}
}

// Close ends the watch.
func (w *watch) Close() error {
	w.once.Do(func() { close(w.stop) })
	return nil
}

// ask orders an operation and waits until it was carried out here.
func (b *Bus) ask(ctx context.Context, op operation) error {
	answer := make(chan error, 1)
	var failed error
	err := b.e.call(ctx, func() {
		if len(b.e.asked) >= maxAsked {
			failed = fmt.Errorf("%w: too many operations under way", messaging.ErrInvalid)
			return
		}
		b.e.nextAsk++
		op.Ask = b.e.nextAsk
		body, err := encodeMsgpack(&op)
		if err != nil {
			failed = err
			return
		}
		b.e.asked[op.Ask] = answer
		b.e.waiting = append(b.e.waiting, submission{body: b.e.groups.ServiceMessage(body)})
	})
	if err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	case <-b.e.done:
		return messaging.ErrClosed
	}
}

// SetExpectedVotes changes the expected votes on all nodes.
func (b *Bus) SetExpectedVotes(ctx context.Context, votes uint32) error {
	return b.ask(ctx, operation{Op: opExpected, Value: votes})
}

// SetVotes changes the votes of one node on all nodes.
func (b *Bus) SetVotes(ctx context.Context, node messaging.NodeID, votes uint32) error {
	return b.ask(ctx, operation{Op: opVotes, Node: node, Value: votes})
}

// SetCmap sets a key; quorum.cancel_wait_for_all has an effect on all nodes.
func (b *Bus) SetCmap(ctx context.Context, entry messaging.CmapEntry) error {
	if entry.Key == "quorum.cancel_wait_for_all" && entry.Value == "1" {
		return b.ask(ctx, operation{Op: opCancelWFA})
	}
	if entry.Key == "quorum.unregister_device" && entry.Value == "1" {
		return b.UnregisterDevice(ctx)
	}
	switch entry.Key {
	case dumpKey:
		if _, err := b.Dump(ctx); err != nil {
			return err
		}
		return b.e.cfg.Cmap.Set(entry)
	case gatherKey:
		if entry.Value == "yes" {
			return b.e.call(ctx, func() { b.e.step(&totem.ForceGather{}) })
		}
		return nil
	}
	if part, ok := strings.CutPrefix(entry.Key, clearKeys); ok {
		return b.ClearStats(ctx, part)
	}
	if err := cmap.CheckKey(entry.Key); err != nil {
		return err
	}
	if readOnly(entry.Key) {
		return fmt.Errorf("%w: %s follows corosync.conf: change the file and reload", messaging.ErrReadOnly, entry.Key)
	}
	if entry.Type == "" {
		if !b.e.cfg.Cmap.Delete(entry.Key) {
			return fmt.Errorf("%w: %s", messaging.ErrNoKey, entry.Key)
		}
		return nil
	}
	return b.e.cfg.Cmap.Set(entry)
}

// gatherKey makes the ring agree on its membership anew when it is set to yes.
const gatherKey = "runtime.force_gather"

// readOnly tells whether clients may not set a key: those that say what the
// configuration or the state of the cluster is, which a set would not change.
func readOnly(key string) bool {
	for _, p := range []string{
		"totem.", "nodelist.", "quorum.", "logging.", "system.", "config.", "internal_configuration.", "runtime.config.", "runtime.members.",
		"runtime.services.", "runtime.votequorum.", "runtime.totem.", "uidgid.config.", statsPrefix,
	} {
		if strings.HasPrefix(key, p) {
			return true
		}
	}
	return false
}

// Shutdown makes this node leave; Run returns.
func (b *Bus) Shutdown(ctx context.Context) error {
	return b.e.call(ctx, func() { b.e.stop() })
}
