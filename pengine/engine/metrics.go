// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/pengine/archive"
	"github.com/quorate/quorate/pengine/sched"
)

// metrics count what the engine does.
type metrics struct {
	computations, failures prometheus.Counter
	duration               prometheus.Histogram
	actions                *prometheus.CounterVec
	inputs                 *prometheus.CounterVec
	fencings               prometheus.Counter
	last                   prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		computations: prometheus.NewCounter(prometheus.CounterOpts{Name: "quorate_pengine_computations_total", Help: "Transitions computed."}),
		failures:     prometheus.NewCounter(prometheus.CounterOpts{Name: "quorate_pengine_failures_total", Help: "Inputs that could not be read."}),
		duration: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "quorate_pengine_duration_seconds", Help: "Time that a computation took.",
			Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}),
		actions:  prometheus.NewCounterVec(prometheus.CounterOpts{Name: "quorate_pengine_actions_total", Help: "Actions scheduled, by operation."}, []string{"operation"}),
		inputs:   prometheus.NewCounterVec(prometheus.CounterOpts{Name: "quorate_pengine_inputs_total", Help: "Inputs scheduled, by series."}, []string{"series"}),
		fencings: prometheus.NewCounter(prometheus.CounterOpts{Name: "quorate_pengine_fencings_total", Help: "Nodes scheduled to be fenced."}),
		last:     prometheus.NewGauge(prometheus.GaugeOpts{Name: "quorate_pengine_last_actions", Help: "Actions of the last transition."}),
	}
	if reg != nil {
		reg.MustRegister(m.computations, m.failures, m.duration, m.actions, m.inputs, m.fencings, m.last)
	}
	return m
}

// operations are those that are counted by name; others count as other.
var operations = map[string]bool{
	"start": true, "stop": true, "monitor": true, "promote": true, "demote": true, "notify": true,
	"migrate_to": true, "migrate_from": true, "stonith": true, "do_shutdown": true, "cancel": true, "clear_failcount": true,
}

func (m *metrics) count(res *sched.Result, s archive.Series, took time.Duration) {
	m.computations.Inc()
	m.duration.Observe(took.Seconds())
	m.inputs.WithLabelValues(string(s)).Inc()
	m.fencings.Add(float64(len(res.Fence)))
	m.last.Set(float64(len(res.Graph.Synapses)))
	for _, syn := range res.Graph.Synapses {
		for _, a := range syn.Actions {
			op := a.Operation
			if !operations[op] {
				op = "other"
			}
			m.actions.WithLabelValues(op).Inc()
		}
	}
}
