// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package hub

import (
	"math/rand/v2"
	"slices"
	"time"
)

// A Port is one socket of the switch.
type Port int

// A Pair is one direction between two ports.
type Pair struct{ From, To Port }

// Faults say what a direction does to frames. The zero value carries all at once.
type Faults struct {
	// Cut loses everything.
	Cut bool
	// Loss, Duplicate, Corrupt and Truncate are shares of frames, 0 to 1. Corrupt
	// and Truncate change the content of UDP packets such that the receiver's
	// kernel still takes them.
	Loss, Duplicate, Corrupt, Truncate float64
	// Delay holds each frame back, and up to Jitter longer; frames overtake each
	// other unless Ordered.
	Delay, Jitter time.Duration
	Ordered       bool
	// Reorder is the share of frames that are held back by Late in addition.
	Reorder float64
	Late    time.Duration
	// MTU loses, without a word, IP packets that are larger; 0 is no limit.
	MTU int
	// Rate is in bytes per second, 0 is no limit; up to Queue bytes wait, what
	// comes then is lost.
	Rate, Queue int
	// Down and Up, both set, lose everything for Down, then nothing for Up, and so
	// on from the beginning of the model's time.
	Down, Up time.Duration
}

// A Fate is what becomes of one frame in one direction.
type Fate string

// The fates.
const (
	Carried   Fate = "carried"
	Lost      Fate = "lost"
	IsCut     Fate = "cut"
	TooLarge  Fate = "too large"
	QueueFull Fate = "queue full"
	Corrupted Fate = "corrupted"
	Truncated Fate = "truncated"
	Doubled   Fate = "doubled"
)

// A Delivery is a frame that is due at a time.
type Delivery struct {
	At    time.Duration
	To    Port
	Frame []byte
}

// A Model decides what becomes of frames. It is not safe for concurrent use.
type Model struct {
	seed  uint64
	pairs map[Pair]*direction
}

type direction struct {
	faults Faults
	rand   *rand.Rand
	free   time.Duration // when the rate lets the next frame go
	last   time.Duration // when the last one is due, for Ordered
}

// NewModel makes a model without faults.
func NewModel(seed uint64) *Model { return &Model{seed: seed, pairs: map[Pair]*direction{}} }

func (m *Model) direction(p Pair) *direction {
	d := m.pairs[p]
	if d == nil {
		d = &direction{rand: rand.New(rand.NewPCG(m.seed, uint64(p.From)<<32|uint64(p.To)))}
		m.pairs[p] = d
	}
	return d
}

// Set gives a direction its faults from now on.
func (m *Model) Set(p Pair, f Faults) { m.direction(p).faults = f }

// Faults returns the faults of a direction.
func (m *Model) Faults(p Pair) Faults { return m.direction(p).faults }

// Step takes a frame that was sent at now. Frames that it changes are copies.
func (m *Model) Step(now time.Duration, p Pair, frame []byte) ([]Delivery, Fate) {
	d := m.direction(p)
	f := &d.faults
	if lost, fate := d.lost(now, frame); lost {
		return nil, fate
	}
	fate := Carried
	if d.hit(f.Corrupt) {
		if changed := corrupt(frame, d.rand); changed != nil {
			frame, fate = changed, Corrupted
		}
	}
	if d.hit(f.Truncate) {
		if changed := truncate(frame, d.rand); changed != nil {
			frame, fate = changed, Truncated
		}
	}
	at := now
	if f.Rate > 0 {
		d.free = max(d.free, now)
		waiting := int(int64(d.free-now) * int64(f.Rate) / int64(time.Second))
		if waiting+len(frame) > max(f.Queue, len(frame)) {
			return nil, QueueFull
		}
		d.free += time.Duration(int64(len(frame)) * int64(time.Second) / int64(f.Rate))
		at = d.free
	}
	out := []Delivery{{At: d.due(at), To: p.To, Frame: frame}}
	if d.hit(f.Duplicate) {
		out = append(out, Delivery{At: d.due(at), To: p.To, Frame: slices.Clone(frame)})
		if fate == Carried {
			fate = Doubled
		}
	}
	return out, fate
}

func (d *direction) lost(now time.Duration, frame []byte) (bool, Fate) {
	f := &d.faults
	switch {
	case f.Cut, f.Down > 0 && f.Up > 0 && now%(f.Down+f.Up) < f.Down:
		return true, IsCut
	case d.hit(f.Loss):
		return true, Lost
	case f.MTU > 0 && len(frame)-etherHeader > f.MTU:
		return true, TooLarge
	}
	return false, ""
}

// hit draws only where there is something to draw for: so a fault that is
// switched on does not shift the fates of others.
func (d *direction) hit(share float64) bool { return share > 0 && d.rand.Float64() < share }

func (d *direction) due(at time.Duration) time.Duration {
	f := &d.faults
	at += f.Delay
	if f.Jitter > 0 {
		at += time.Duration(d.rand.Int64N(int64(f.Jitter)))
	}
	if d.hit(f.Reorder) {
		at += f.Late
	}
	if f.Ordered {
		at = max(at, d.last)
		d.last = at
	}
	return at
}
