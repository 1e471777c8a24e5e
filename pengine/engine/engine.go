// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"fmt"
	"log/slog"
	"runtime/debug"
	"strconv"
	"sync/atomic"

	"github.com/beevik/etree"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/schema"
	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/pengine"
	"github.com/quorate/quorate/pengine/archive"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/transition/graph"
)

// A Config is what an engine needs.
type Config struct {
	Dir     string // where inputs are kept; "" keeps none
	Clock   clock.Clock
	Log     *slog.Logger
	Metrics prometheus.Registerer // nil counts nothing
}

// An Engine implements [pengine.Engine].
type Engine struct {
	cfg     Config
	archive *archive.Archive
	metrics *metrics
	last    atomic.Int64 // transition
	decide  func(sched.Input) (*sched.Result, error)
}

var _ pengine.Engine = (*Engine)(nil)

// New returns an engine.
func New(cfg Config) (*Engine, error) {
	e := &Engine{cfg: cfg, metrics: newMetrics(cfg.Metrics), decide: sched.Schedule}
	if cfg.Dir != "" {
		a, err := archive.New(cfg.Dir, cfg.Log)
		if err != nil {
			return nil, err
		}
		e.archive = a
	}
	return e, nil
}

// Compute implements [pengine.Engine].
func (e *Engine) Compute(_ context.Context, req pengine.Request) (pengine.Reply, error) {
	begin := e.cfg.Clock.Now()
	root, err := document.Parse(req.CIB)
	if err != nil {
		e.metrics.failures.Inc()
		return pengine.Reply{}, fmt.Errorf("compute %s: %w: %w", req.Reference, pengine.ErrBadInput, err)
	}
	id := e.last.Add(1)
	current, err := e.upgrade(root, req.Reference)
	if err != nil {
		e.metrics.failures.Inc()
		return pengine.Reply{}, fmt.Errorf("compute %s: %w: %w", req.Reference, pengine.ErrBadInput, err)
	}
	res, err := e.schedule(sched.Input{CIB: current, Now: req.Now, TransitionID: int(id)}, req.Reference)
	if err != nil {
		e.metrics.failures.Inc()
		return pengine.Reply{}, fmt.Errorf("compute %s: %w: %w", req.Reference, pengine.ErrBadInput, err)
	}
	reply := pengine.Reply{
		Graph: graph.Marshal(res.Graph), Actions: len(res.Graph.Synapses), Warnings: res.Warnings, Errors: res.Errors,
		RecheckBy: res.RecheckBy, FenceNodes: res.Fence,
	}
	series := seriesOf(res)
	reply.InputFile = e.keep(root, req, series, res)
	reply.Elapsed = e.cfg.Clock.Now() - begin
	e.metrics.count(res, series, reply.Elapsed)
	e.cfg.Log.Info("transition computed", "transition", id, "reference", req.Reference, "actions", reply.Actions, "input", reply.InputFile,
		"fenced", len(res.Fence), "errors", len(res.Errors), "warnings", len(res.Warnings), "elapsed", reply.Elapsed)
	for _, c := range res.Changes {
		e.cfg.Log.Debug("transition change", "transition", id, "verb", c.Verb, "node", c.Node, "resource", c.Resource, "from", c.From, "to", c.To, "reason", c.Reason)
	}
	return reply, nil
}

// upgrade gives the CIB in the schema that decisions are made in.
func (e *Engine) upgrade(root *etree.Element, reference string) (*etree.Element, error) {
	up, err := schema.Upgrade(root, schema.Newest())
	if err != nil {
		return nil, err
	}
	for _, note := range up.Notes {
		e.cfg.Log.Warn("configuration is of an older schema", "reference", reference, "schema", up.From, "note", note)
	}
	return up.CIB, nil
}

// schedule contains a fault of the scheduler, so that one state that it cannot
// handle is an error with its stack in the log and not the end of the daemon.
func (e *Engine) schedule(in sched.Input, reference string) (res *sched.Result, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			e.cfg.Log.Error("scheduler fault", "reference", reference, "fault", fmt.Sprint(fault), "stack", string(debug.Stack()))
			res, err = nil, fmt.Errorf("fault of the scheduler, see the log of pengined: %v", fault)
		}
	}()
	return e.decide(in)
}

// seriesOf is the series that an input belongs to.
func seriesOf(res *sched.Result) archive.Series {
	switch {
	case len(res.Errors) > 0:
		return archive.Error
	case len(res.Warnings) > 0 || len(res.Fence) > 0 || len(res.Cluster.Failed) > 0:
		return archive.Warn
	}
	return archive.Input
}

// keep archives the input with the time that it was scheduled at.
func (e *Engine) keep(root *etree.Element, req pengine.Request, s archive.Series, res *sched.Result) string {
	if e.archive == nil {
		return ""
	}
	most, err := strconv.Atoi(res.Cluster.Options.Get(string(s) + "-series-max"))
	if err != nil {
		most = -1
	}
	document.Set(root, "execution-date", strconv.FormatInt(req.Now.Unix(), 10))
	return e.archive.Save(s, most, document.Format(root))
}

// Close implements [pengine.Engine]. It waits until all inputs are written.
func (e *Engine) Close() error {
	if e.archive == nil {
		return nil
	}
	return e.archive.Close()
}
