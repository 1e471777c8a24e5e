// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"math/rand/v2"
	"time"
)

// A World is one run: clock, events and random source. It is for one goroutine.
type World struct {
	now    time.Duration
	events eventHeap
	made   uint64
	rng    *rand.Rand
	hash   uint64
	steps  uint64
}

// New makes a world from a seed.
func New(seed uint64) *World {
	return &World{rng: rand.New(rand.NewPCG(seed, 0x51_0b_a7_e5)), hash: 14695981039346656037}
}

// Now gives the virtual time.
func (w *World) Now() time.Duration { return w.now }

// Rand gives the world's random source.
func (w *World) Rand() *rand.Rand { return w.rng }

// Steps gives the number of events that ran.
func (w *World) Steps() uint64 { return w.steps }

// Pending gives the number of events that are to come.
func (w *World) Pending() int { return len(w.events) }

// Hash gives the hash of everything mixed in so far.
func (w *World) Hash() uint64 { return w.hash }

// Mix adds a value to the hash of the run.
func (w *World) Mix(v uint64) {
	for range 8 {
		w.hash = (w.hash ^ v&0xff) * 1099511628211
		v >>= 8
	}
}

// Chance is true with the given probability.
func (w *World) Chance(p float64) bool { return p > 0 && w.rng.Float64() < p }

// Between gives a random duration in [low, high].
func (w *World) Between(low, high time.Duration) time.Duration {
	if high <= low {
		return low
	}
	return low + time.Duration(w.rng.Int64N(int64(high-low)+1))
}

// After runs f when d has passed.
func (w *World) After(d time.Duration, f func()) {
	w.made++
	w.events.push(event{at: w.now + max(d, 0), order: w.made, run: f})
}

// Run runs events until the given time, or until stop is true after one.
// It tells whether stop was.
func (w *World) Run(until time.Duration, stop func() bool) bool {
	for len(w.events) > 0 && w.events[0].at <= until {
		e := w.events.pop()
		w.now = e.at
		w.steps++
		e.run()
		if stop != nil && stop() {
			return true
		}
	}
	w.now = max(w.now, until)
	return false
}

type event struct {
	at    time.Duration
	order uint64
	run   func()
}

// eventHeap is a binary heap, by time and then by order.
type eventHeap []event

func (e *event) before(o *event) bool { return e.at < o.at || e.at == o.at && e.order < o.order }

func (h *eventHeap) push(e event) {
	*h = append(*h, e)
	s := *h
	i := len(s) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !e.before(&s[up]) {
			break
		}
		s[i], i = s[up], up
	}
	s[i] = e
}

func (h *eventHeap) pop() event {
	s := *h
	first, last := s[0], s[len(s)-1]
	s[len(s)-1] = event{}
	s = s[:len(s)-1]
	*h = s
	i := 0
	for 2*i+1 < len(s) {
		down := 2*i + 1
		if down+1 < len(s) && s[down+1].before(&s[down]) {
			down++
		}
		if !s[down].before(&last) {
			break
		}
		s[i], i = s[down], down
	}
	if len(s) > 0 {
		s[i] = last
	}
	return first
}
