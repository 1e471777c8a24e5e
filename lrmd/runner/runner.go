// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package runner

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/agents/secret"
	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/lrmd/journal"
	"github.com/quorate/quorate/lrmd/queue"
)

const (
	// maxEvents bounds what waits for the owner of the queue.
	maxEvents = 1024
	// maxResults bounds what waits for a watcher; one that falls behind by more
	// is cut off.
	maxResults = 4096
	// MaxOutput bounds what a result carries of an agent's output, in bytes.
	MaxOutput = 8 << 10
)

// A Class runs agents of one standard.
type Class interface {
	Run(ctx context.Context, req agents.Request) agents.Result
	Metadata(ctx context.Context, provider, typ string) (string, error)
	List(ctx context.Context, provider string) ([]string, error)
}

// A NamedClass is a row of the table of classes.
type NamedClass struct {
	Name  string
	Class Class
}

// Config says what an executor works with.
type Config struct {
	Classes []NamedClass
	Queue   queue.Config
	// Dir holds the journal. It must not survive a boot of the machine.
	Dir string
	// Secrets is the folder of the secrets of resources; "" is none.
	Secrets string
	// CloseGrace is how long Close waits for what runs before it is killed.
	CloseGrace time.Duration
	Clock      clock.Clock
	Log        *slog.Logger
	Metrics    prometheus.Registerer // nil is none
}

// An Executor implements [lrmd.Executor].
type Executor struct {
	cfg     Config
	boot    string
	kernel  string
	classes map[string]Class
	metrics *metrics
	events  chan func()
	quit    chan struct{} // closed by Close
	done    chan struct{} // closed when the owner has returned
	once    sync.Once
	runs    sync.WaitGroup

	// What follows belongs to the owner goroutine.
	core    *queue.Core
	journal *journal.Journal
	procs   map[queue.Run]agents.Process
	cancels map[queue.Run]context.CancelFunc
	watches map[*watch]struct{}
	closing bool
	broken  bool // the journal could not be written; said once
}

var _ lrmd.Executor = (*Executor)(nil)

// New starts an executor on what a former one left in the journal.
func New(cfg Config) (*Executor, error) {
	if cfg.Clock == nil || cfg.Log == nil || cfg.Dir == "" {
		return nil, errors.New("runner: clock, logger and folder must be given")
	}
	id := make([]byte, 8)
	if _, err := rand.Read(id); err != nil {
		return nil, fmt.Errorf("runner: %w", err)
	}
	j, old, err := journal.Open(cfg.Dir)
	if err != nil {
		return nil, err
	}
	e := &Executor{
		cfg: cfg, boot: hex.EncodeToString(id), classes: map[string]Class{}, metrics: newMetrics(cfg.Metrics),
		events: make(chan func(), maxEvents), quit: make(chan struct{}), done: make(chan struct{}),
		core: queue.New(cfg.Queue), journal: j, procs: map[queue.Run]agents.Process{},
		cancels: map[queue.Run]context.CancelFunc{}, watches: map[*watch]struct{}{},
	}
	for _, c := range cfg.Classes {
		e.classes[c.Name] = c.Class
	}
	kernel := kernelBoot()
	if old.Kernel != kernel {
		// The folder outlived a boot of the machine: all that it tells of is gone.
		old = journal.State{Saved: queue.Saved{LastCall: old.LastCall}}
	}
	e.kernel = kernel
	e.killLeftOvers(old)
	out := e.core.Restore(cfg.Clock.Now(), cfg.Clock.Wall(), old.Saved)
	if err := j.Rewrite(e.state()); err != nil {
		_ = j.Close()
		return nil, err
	}
	e.apply(out)
	go e.own()
	return e, nil
}

// own is the goroutine that the queue belongs to.
func (e *Executor) own() {
	defer close(e.done)
	timer := e.cfg.Clock.NewTimer(time.Hour)
	defer timer.Stop()
	quit := e.quit
	var grace <-chan time.Time
	for {
		e.arm(timer)
		select {
		case f := <-e.events:
			f()
		case <-timer.C():
			if !e.closing {
				e.apply(e.core.Tick(e.cfg.Clock.Now()))
			}
		case <-quit:
			quit, e.closing = nil, true
			grace = e.cfg.Clock.NewTimer(e.cfg.CloseGrace).C()
		case <-grace:
			for _, cancel := range e.cancels {
				cancel()
			}
		}
		if e.closing && len(e.cancels) == 0 {
			break
		}
	}
	for w := range e.watches {
		w.end(lrmd.ErrClosed)
	}
	_ = e.journal.Close()
}

func (e *Executor) arm(t clock.ChanTimer) {
	d := time.Hour
	if at, ok := e.core.Next(); ok && !e.closing {
		d = max(0, at-e.cfg.Clock.Now())
	}
	t.Reset(d)
}

// do has the owner call f and waits for it.
func (e *Executor) do(ctx context.Context, f func()) error {
	ran := make(chan struct{})
	select {
	case e.events <- func() { f(); close(ran) }:
	case <-e.done:
		return lrmd.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case <-ran:
		return nil
	case <-e.done:
		return lrmd.ErrClosed
	}
}

// post has the owner call f.
func (e *Executor) post(f func()) {
	select {
	case e.events <- f:
	case <-e.done:
	}
}

// apply does what the queue says.
func (e *Executor) apply(out []queue.Output) {
	for _, o := range out {
		switch o := o.(type) {
		case queue.Save:
			e.saved(e.journal.Save(o.Change))
		case queue.Start:
			e.start(o)
		case queue.Kill:
			if cancel := e.cancels[o.Run]; cancel != nil {
				cancel()
			}
		case queue.Report:
			e.report(o.Result)
		}
	}
	running, waiting := e.core.Counts()
	e.metrics.inFlight.Set(float64(running))
	e.metrics.queued.Set(float64(waiting))
}

func (e *Executor) state() journal.State {
	return journal.State{Boot: e.boot, Kernel: e.kernel, Saved: e.core.Saved()}
}

// saved notes whether the journal works. The executor goes on without it: an
// operation that cannot be journaled is still better run than not.
func (e *Executor) saved(err error) {
	if err != nil && !e.broken {
		e.cfg.Log.Error("journal is not written; a restart will not know what runs", "error", err)
	}
	if e.broken = err != nil; e.broken || !e.journal.Grown() {
		return
	}
	if err := e.journal.Rewrite(e.state()); err != nil {
		e.cfg.Log.Error("journal is not written anew", "error", err)
		return
	}
	for run, p := range e.procs {
		_ = e.journal.Started(run, p)
	}
}

// start begins a run. While the executor closes nothing begins: the journal
// has it, and the next executor decides.
func (e *Executor) start(s queue.Start) {
	if e.closing {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	e.cancels[s.Run] = cancel
	if s.Op.Interval == 0 {
		e.cfg.Log.Info("executing", opAttrs(s.CallID, s.Op)...)
	} else {
		e.cfg.Log.Debug("executing", opAttrs(s.CallID, s.Op)...)
	}
	e.runs.Go(func() {
		res, took := e.run(ctx, s)
		e.post(func() { e.finished(s, res, took) })
		cancel()
	})
}

// run runs an operation to its end; it is called outside the owner.
func (e *Executor) run(ctx context.Context, s queue.Start) (agents.Result, time.Duration) {
	began, wall := e.cfg.Clock.Now(), e.cfg.Clock.Wall()
	var res agents.Result
	params, err := secret.Resolve(e.cfg.Secrets, s.Op.Resource, s.Op.Params)
	if err != nil && s.Op.Action == "stop" {
		// A resource whose secret is gone must still be stopped.
		e.cfg.Log.Warn("stopping without secrets", "resource", s.Op.Resource, "error", err)
		params, err = s.Op.Params, nil
	}
	switch c := e.classes[s.Op.Agent.Class]; {
	case c == nil:
		res = agents.Failed(agents.NotInstalled, agents.StatusNotInstalled, "no class of agents is called %q", s.Op.Agent.Class)
	case err != nil:
		res = agents.Failed(agents.NotConfigured, agents.StatusNoSecrets, "%v", err)
	default:
		res = c.Run(ctx, e.request(s, params))
	}
	took := e.cfg.Clock.Now() - began
	if res.Started.IsZero() {
		res.Started = wall
	}
	if res.Ended.IsZero() {
		res.Ended = e.cfg.Clock.Wall()
	}
	return res, took
}

// request is what a class is asked for a run.
func (e *Executor) request(s queue.Start, params map[string]string) agents.Request {
	return agents.Request{
		Provider: s.Op.Agent.Provider, Type: s.Op.Agent.Type, Instance: s.Op.Resource,
		Action: s.Op.Action, Interval: s.Op.Interval, Timeout: s.Op.Timeout,
		Params: params, Env: []string{e.mark(e.boot)},
		Started: func(p agents.Process) {
			e.post(func() {
				e.procs[s.Run] = p
				e.saved(e.journal.Started(s.Run, p))
			})
		},
	}
}

func (e *Executor) finished(s queue.Start, r agents.Result, took time.Duration) {
	delete(e.cancels, s.Run)
	if _, ok := e.procs[s.Run]; ok {
		delete(e.procs, s.Run)
		if !r.Stuck {
			e.saved(e.journal.Ended(s.Run))
		}
	}
	e.metrics.done(s.Op, r, took)
	if e.closing && r.Status == agents.StatusCancelled {
		e.logEnd(s, r, took, true)
		return // killed by Close: lost, as the next executor will say
	}
	out := e.core.Finished(e.cfg.Clock.Now(), s.Run, queue.Outcome{
		ExitCode: lrmd.ExitCode(r.Exit), Status: lrmd.OpStatus(r.Status), ExitReason: r.Reason,
		Output: output(r), Started: r.Started, Ended: r.Ended, Ran: took,
	})
	e.logEnd(s, r, took, slices.ContainsFunc(out, func(o queue.Output) bool {
		_, news := o.(queue.Report)
		return news
	}))
	e.apply(out)
}

func (e *Executor) report(r lrmd.Result) {
	for w := range e.watches {
		if !w.offer(r) {
			delete(e.watches, w)
			e.cfg.Log.Warn("watcher is cut off", "behind", maxResults)
		}
	}
}
