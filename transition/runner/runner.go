// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package runner

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/transition"
	"github.com/quorate/quorate/transition/graph"
	"github.com/quorate/quorate/transition/machine"
)

// maxCalls bounds the confirmations and aborts that wait for a run's goroutine;
// further callers block.
const maxCalls = 64

// An Observer is told how runs went, for metrics. Its methods must not block.
type Observer interface {
	RunDone(d *transition.Done, took time.Duration)
	ActionDone(a *graph.Action, result string, took time.Duration)
}

// Config is what an engine needs.
type Config struct {
	Clock    clock.Clock
	Log      *slog.Logger
	Observer Observer // may be nil
}

// An Engine carries out graphs in this process.
type Engine struct {
	cfg     Config
	mu      sync.Mutex
	current *run // guarded by mu
	closed  bool // guarded by mu
	wg      sync.WaitGroup
}

// New makes an engine.
func New(cfg Config) *Engine {
	if cfg.Observer == nil {
		cfg.Observer = nobody{}
	}
	return &Engine{cfg: cfg}
}

type nobody struct{}

func (nobody) RunDone(*transition.Done, time.Duration)         {}
func (nobody) ActionDone(*graph.Action, string, time.Duration) {}

// Begin implements [transition.Engine].
func (e *Engine) Begin(_ context.Context, g *graph.Graph, opts transition.Options) (transition.Run, error) {
	m, err := machine.New(g, opts)
	if err != nil {
		return nil, fmt.Errorf("begin graph %s: %w", g.Attr("transition_id"), err)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, transition.ErrClosed
	}
	if e.current != nil {
		e.current.stop()
	}
	r := &run{
		m: m, cfg: e.cfg, calls: make(chan call, maxCalls), quit: make(chan struct{}),
		wake: make(chan struct{}, 1), fired: map[int]time.Duration{}, began: e.cfg.Clock.Now(),
	}
	e.current = r
	e.wg.Go(r.loop)
	return r, nil
}

// Close ends the run under way and waits for its goroutine.
func (e *Engine) Close() error {
	e.mu.Lock()
	e.closed = true
	if e.current != nil {
		e.current.stop()
	}
	e.mu.Unlock()
	e.wg.Wait()
	return nil
}

type call struct {
	confirm *transition.Confirm
	abort   *transition.Abort
	reply   chan error
}

type run struct {
	m        *machine.Machine
	cfg      Config
	calls    chan call
	quit     chan struct{}
	stopOnce sync.Once
	began    time.Duration
	fired    map[int]time.Duration // owned by loop

	// wake has a token when steps were added. The steps are bounded by the
	// actions of the graph: each is fired once and times out at most once.
	wake  chan struct{}
	mu    sync.Mutex
	steps []transition.Step // guarded by mu
	ended bool              // guarded by mu; Done was handed out
}

func (r *run) stop() { r.stopOnce.Do(func() { close(r.quit) }) }

func (r *run) loop() {
	r.emit(r.m.Start(r.cfg.Clock.Now()))
	timer := r.cfg.Clock.NewTimer(time.Hour)
	defer timer.Stop()
	for r.m.Over() == nil {
		var due <-chan time.Time
		if at, ok := r.m.Deadline(); ok {
			timer.Reset(max(at-r.cfg.Clock.Now(), 0))
			due = timer.C()
		}
		select {
		case <-r.quit:
			return
		case <-due:
			r.emit(r.m.Tick(r.cfg.Clock.Now()))
		case c := <-r.calls:
			c.reply <- r.serve(c)
		}
	}
	for { // late confirmations of a run that is over change nothing
		select {
		case <-r.quit:
			return
		case c := <-r.calls:
			c.reply <- nil
		}
	}
}

func (r *run) serve(c call) error {
	now := r.cfg.Clock.Now()
	if c.confirm == nil && c.abort == nil {
		return nil // only whether this goroutine answers
	}
	if c.abort != nil {
		r.emit(r.m.Abort(now, *c.abort))
		return nil
	}
	inFlight := r.action(c.confirm.ActionID)
	out, err := r.m.Confirm(now, *c.confirm)
	if err != nil {
		return err
	}
	if inFlight != nil {
		r.observe(inFlight, result(*c.confirm))
	}
	r.emit(out)
	return nil
}

func (r *run) action(id int) *graph.Action {
	for _, a := range r.m.InFlight() {
		if a.ID == id {
			return a
		}
	}
	return nil
}

func result(c transition.Confirm) string {
	switch {
	case c.Failed && c.CanFail:
		return "ignored"
	case c.Failed:
		return "failed"
	}
	return "done"
}

func (r *run) observe(a *graph.Action, res string) {
	r.cfg.Observer.ActionDone(a, res, r.cfg.Clock.Now()-r.fired[a.ID])
	delete(r.fired, a.ID)
}

func (r *run) emit(out machine.Output) {
	var steps []transition.Step
	for _, a := range out.Timeouts {
		r.cfg.Log.Warn("action timed out", "action", a.ID, "key", a.OperationKey, "node", a.OnNode)
		r.observe(a, "timeout")
		steps = append(steps, &transition.Timeout{Action: a})
	}
	for _, a := range out.Fire {
		r.cfg.Log.Debug("action fired", "action", a.ID, "key", a.OperationKey, "node", a.OnNode)
		r.fired[a.ID] = r.cfg.Clock.Now()
		steps = append(steps, &transition.Fire{Action: a})
	}
	if out.Done != nil {
		took := r.cfg.Clock.Now() - r.began
		r.cfg.Log.Info("run ended", "status", out.Done.Status, "completed", out.Done.Completed,
			"skipped", out.Done.Skipped, "incomplete", out.Done.Incomplete, "why", out.Done.Why, "took", took)
		r.cfg.Observer.RunDone(out.Done, took)
		steps = append(steps, out.Done)
	}
	if len(steps) == 0 {
		return
	}
	r.mu.Lock()
	r.steps = append(r.steps, steps...)
	r.mu.Unlock()
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// Next implements [transition.Run].
func (r *run) Next(ctx context.Context) (transition.Step, error) {
	for {
		r.mu.Lock()
		if len(r.steps) > 0 {
			s := r.steps[0]
			r.steps = r.steps[1:]
			if _, last := s.(*transition.Done); last {
				r.ended = true
			}
			r.mu.Unlock()
			return s, nil
		}
		ended := r.ended
		r.mu.Unlock()
		if ended {
			return nil, transition.ErrClosed
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-r.quit:
			return nil, transition.ErrClosed
		case <-r.wake:
		}
	}
}

// Confirm implements [transition.Run].
func (r *run) Confirm(ctx context.Context, c transition.Confirm) error {
	return r.ask(ctx, call{confirm: &c})
}

// Abort implements [transition.Run].
func (r *run) Abort(ctx context.Context, a transition.Abort) error {
	return r.ask(ctx, call{abort: &a})
}

func (r *run) ask(ctx context.Context, c call) error {
	c.reply = make(chan error, 1)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.quit:
		return transition.ErrClosed
	case r.calls <- c:
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-r.quit:
		return transition.ErrClosed
	case err := <-c.reply:
		return err
	}
}
