// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/quorate/quorate/crmd/core"
	"github.com/quorate/quorate/pengine"
	"github.com/quorate/quorate/transition"
	"github.com/quorate/quorate/transition/graph"
)

// execPatience bounds how long an operation waits for an executor that does not
// answer: a restart of the daemon takes less.
const execPatience = 100

func (e *Engine) execute(x core.Execute) {
	var call int
	err := e.patiently(func() (err error) {
		call, err = e.cfg.Exec.Execute(e.ctx, x.Op)
		return err
	})
	e.post(func(now core.Time) { e.core.Accepted(now, x.Token, call, err) })
}

func (e *Engine) cancelOp(x core.CancelOp) {
	var known bool
	err := e.patiently(func() (err error) {
		known, err = e.cfg.Exec.Cancel(e.ctx, x.Resource, x.Action, x.Interval)
		return err
	})
	e.post(func(now core.Time) { e.core.Cancelled(now, x.Token, known, err) })
}

func (e *Engine) forget(x core.ForgetRsc) {
	err := e.patiently(func() error { return e.cfg.Exec.Forget(e.ctx, x.Resource) })
	e.post(func(now core.Time) { e.core.Cancelled(now, x.Token, true, err) })
}

// patiently tries again while the executor does not answer.
func (e *Engine) patiently(f func() error) error {
	var err error
	for attempt := range execPatience {
		if err = f(); !transient(err) || !e.pause(e.ctx, attempt) {
			break
		}
	}
	return err
}

// metadataTimeout bounds an agent's meta-data action.
const metadataTimeout = 10 * time.Second

func (e *Engine) metadata(x core.Metadata) {
	ctx, cancel := context.WithTimeout(e.ctx, metadataTimeout)
	defer cancel()
	text, err := e.cfg.Exec.Metadata(ctx, x.Agent)
	e.post(func(now core.Time) { e.core.GotMetadata(now, x.Agent, text, err) })
}

func (e *Engine) fence(x core.RunFence) {
	var err error
	if x.Run.Delay > 0 {
		t := e.cfg.Clock.NewTimer(x.Run.Delay)
		select {
		case <-e.ctx.Done():
			err = e.ctx.Err()
		case <-t.C():
		}
		t.Stop()
	}
	if err == nil {
		err = e.cfg.Fencer.Fence(e.ctx, x.Device, x.Run.Action, x.Run.Target, x.Run.Timeout)
	}
	e.post(func(now core.Time) { e.core.FenceRan(now, x.Run.ID, x.Run.Op, err) })
}

func (e *Engine) compute(x core.Compute) {
	reply, err := e.cfg.Policy.Compute(e.ctx, x.Req)
	var g *graph.Graph
	if err == nil {
		g, err = graph.Parse(reply.Graph)
	}
	e.post(func(now core.Time) { e.core.Computed(now, x.Token, g, withoutGraph(reply), err) })
}

func withoutGraph(r pengine.Reply) pengine.Reply {
	r.Graph = nil
	return r
}

// runHandle is the queue of the transition under way.
type runHandle struct {
	mu sync.Mutex
	q  *queue[core.Effect] // guarded by mu
}

func (h *runHandle) push(x core.Effect) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.q == nil || h.q.push(x)
}

func (h *runHandle) reset() *queue[core.Effect] {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.q = newQueue[core.Effect]()
	return h.q
}

// begin starts a transition: one goroutine reads its steps, another one tells it
// results and aborts. A former one that is not over ends here and is not heard
// any more: the controller gave it up when it laid its office down, and now has
// the office again.
func (e *Engine) begin(x core.Begin) {
	q := e.run.reset()
	if e.endRun != nil {
		e.endRun()
	}
	ctx, cancel := context.WithCancel(e.ctx)
	e.endRun = cancel
	e.runs++
	n := e.runs
	present := func(f func(core.Time)) {
		e.post(func(now core.Time) {
			if e.runs == n {
				f(now)
			}
		})
	}
	e.wg.Go(func() {
		defer cancel()
		run, err := e.cfg.Engine.Begin(ctx, x.Graph, x.Opts)
		if err != nil {
			present(func(now core.Time) { e.core.TransitionLost(now, err) })
			return
		}
		e.wg.Go(func() { e.tell(ctx, run, q) })
		for {
			s, err := run.Next(ctx)
			if err != nil {
				present(func(now core.Time) { e.core.TransitionLost(now, err) })
				return
			}
			present(func(now core.Time) { e.core.Step(now, s) })
			if _, last := s.(*transition.Done); last {
				return
			}
		}
	})
}

func (e *Engine) tell(ctx context.Context, run transition.Run, q *queue[core.Effect]) {
	for {
		eff, ok := q.pop(ctx)
		if !ok {
			return
		}
		var err error
		switch x := eff.(type) {
		case core.Confirm:
			err = run.Confirm(ctx, x.Confirm)
		case core.Abort:
			err = run.Abort(ctx, x.Abort)
		}
		if err != nil && ctx.Err() == nil && !errors.Is(err, transition.ErrClosed) {
			e.cfg.Log.Warn("transition engine refused", "error", err.Error())
		}
	}
}
