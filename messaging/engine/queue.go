// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"time"

	"github.com/quorate/quorate/messaging"
)

// Bounds of a member's queue. One message of the largest size always fits.
const (
	maxQueuedEvents = 1 << 17
	maxQueuedBytes  = 4 * messaging.MaxMessage
	eventOverhead   = 64 // bytes that an event counts beside its body
)

// Bodies of messages that came whole in a packet lie in the memory of the batch
// that it came in. Those that wait for a slow reader must not keep all of that:
// from this many events on, bodies up to this size are copied.
const (
	longQueue = 1024
	loneBody  = 8 << 10
)

// A member whose own queue is longer than this, in events or bytes, sends slower:
// each message waits for it to be read, but no longer than crowdPatience, since who
// does not read at all is to be cut off, not to wait for itself.
const (
	crowdedEvents = 2048
	crowdedBytes  = 8 << 20
	crowdPatience = 100 * time.Millisecond
)

// An eventQueue carries events from the engine to one reader.
type eventQueue struct {
	fresh  bool // belongs to the engine: the reader was not woken since the last push
	mu     sync.Mutex
	events []messaging.Event // guarded by mu
	bytes  int               // guarded by mu
	err    error             // guarded by mu; why it ended
	signal chan struct{}     // has room for one
	thin   chan struct{}     // has room for one: the queue is not crowded any more
}

func newEventQueue() *eventQueue {
	return &eventQueue{signal: make(chan struct{}, 1), thin: make(chan struct{}, 1)}
}

func sizeOf(ev messaging.Event) int {
	switch ev := ev.(type) {
	case *messaging.Message:
		return len(ev.Body) + eventOverhead
	case *messaging.ConfigChange:
		return eventOverhead * (1 + len(ev.Members) + len(ev.Joined) + len(ev.Left))
	}
	return eventOverhead
}

// push adds an event, of which [eventQueue.wake] tells the reader; false means that
// the queue is over its bound and has ended with ErrCutOff.
func (q *eventQueue) push(ev messaging.Event) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err != nil {
		return true
	}
	size := sizeOf(ev)
	if len(q.events) >= maxQueuedEvents || len(q.events) > 0 && q.bytes+size > maxQueuedBytes {
		q.endLocked(messaging.ErrCutOff)
		return false
	}
	if m, ok := ev.(*messaging.Message); ok && len(q.events) >= longQueue && len(m.Body) <= loneBody {
		ev = &messaging.Message{From: m.From, Body: bytes.Clone(m.Body)}
	}
	q.events = append(q.events, ev)
	q.bytes += size
	return true
}

// wake tells the reader of what was pushed.
func (q *eventQueue) wake() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wakeLocked()
}

func (q *eventQueue) end(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.endLocked(err)
}

func (q *eventQueue) endLocked(err error) {
	if q.err == nil {
		q.err, q.events, q.bytes = err, nil, 0
		q.wakeLocked()
		q.thinLocked()
	}
}

func (q *eventQueue) wakeLocked() {
	select {
	case q.signal <- struct{}{}:
	default:
	}
}

// next takes the oldest event, waiting for one.
func (q *eventQueue) next(ctx context.Context) (messaging.Event, error) {
	evs, err := q.batch(ctx, 1, 0)
	if err != nil {
		return nil, err
	}
	return evs[0], nil
}

// batch takes the oldest events, waiting for one: at most count, and no more
// after one has brought the bodies to size bytes.
func (q *eventQueue) batch(ctx context.Context, count, size int) ([]messaging.Event, error) {
	for {
		q.mu.Lock()
		if q.err != nil {
			err := q.err
			q.wakeLocked() // for the next call
			q.mu.Unlock()
			return nil, err
		}
		if len(q.events) > 0 {
			out := q.takeLocked(count, size)
			q.mu.Unlock()
			return out, nil
		}
		q.mu.Unlock()
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-q.signal:
		}
	}
}

func (q *eventQueue) takeLocked(count, size int) []messaging.Event {
	n, bytes := 0, 0
	for n < len(q.events) && n < count && (n == 0 || bytes < size) {
		bytes += sizeOf(q.events[n])
		n++
	}
	out := slices.Clone(q.events[:n])
	clear(q.events[:n])
	crowded := q.crowdedLocked()
	q.events = q.events[n:]
	q.bytes -= bytes
	if crowded && !q.crowdedLocked() {
		q.thinLocked()
	}
	if len(q.events) == 0 {
		q.events = nil
	} else {
		q.wakeLocked()
	}
	return out
}

func (q *eventQueue) crowdedLocked() bool {
	return len(q.events) > crowdedEvents || q.bytes > crowdedBytes
}

func (q *eventQueue) thinLocked() {
	select {
	case q.thin <- struct{}{}:
	default:
	}
}

func (q *eventQueue) crowded() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.crowdedLocked()
}

// len is how many events wait.
func (q *eventQueue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.events)
}

// ended tells why the queue has ended, or nil.
func (q *eventQueue) ended() error {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.err
}
