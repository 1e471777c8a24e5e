// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/quorate/quorate/messaging"
)

// queueLen bounds the events that wait for their turn.
const queueLen = 4096

// A turn is the right to touch the engine's state: one goroutine at a time has
// it. An event is handled by the goroutine that brings it where the turn is free
// and nothing waits, which saves waking another for each packet of a quiet ring;
// else it waits in a channel for the goroutine of Run. So events of one source
// keep their order, and each is handled whole before the next.
type turn struct {
	free    chan struct{} // holds one while nobody has the turn
	waiting atomic.Int64  // events in the channel, or taken from it and not handled yet
	in      chan any
	upset   chan struct{} // has room for one: an event handled elsewhere ended the engine
	open    bool          // belongs to who has the turn; Run has begun and not ended
}

func newTurn() turn {
	return turn{free: make(chan struct{}, 1), in: make(chan any, queueLen), upset: make(chan struct{}, 1)}
}

// post has an event handled, now or in its turn; it waits while the channel is
// full. It must not be called with something locked that the engine needs.
func (e *Engine) post(ev any) {
	if !e.handleHere(ev) {
		_ = e.enqueue(context.Background(), ev)
	}
}

// handleHere handles an event in the caller's goroutine if it is its turn.
func (e *Engine) handleHere(ev any) bool {
	t := &e.turn
	if t.waiting.Load() > 0 {
		return false
	}
	select {
	case <-t.free:
	default:
		return false
	}
	defer t.pass()
	if !t.open {
		return false
	}
	defer e.dumpPanic()
	e.handle(ev)
	if e.trouble != nil {
		t.open = false
		t.upset <- struct{}{} // there is room: it is sent once
	}
	return true
}

// take waits for the turn, pass gives it up.
func (t *turn) take() { <-t.free }
func (t *turn) pass() { t.free <- struct{}{} }

// enqueue leaves an event to the goroutine of Run.
func (e *Engine) enqueue(ctx context.Context, ev any) error {
	e.turn.waiting.Add(1)
	select {
	case e.turn.in <- ev:
		return nil
	case <-e.done:
		e.turn.waiting.Add(-1)
		return messaging.ErrClosed
	case <-ctx.Done():
		e.turn.waiting.Add(-1)
		return ctx.Err()
	}
}

// serve handles events until ctx is done or the engine is in trouble. Nobody has
// had a turn before; and it keeps the turn then, so that what ends the engine is
// the caller's alone.
func (e *Engine) serve(ctx context.Context) {
	t := &e.turn
	t.open = true
	t.pass()
	for {
		select {
		case <-ctx.Done():
			t.take()
			t.open = false
			return
		case <-t.upset:
			t.take()
			return
		case ev := <-t.in:
			t.take()
			e.handle(ev)
			t.waiting.Add(-1)
			if e.trouble != nil {
				t.open = false
				return
			}
			t.pass()
		}
	}
}

// call runs f in the engine's turn and waits for it.
func (e *Engine) call(ctx context.Context, f func()) error {
	if e.handleHere(f) {
		return nil
	}
	ran := make(chan struct{})
	if err := e.enqueue(ctx, func() { f(); close(ran) }); err != nil {
		return err
	}
	select {
	case <-ran:
		return nil
	case <-e.done:
		return messaging.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Healthy comes back once the engine has had a turn, for a watchdog.
func (e *Engine) Healthy(ctx context.Context) error {
	return e.call(ctx, func() {})
}

// dumpPanic writes the recording when an event panics outside of Run and lets the
// panic go on.
func (e *Engine) dumpPanic() {
	if p := recover(); p != nil {
		e.dump(fmt.Sprintf("panic: %v", p), nil)
		panic(p)
	}
}
