// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package runner

import (
	"context"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/transition"
	"github.com/quorate/quorate/transition/graph"
)

// Metrics are the engine's figures for Prometheus.
type Metrics struct {
	runs    *prometheus.CounterVec
	took    prometheus.Histogram
	actions *prometheus.CounterVec
	action  *prometheus.HistogramVec
}

// NewMetrics registers the figures.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	buckets := prometheus.ExponentialBuckets(0.005, 3, 10)
	m := &Metrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quorate_transition_runs_total", Help: "Transitions carried out, by how they ended.",
		}, []string{"status"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "quorate_transition_run_seconds", Help: "Duration of transitions.", Buckets: buckets,
		}),
		actions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quorate_transition_actions_total", Help: "Actions of transitions, by operation and result.",
		}, []string{"operation", "result"}),
		action: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "quorate_transition_action_seconds", Help: "Time from firing an action to its result.", Buckets: buckets,
		}, []string{"operation"}),
	}
	reg.MustRegister(m.runs, m.took, m.actions, m.action)
	return m
}

// RunDone implements [Observer].
func (m *Metrics) RunDone(d *transition.Done, took time.Duration) {
	m.runs.WithLabelValues(strings.ToLower(d.Status)).Inc()
	m.took.Observe(took.Seconds())
}

// ActionDone implements [Observer].
func (m *Metrics) ActionDone(a *graph.Action, result string, took time.Duration) {
	m.actions.WithLabelValues(a.Operation, result).Inc()
	m.action.WithLabelValues(a.Operation).Observe(took.Seconds())
}

// Healthy tells whether the run under way, if any, answers.
func (e *Engine) Healthy(ctx context.Context) error {
	e.mu.Lock()
	r := e.current
	e.mu.Unlock()
	if r == nil {
		return nil
	}
	c := call{reply: make(chan error, 1)}
	select {
	case r.calls <- c:
	case <-r.quit:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-c.reply:
		return err
	case <-r.quit:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}
