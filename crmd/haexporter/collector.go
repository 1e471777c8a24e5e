// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package haexporter

import (
	"context"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/messaging"
)

// scrapeTimeout bounds what one scrape may wait for the daemons.
const scrapeTimeout = 5 * time.Second

// A Config names where the state comes from.
type Config struct {
	// Snapshot gives the CIB and the ring's view.
	Snapshot func(context.Context) (*etree.Element, messaging.QuorumView, error)
	// Status gives the links of the ring; nil leaves them out.
	Status func(context.Context) (messaging.Status, error)
	// Now is the calendar time.
	Now func() time.Time
}

// A Collector gives the metrics at each scrape.
type Collector struct{ cfg Config }

// New returns a collector to be registered with the controller's registry.
func New(cfg Config) *Collector { return &Collector{cfg: cfg} }

// Describe implements prometheus.Collector. The metrics depend on the state, so
// none is announced.
func (c *Collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c *Collector) Collect(ch chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), scrapeTimeout)
	defer cancel()
	began := c.cfg.Now()
	s := &scrape{ch: ch, seen: map[string]bool{}}
	root, view, err := c.cfg.Snapshot(ctx)
	if err == nil {
		err = s.pacemaker(root, began)
	}
	s.outcome("pacemaker", c.cfg.Now().Sub(began), err == nil)
	s.quorum(view)
	err = c.links(ctx, s)
	s.outcome("corosync", c.cfg.Now().Sub(began), err == nil)
}

// links adds the links of the ring.
func (c *Collector) links(ctx context.Context, s *scrape) error {
	if c.cfg.Status == nil {
		return nil
	}
	st, err := c.cfg.Status(ctx)
	if err == nil {
		s.rings(st)
	}
	return err
}

// A scrape collects the metrics of one scrape. A set of labels is given once
// only: twice would fail the whole scrape.
type scrape struct {
	ch   chan<- prometheus.Metric
	seen map[string]bool
}

// labels are names and values, alternating.
type labels []string

func (s *scrape) gauge(name, help string, value float64, l ...string) {
	s.metric(prometheus.GaugeValue, name, help, value, l)
}

func (s *scrape) metric(kind prometheus.ValueType, name, help string, value float64, l labels) {
	key := name + "\x00" + strings.Join(l, "\x00")
	if s.seen[key] {
		return
	}
	s.seen[key] = true
	names, values := make([]string, 0, len(l)/2), make([]string, 0, len(l)/2)
	for i := 0; i+1 < len(l); i += 2 {
		names, values = append(names, l[i]), append(values, strings.ToValidUTF8(l[i+1], "?"))
	}
	m, err := prometheus.NewConstMetric(prometheus.NewDesc("ha_cluster_"+name, help, names, nil), kind, value, values...)
	if err != nil {
		m = prometheus.NewInvalidMetric(prometheus.NewInvalidDesc(err), err)
	}
	s.ch <- m
}

func (s *scrape) outcome(half string, took time.Duration, ok bool) {
	s.gauge("scrape_duration_seconds", "Duration of a collector scrape", took.Seconds(), "collector", half)
	s.gauge("scrape_success", "Whether a collector succeeded", number(ok), "collector", half)
}

func number(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
