// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/crmd/fsa"
	"github.com/quorate/quorate/transition"
)

// Metrics are the controller's figures for Prometheus.
type Metrics struct {
	isDC        prometheus.Gauge
	state       *prometheus.GaugeVec
	elections   prometheus.Counter
	joins       prometheus.Counter
	transitions *prometheus.CounterVec
	took        prometheus.Histogram
	actions     *prometheus.CounterVec
	fencing     *prometheus.CounterVec
}

// NewMetrics registers the figures.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		isDC:      prometheus.NewGauge(prometheus.GaugeOpts{Name: "quorate_crmd_is_dc", Help: "1 where this node is the designated coordinator."}),
		state:     prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "quorate_crmd_state", Help: "1 for the state that the controller is in."}, []string{"state"}),
		elections: prometheus.NewCounter(prometheus.CounterOpts{Name: "quorate_crmd_elections_total", Help: "Elections decided."}),
		joins:     prometheus.NewCounter(prometheus.CounterOpts{Name: "quorate_crmd_joins_total", Help: "Join rounds begun, as DC."}),
		transitions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quorate_crmd_transitions_total", Help: "Transitions ended, as DC, by how.",
		}, []string{"status"}),
		took: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "quorate_crmd_transition_seconds", Help: "Duration of transitions, as DC.",
			Buckets: prometheus.ExponentialBuckets(0.01, 3, 10),
		}),
		actions: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quorate_crmd_actions_total", Help: "Actions initiated, as DC, by operation.",
		}, []string{"operation"}),
		fencing: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quorate_crmd_fencing_total", Help: "Fencing operations that ended, by how.",
		}, []string{"state"}),
	}
	reg.MustRegister(m.isDC, m.state, m.elections, m.joins, m.transitions, m.took, m.actions, m.fencing)
	for _, s := range fsa.States() {
		m.state.WithLabelValues(string(s)).Set(0)
	}
	m.state.WithLabelValues(string(fsa.Starting)).Set(1)
	return m
}

// State implements [Observer].
func (m *Metrics) State(from, to string) {
	m.state.WithLabelValues(from).Set(0)
	m.state.WithLabelValues(to).Set(1)
	if fsa.State(to).IsDC() {
		m.isDC.Set(1)
	} else {
		m.isDC.Set(0)
	}
	if fsa.State(to) == fsa.Integration {
		m.joins.Inc()
	}
}

// Election implements [Observer].
func (m *Metrics) Election() { m.elections.Inc() }

// Transition implements [Observer].
func (m *Metrics) Transition(d transition.Done, took time.Duration) {
	m.transitions.WithLabelValues(strings.ToLower(d.Status)).Inc()
	m.took.Observe(took.Seconds())
}

// Action implements [Observer].
func (m *Metrics) Action(operation string) { m.actions.WithLabelValues(operation).Inc() }

// Fencing implements [Observer].
func (m *Metrics) Fencing(state string) { m.fencing.WithLabelValues(state).Inc() }
