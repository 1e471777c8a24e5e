// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/replica"
)

// metrics are what the daemon counts.
type metrics struct {
	requests   *prometheus.CounterVec
	latency    *prometheus.HistogramVec
	saved      prometheus.Histogram
	saveErrors prometheus.Counter
	notices    *prometheus.CounterVec
	state      atomic.Pointer[coreState]
}

// coreState is what the owner last told of the replica.
type coreState struct {
	mode    replica.Mode
	members int
}

func newMetrics(reg prometheus.Registerer, e *Engine) (*metrics, error) {
	m := &metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quorate_cib_requests_total", Help: "Requests by operation and result (a crm_exit_t number, 0 is ok).",
		}, []string{"op", "result"}),
		latency: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "quorate_cib_request_seconds", Help: "Time from a request to its answer, by operation.",
			Buckets: prometheus.ExponentialBuckets(50e-6, 2.5, 14),
		}, []string{"op"}),
		saved: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "quorate_cib_save_seconds", Help: "Time to make the document durable.",
			Buckets: prometheus.ExponentialBuckets(100e-6, 2.5, 12),
		}),
		saveErrors: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "quorate_cib_save_errors_total", Help: "Documents that could not be stored.",
		}),
		notices: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "quorate_cib_replica_events_total", Help: "Remarkable events of the replication: meetings, replaced documents, differences.",
		}, []string{"event"}),
	}
	m.state.Store(&coreState{mode: replica.ModeAlone})
	if reg == nil {
		return m, nil
	}
	gauge := func(name, help string, f func() float64) prometheus.Collector {
		return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, f)
	}
	all := []prometheus.Collector{
		m.requests, m.latency, m.saved, m.saveErrors, m.notices,
		gauge("quorate_cib_admin_epoch", "admin_epoch of the document.", func() float64 { return float64(e.present.Load().version.AdminEpoch) }),
		gauge("quorate_cib_epoch", "epoch of the document.", func() float64 { return float64(e.present.Load().version.Epoch) }),
		gauge("quorate_cib_num_updates", "num_updates of the document.", func() float64 { return float64(e.present.Load().version.NumUpdates) }),
		gauge("quorate_cib_document_bytes", "Size of the document as text.", func() float64 { return float64(len(e.present.Load().text())) }),
		gauge("quorate_cib_watches", "Running watches.", func() float64 { return float64(e.watch.count()) }),
		gauge("quorate_cib_members", "Replicas in the group, 0 while there is none.", func() float64 { return float64(m.state.Load().members) }),
		gauge("quorate_cib_ready", "1 while writes are taken.", func() float64 {
			if m.mode() == replica.ModeReady {
				return 1
			}
			return 0
		}),
	}
	for _, c := range all {
		if err := reg.Register(c); err != nil {
			return nil, fmt.Errorf("engine: register metrics: %w", err)
		}
	}
	return m, nil
}

func (m *metrics) mode() replica.Mode { return m.state.Load().mode }

// opAttribute is the label of updates of transient attributes.
const opAttribute cib.Op = "attribute"

// known bounds the values of the label op.
var known = map[cib.Op]bool{
	cib.OpQuery: true, cib.OpCreate: true, cib.OpModify: true, cib.OpReplace: true, cib.OpDelete: true, cib.OpDeleteAll: true,
	cib.OpErase: true, cib.OpBump: true, cib.OpUpgrade: true, cib.OpApplyPatch: true, cib.OpSync: true, opAttribute: true,
}

func (m *metrics) request(op cib.Op, err error, took time.Duration) {
	result := cib.CodeOK
	var ce *cib.Error
	switch {
	case err == nil:
	case errors.As(err, &ce):
		result = ce.Code
	case errors.Is(err, context.Canceled):
		result = cib.CodeTimeout
	default:
		result = cib.CodeDisconnect
	}
	if !known[op] {
		op = "other"
	}
	m.requests.WithLabelValues(string(op), fmt.Sprint(int(result))).Inc()
	m.latency.WithLabelValues(string(op)).Observe(took.Seconds())
}
