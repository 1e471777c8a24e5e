// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/crmd/core"
	"github.com/quorate/quorate/crmd/fencing"
	"github.com/quorate/quorate/crmd/wire"
	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/pengine"
	"github.com/quorate/quorate/transition"
)

// Bounds of the shell.
const (
	maxEvents   = 4096    // events that wait for the core
	maxQueued   = 1 << 16 // effects of one kind that wait to be done
	firstRetry  = 50 * time.Millisecond
	longRetry   = 2 * time.Second
	stopTimeout = 5 * time.Second
)

// errOverflow ends the controller: something below has not answered for so long
// that its queue is full. A supervisor starts it anew.
var errOverflow = errors.New("crmd: too much waits for a daemon that does not answer")

// A Fencer runs a fence device.
type Fencer interface {
	Fence(ctx context.Context, d fencing.Device, action, target string, timeout time.Duration) error
}

// An Observer is told what happens, for metrics. It must not block.
type Observer interface {
	State(from, to string)
	Election()
	Transition(d transition.Done, took time.Duration)
	Action(operation string)
	Fencing(state string)
}

// Config is what a controller works with.
type Config struct {
	Core     core.Config
	Bus      messaging.Bus
	Store    cib.Store
	Exec     lrmd.Executor
	Policy   pengine.Engine
	Engine   transition.Engine
	Fencer   Fencer
	Clock    clock.Clock
	Log      *slog.Logger
	Observer Observer // may be nil
}

// An Engine is a running controller.
type Engine struct {
	cfg    Config
	core   *core.Core
	events chan func(core.Time)
	ctx    context.Context //nolint:containedctx // of the run, for goroutines that effects start
	cancel context.CancelCauseFunc
	wg     sync.WaitGroup
	done   chan struct{}

	// The workers, each with its queue.
	sends   *queue[*wire.Message]
	writes  *queue[core.Effect]
	execs   *keyed
	group   groupHandle
	run     runHandle
	leaving atomic.Bool
	timers  map[string]*timer // owned by the loop
	runs    int               // transitions begun, owned by the loop
	endRun  context.CancelFunc

	// Calls of the API that wait for a Reply, owned by the loop.
	replies map[core.Token]chan core.Reply
	tokens  core.Token
}

type timer struct {
	t   clock.Timer
	gen int
}

// New makes a controller; [Engine.Run] runs it.
func New(cfg Config) *Engine {
	return &Engine{
		cfg: cfg, core: core.New(cfg.Core), events: make(chan func(core.Time), maxEvents), done: make(chan struct{}),
		sends: newQueue[*wire.Message](), writes: newQueue[core.Effect](), execs: newKeyed(),
		timers: map[string]*timer{}, replies: map[core.Token]chan core.Reply{},
	}
}

// Run runs the controller until it has left the cluster (nil), was fenced
// (core.ErrFenced), or ctx ends.
func (e *Engine) Run(ctx context.Context) error {
	ctx, e.cancel = context.WithCancelCause(ctx)
	e.ctx = ctx
	defer close(e.done)
	defer e.wg.Wait()
	defer e.cancel(nil)
	e.core.Start(e.now())
	e.effects()
	e.wg.Go(func() { e.watchQuorum(ctx) })
	e.wg.Go(func() { e.watchCIB(ctx) })
	e.wg.Go(func() { e.watchExecutor(ctx) })
	e.wg.Go(func() { e.sender(ctx) })
	e.wg.Go(func() { e.writer(ctx) })
	for {
		select {
		case <-ctx.Done():
			if err := context.Cause(ctx); !errors.Is(err, errLeft) {
				return err
			}
			return nil
		case f := <-e.events:
			f(e.now())
			e.effects()
		}
	}
}

// errLeft is the cause of an orderly end.
var errLeft = errors.New("crmd: left the cluster")

func (e *Engine) now() core.Time {
	return core.Time{Mono: e.cfg.Clock.Now(), Wall: e.cfg.Clock.Wall()}
}

// post hands an event to the core. It blocks while the core is behind.
func (e *Engine) post(f func(core.Time)) {
	select {
	case e.events <- f:
	case <-e.ctx.Done():
	}
}

// Health tells whether the core answers.
func (e *Engine) Health(ctx context.Context) error {
	answered := make(chan struct{})
	select {
	case e.events <- func(core.Time) { close(answered) }:
	case <-ctx.Done():
		return ctx.Err()
	case <-e.done:
		return nil
	}
	select {
	case <-answered:
		return nil
	case <-e.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// effects carries out what the core asks for.
func (e *Engine) effects() {
	for _, eff := range e.core.Take() {
		e.effect(eff)
	}
}

func (e *Engine) effect(eff core.Effect) {
	switch x := eff.(type) {
	case core.JoinGroup:
		e.wg.Go(func() { e.joinGroup(e.ctx) })
	case core.LeaveGroup:
		e.cfg.Log.Info("leaving the cluster", "cause", x.Why)
		e.leaving.Store(true)
		e.wg.Go(e.leave)
	case core.Send:
		e.full(e.sends.push(x.Msg))
	case core.Write, core.Attr:
		e.full(e.writes.push(x))
	case core.Compute:
		e.wg.Go(func() { e.compute(x) })
	case core.Begin:
		e.begin(x)
	case core.Confirm, core.Abort:
		e.full(e.run.push(x))
	case core.Execute:
		e.full(e.execs.push(e, x.Op.Resource, func() { e.execute(x) }))
	case core.CancelOp:
		e.full(e.execs.push(e, x.Resource, func() { e.cancelOp(x) }))
	case core.ForgetRsc:
		e.full(e.execs.push(e, x.Resource, func() { e.forget(x) }))
	case core.Metadata:
		e.wg.Go(func() { e.metadata(x) })
	case core.RunFence:
		e.wg.Go(func() { e.fence(x) })
	case core.SetTimer:
		e.setTimer(x)
	case core.StopTimer:
		if t := e.timers[x.Name]; t != nil {
			t.t.Stop()
			t.gen++
		}
	default:
		e.report(eff)
	}
}

// report tells people, programs and callers.
func (e *Engine) report(eff core.Effect) {
	switch x := eff.(type) {
	case core.Reply:
		if ch := e.replies[x.Token]; ch != nil {
			delete(e.replies, x.Token)
			ch <- x
		}
	case core.Log:
		e.cfg.Log.Log(e.ctx, level(x.Level), x.Msg, x.Attrs...) //nolint:sloglint // sentences of Pacemaker that people and tools look for
	case core.StateChanged:
		e.cfg.Log.Info("State transition "+string(x.From)+" -> "+string(x.To), "from", x.From, "to", x.To, "input", x.Input, "cause", x.Cause) //nolint:sloglint // as above
		if o := e.cfg.Observer; o != nil {
			o.State(string(x.From), string(x.To))
		}
	case core.RunEnded:
		if o := e.cfg.Observer; o != nil {
			o.Transition(x.Done, x.Took)
		}
	case core.Note:
		e.note(x)
	case core.Exit:
		e.cancel(x.Err)
	}
}

func (e *Engine) note(x core.Note) {
	o := e.cfg.Observer
	if o == nil {
		return
	}
	switch x.What {
	case "election":
		o.Election()
	case "action":
		o.Action(x.Label)
	case "fence":
		o.Fencing(x.Label)
	}
}

func level(l core.Level) slog.Level {
	return [...]slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError}[l]
}

// full ends the controller where a queue overflowed.
func (e *Engine) full(ok bool) {
	if !ok {
		e.cancel(errOverflow)
	}
}

func (e *Engine) setTimer(x core.SetTimer) {
	t := e.timers[x.Name]
	if t == nil {
		t = &timer{}
		e.timers[x.Name] = t
	}
	if t.t != nil {
		t.t.Stop()
	}
	t.gen++
	gen, name := t.gen, x.Name
	t.t = e.cfg.Clock.AfterFunc(max(x.At-e.cfg.Clock.Now(), 0), func() {
		e.post(func(now core.Time) {
			if t.gen == gen {
				e.core.TimerFired(now, name)
			}
		})
	})
}

// pause waits between attempts; it tells whether to go on.
func (e *Engine) pause(ctx context.Context, attempt int) bool {
	d := longRetry
	if attempt < 6 {
		d = min(firstRetry<<attempt, longRetry)
	}
	t := e.cfg.Clock.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C():
		return true
	}
}

// leave ends the membership and the controller, once what was sent is out.
func (e *Engine) leave() {
	ctx, cancel := context.WithTimeout(e.ctx, stopTimeout)
	defer cancel()
	if g := e.group.get(); g != nil {
		if err := g.Leave(ctx); err != nil {
			e.cfg.Log.Warn("group not left", "error", fmt.Sprint(err))
		}
	}
	e.cancel(errLeft)
}
