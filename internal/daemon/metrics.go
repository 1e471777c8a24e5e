// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package daemon

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Bounds of the metrics listener, which answers strangers.
const (
	metricsTimeout  = 10 * time.Second
	metricsHeader   = 16 << 10
	metricsInFlight = 4
	metricsRetry    = 5 * time.Second
)

// newRegistry makes the daemon's own registry with the runtime's metrics.
func newRegistry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return reg
}

// serveMetrics answers GET /metrics on addr until ctx is done. An address that
// is taken does not stop the daemon: a cluster without metrics beats no
// cluster; it is tried again.
func serveMetrics(ctx context.Context, addr string, reg *prometheus.Registry, log *slog.Logger) {
	if addr == "" {
		return
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{MaxRequestsInFlight: metricsInFlight, Timeout: metricsTimeout}))
	srv := &http.Server{
		Handler: mux, ReadTimeout: metricsTimeout, WriteTimeout: 2 * metricsTimeout,
		IdleTimeout: time.Minute, MaxHeaderBytes: metricsHeader,
		ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	stop := context.AfterFunc(ctx, func() { _ = srv.Close() })
	defer stop()
	var lc net.ListenConfig
	for {
		lis, err := lc.Listen(ctx, "tcp", addr)
		if err == nil {
			log.Debug("serving metrics", "address", lis.Addr().String())
			_ = srv.Serve(lis)
			return
		}
		log.Warn("metrics not served", "address", addr, "error", err)
		select {
		case <-ctx.Done():
			return
		case <-time.After(metricsRetry):
		}
	}
}
