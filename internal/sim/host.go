// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"slices"
	"time"
)

// maxPaused bounds what waits for a paused host, like a socket's buffer.
const maxPaused = 4096

// A Host is where one node runs.
type Host struct {
	world   *World
	life    int // grows with each crash
	up      bool
	paused  bool
	waiting []waiting
	clock   Clock
}

// waiting is what a paused host has to do.
type waiting struct {
	timer bool
	run   func()
}

// A Clock is what a host reads: it runs fast or slow, and from an origin of its
// own.
type Clock struct {
	Origin time.Duration
	// Drift is how much it gains in a second, in parts of a million.
	Drift int64
}

// read gives what the clock shows at a time of the world.
func (c Clock) read(now time.Duration) time.Duration {
	return c.Origin + now + now/1e6*time.Duration(c.Drift)
}

// wait gives the time of the world in which a timer of the host runs off.
func (c Clock) wait(d time.Duration) time.Duration { return d - d/1e6*time.Duration(c.Drift) }

// SetClock gives the host a clock; the zero Clock is the world's.
func (h *Host) SetClock(c Clock) { h.clock = c }

// Now gives the time that the host's clock shows.
func (h *Host) Now() time.Duration { return h.clock.read(h.world.Now()) }

// NewHost makes a host that is down.
func NewHost(w *World) *Host { return &Host{world: w} }

// Up tells whether the host runs, be it paused.
func (h *Host) Up() bool { return h.up }

// Paused tells whether the host is frozen.
func (h *Host) Paused() bool { return h.paused }

// Start makes the host run.
func (h *Host) Start() { h.up = true }

// Crash stops the host: whatever was to happen on it does not.
func (h *Host) Crash() {
	h.life++
	h.up, h.paused, h.waiting = false, false, nil
}

// Pause freezes the host; what should happen meanwhile waits.
func (h *Host) Pause() { h.paused = h.up }

// Resume lets a paused host go on with what waited, in order.
func (h *Host) Resume() { h.resume(false) }

// ResumeTimersFirst lets a paused host go on with the timers that ran off
// meanwhile, then with the rest, as a program may that asks its sockets last.
func (h *Host) ResumeTimersFirst() { h.resume(true) }

func (h *Host) resume(timersFirst bool) {
	if !h.paused {
		return
	}
	h.paused = false
	life, todo := h.life, h.waiting
	h.waiting = nil
	if timersFirst {
		slices.SortStableFunc(todo, func(a, b waiting) int {
			switch {
			case a.timer == b.timer:
				return 0
			case a.timer:
				return -1
			}
			return 1
		})
	}
	for _, w := range todo {
		if h.life != life {
			return
		}
		h.do(w.run, w.timer)
	}
}

// After runs f on the host when d has passed on its clock, if it has not crashed
// by then.
func (h *Host) After(d time.Duration, f func()) {
	life := h.life
	h.world.After(h.clock.wait(d), func() {
		if h.life == life {
			h.do(f, true)
		}
	})
}

// Do runs f on the host now, after the pause if it is paused, never if it is
// down.
func (h *Host) Do(f func()) { h.do(f, false) }

func (h *Host) do(f func(), timer bool) {
	switch {
	case !h.up:
	case !h.paused:
		f()
	case len(h.waiting) < maxPaused:
		h.waiting = append(h.waiting, waiting{timer, f})
	}
}
