// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import "time"

// maxPaused bounds what waits for a paused host, like a socket's buffer.
const maxPaused = 4096

// A Host is where one node runs.
type Host struct {
	world   *World
	life    int // grows with each crash
	up      bool
	paused  bool
	waiting []func()
}

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
func (h *Host) Resume() {
	if !h.paused {
		return
	}
	h.paused = false
	life, waiting := h.life, h.waiting
	h.waiting = nil
	for _, f := range waiting {
		if h.life != life {
			return
		}
		h.Do(f)
	}
}

// After runs f on the host when d has passed, if it has not crashed by then.
func (h *Host) After(d time.Duration, f func()) {
	life := h.life
	h.world.After(d, func() {
		if h.life == life {
			h.Do(f)
		}
	})
}

// Do runs f on the host now, after the pause if it is paused, never if it is
// down.
func (h *Host) Do(f func()) {
	switch {
	case !h.up:
	case !h.paused:
		f()
	case len(h.waiting) < maxPaused:
		h.waiting = append(h.waiting, f)
	}
}
