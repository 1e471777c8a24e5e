// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package runner

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/agents/exec"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/lrmd/queue"
)

// metrics are what the executor counts.
type metrics struct {
	operations       *prometheus.CounterVec
	duration         *prometheus.HistogramVec
	timeouts         *prometheus.CounterVec
	inFlight, queued prometheus.Gauge
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		operations: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quorate_lrmd_operations_total",
			Help: "Runs of operations that ended, by class of agent, action and result.",
		}, []string{"class", "action", "result"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "quorate_lrmd_operation_duration_seconds",
			Help:    "How long runs of operations took.",
			Buckets: []float64{.002, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 120},
		}, []string{"class", "action"}),
		timeouts: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quorate_lrmd_timeouts_total",
			Help: "Runs of operations that were killed because their time was over.",
		}, []string{"class", "action"}),
		inFlight: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "quorate_lrmd_operations_in_flight", Help: "Operations that run at this moment.",
		}),
		queued: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "quorate_lrmd_operations_queued", Help: "Operations that wait for their turn.",
		}),
	}
	if reg != nil {
		reg.MustRegister(m.operations, m.duration, m.timeouts, m.inFlight, m.queued)
	}
	return m
}

// actions bounds the values of the action label: anything else is other.
var actions = map[string]bool{
	"start": true, "stop": true, "monitor": true, "promote": true, "demote": true, "notify": true,
	"migrate_to": true, "migrate_from": true, "reload": true, "reload-agent": true, "validate-all": true,
}

func (m *metrics) done(op lrmd.Op, r agents.Result, took time.Duration) {
	class, action := op.Agent.Class, op.Action
	if !actions[action] {
		action = "other"
	}
	switch class {
	case "ocf", "lsb", "systemd", "service", "stonith":
	default:
		class = "other"
	}
	result := strings.ToLower(r.Status.String())
	if r.Status == agents.StatusDone {
		result = r.Exit.String()
	}
	m.operations.WithLabelValues(class, action, result).Inc()
	m.duration.WithLabelValues(class, action).Observe(took.Seconds())
	if r.Status == agents.StatusTimeout {
		m.timeouts.WithLabelValues(class, action).Inc()
	}
}

func opAttrs(call int, op lrmd.Op) []any {
	return []any{
		"resource", op.Resource, "action", op.Action, "interval_ms", op.Interval.Milliseconds(),
		"call_id", call, "class", op.Agent.Class, "provider", op.Agent.Provider, "type", op.Agent.Type,
	}
}

// logEnd tells of a run's end: of operations given once always, of recurring
// ones where it is news and not good.
func (e *Executor) logEnd(s queue.Start, r agents.Result, took time.Duration, news bool) {
	attrs := append(opAttrs(s.CallID, s.Op), "rc", int(r.Exit), "status", r.Status.String(), "took_ms", took.Milliseconds())
	if r.Reason != "" {
		attrs = append(attrs, "reason", r.Reason)
	}
	switch {
	case r.Stuck:
		e.cfg.Log.Error("agent cannot be killed", attrs...)
	case news && !good(s.Op, r):
		e.cfg.Log.Warn("operation failed", append(attrs, "output", tail(output(r), maxLogged))...)
	case s.Op.Interval == 0:
		e.cfg.Log.Info("finished", attrs...)
	default:
		e.cfg.Log.Debug("finished", attrs...)
	}
}

// maxLogged bounds what is logged of an agent's output, in bytes.
const maxLogged = 1024

// good tells whether a result is nothing to worry about, as far as can be told
// without knowing what the cluster expects: a monitor may find any state.
func good(op lrmd.Op, r agents.Result) bool {
	switch {
	case r.Status == agents.StatusCancelled:
		return true
	case r.Status != agents.StatusDone:
		return false
	case op.Action != "monitor":
		return r.Exit == agents.OK
	}
	switch r.Exit {
	case agents.OK, agents.RunningPromoted, agents.Degraded, agents.DegradedPromoted:
		return true
	case agents.NotRunning:
		return op.Interval == 0
	}
	return false
}

// output joins what an agent printed, errors last, within the bound.
func output(r agents.Result) string {
	b := r.Stdout
	if len(b) > MaxOutput {
		b = b[len(b)-MaxOutput:]
	}
	s := exec.Printable(b)
	if len(r.Stderr) > 0 {
		b = r.Stderr
		if len(b) > MaxOutput {
			b = b[len(b)-MaxOutput:]
		}
		if s != "" && !strings.HasSuffix(s, "\n") {
			s += "\n"
		}
		s += exec.Printable(b)
	}
	return tail(s, MaxOutput)
}

// tail is the end of s, beginning with a whole character.
func tail(s string, n int) string {
	if len(s) <= n {
		return s
	}
	s = s[len(s)-n:]
	for len(s) > 0 && !utf8.RuneStart(s[0]) {
		s = s[1:]
	}
	return s
}
