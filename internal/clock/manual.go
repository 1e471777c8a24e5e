// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package clock

import (
	"sync"
	"time"
)

// A Manual clock stands still until it is advanced. It is for tests and
// simulations that need no goroutines of their own; calls of AfterFunc are made
// by Advance, in the order of their instants.
type Manual struct {
	mu     sync.Mutex
	now    time.Duration // guarded by mu
	wall   time.Time     // calendar time at now 0
	timers []*manualTimer
}

// NewManual returns a clock that shows 0 and the given calendar time.
func NewManual(wall time.Time) *Manual { return &Manual{wall: wall} }

// Now implements Clock.
func (m *Manual) Now() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.now
}

// Wall implements Clock.
func (m *Manual) Wall() time.Time { return m.wall.Add(m.Now()) }

// AfterFunc implements Clock.
func (m *Manual) AfterFunc(d time.Duration, f func()) Timer {
	t := &manualTimer{m: m, f: f}
	t.Reset(d)
	return t
}

// NewTimer implements Clock.
func (m *Manual) NewTimer(d time.Duration) ChanTimer {
	ch := make(chan time.Time, 1)
	t := &manualTimer{m: m, ch: ch}
	t.f = func() {
		select {
		case ch <- m.Wall():
		default:
		}
	}
	t.Reset(d)
	return t
}

// Advance moves the clock on by d and makes the calls that fall due, one after
// the other, each at its own instant.
func (m *Manual) Advance(d time.Duration) {
	m.mu.Lock()
	end := m.now + d
	for {
		t := m.nextLocked(end)
		if t == nil {
			break
		}
		m.now = max(m.now, t.at)
		m.removeLocked(t)
		m.mu.Unlock()
		t.f()
		m.mu.Lock()
	}
	m.now = end
	m.mu.Unlock()
}

func (m *Manual) nextLocked(end time.Duration) *manualTimer {
	var next *manualTimer
	for _, t := range m.timers {
		if t.at <= end && (next == nil || t.at < next.at) {
			next = t
		}
	}
	return next
}

func (m *Manual) removeLocked(t *manualTimer) bool {
	for i, x := range m.timers {
		if x == t {
			m.timers = append(m.timers[:i], m.timers[i+1:]...)
			return true
		}
	}
	return false
}

type manualTimer struct {
	m  *Manual
	at time.Duration // guarded by m.mu
	f  func()
	ch chan time.Time // nil for AfterFunc
}

func (t *manualTimer) C() <-chan time.Time { return t.ch }

func (t *manualTimer) Stop() bool {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	t.drain()
	return t.m.removeLocked(t)
}

func (t *manualTimer) Reset(d time.Duration) bool {
	t.m.mu.Lock()
	defer t.m.mu.Unlock()
	t.drain()
	active := t.m.removeLocked(t)
	t.at = t.m.now + d
	t.m.timers = append(t.m.timers, t)
	return active
}

// drain takes back a value that was sent but not read, as time.Timer does.
func (t *manualTimer) drain() {
	select {
	case <-t.ch:
	default:
	}
}
