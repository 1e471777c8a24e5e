// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ring

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/messaging/recorder"
	"github.com/quorate/quorate/messaging/totem"
)

// CoreName is what the header of a recording of the ring says.
const CoreName = "ring"

// Step lets the core take an event and records it; rec may be nil. The slice
// that it returns is valid until the core's next step.
func Step(rec *recorder.Recorder, core *totem.Core, now time.Duration, ev totem.Event) []totem.Action {
	if rec == nil {
		return core.Step(now, ev)
	}
	if rec.Due() {
		rec.Begin(now, core.AppendState)
	}
	actions := core.Step(now, ev)
	// After the step: a panic in it is recorded by the caller, see Panicked.
	rec.Event(now, func(b []byte) ([]byte, []byte) { return totem.AppendEventHead(b, ev) }, totem.Sum(actions))
	return actions
}

// Panicked records the event in whose step the core panicked, without a sum.
func Panicked(rec *recorder.Recorder, now time.Duration, ev totem.Event) {
	rec.Event(now, func(b []byte) ([]byte, []byte) { return totem.AppendEventHead(b, ev) }, 0)
}

// Text describes a recorded event.
func Text(r recorder.Record) string {
	ev, err := totem.DecodeEvent(r.Event)
	if err != nil {
		return err.Error()
	}
	return totem.EventString(ev)
}

// The faults of a replay.
var (
	ErrCore = errors.New("ring: a recording of another core")
	// ErrDiffers tells that the replay did something else than the recorded core.
	ErrDiffers = errors.New("ring: the replay differs from what was recorded")
	// ErrPanicked tells that the replayed core panicked.
	ErrPanicked = errors.New("ring: the core panicked")
)

// A Report is what a replay found.
type Report struct {
	Segments int
	Events   int
	// Core is the replayed core at its end.
	Core *totem.Core
}

// A Played is one event of a replay: what came, what the core answered, and the
// core after it. It is valid until the next event.
type Played struct {
	At      time.Duration
	Event   totem.Event
	Actions []totem.Action
	Core    *totem.Core
}

// Replay plays a recording; show, if set, is called after each event.
func Replay(rec *recorder.Recording, show func(Played)) (rep Report, err error) {
	if rec.Header.Core != CoreName {
		return rep, fmt.Errorf("%w: %q", ErrCore, rec.Header.Core)
	}
	for i := range rec.Segments {
		s := &rec.Segments[i]
		if rep.Core != nil && !bytes.Equal(rep.Core.AppendState(nil), s.State) {
			return rep, fmt.Errorf("%w: the state at the end of segment %d is not that at the beginning of the next", ErrDiffers, i)
		}
		if rep.Core, err = totem.Restore(s.State); err != nil {
			return rep, fmt.Errorf("ring: segment %d: %w", i+1, err)
		}
		for k := range s.Records {
			if err := replay(rep.Core, &s.Records[k], show); err != nil {
				return rep, fmt.Errorf("segment %d, event %d at %v: %w", i+1, k+1, s.Records[k].At, err)
			}
			rep.Events++
		}
		rep.Segments++
	}
	if rep.Core != nil && len(rec.Final) > 0 && !bytes.Equal(rep.Core.AppendState(nil), rec.Final) {
		return rep, fmt.Errorf("%w: the state at the end", ErrDiffers)
	}
	return rep, nil
}

// replay plays one event. The state comes from a file: what a true core never
// has may make this one panic, which is an answer and no reason to end.
func replay(c *totem.Core, r *recorder.Record, show func(Played)) (err error) {
	ev, err := totem.DecodeEvent(r.Event)
	if err != nil {
		return err
	}
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v", ErrPanicked, p)
		}
	}()
	actions := c.Step(r.At, ev)
	if show != nil {
		show(Played{At: r.At, Event: ev, Actions: actions, Core: c})
	}
	if sum := totem.Sum(actions); sum != r.Sum {
		return fmt.Errorf("%w: %s was answered otherwise (checksum %08x, recorded %08x)", ErrDiffers, totem.EventString(ev), sum, r.Sum)
	}
	return nil
}
