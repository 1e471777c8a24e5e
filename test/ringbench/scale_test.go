// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ringbench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/test/e2e/lab"
)

// sizes are the rings of BenchmarkScale.
var sizes = []int{2, 3, 4, 6, 8, 12, 16, 24, 32}

// HoldVariable says for how long BenchmarkScale watches the largest ring, as 5m.
const HoldVariable = "QUORATE_HOLD"

// BenchmarkScale gives, for rings of 2 to 32 nodes: the time from the start of all
// daemons to one ring of which all clients know, messages per second from one
// sender to all nodes, the time of a rotation of the token meanwhile, and that
// from sending one message alone to its delivery. The ring of 32 is then watched,
// and must not change.
//
//	go test ./test/ringbench -run - -bench Scale -benchtime 1x
func BenchmarkScale(b *testing.B) {
	if why := lab.Missing(); why != "" {
		b.Skip(why)
	}
	for _, k := range kinds(b) {
		for _, nodes := range sizes {
			b.Run(fmt.Sprintf("%s/nodes=%d", k.name, nodes), func(b *testing.B) {
				l := startBare(b, k, nodes, processorGroup(b, "ringbench", map[string]string{"cpu.shares": "200000"}))
				var formed []time.Duration
				for range b.N {
					formed = append(formed, l.formation(b))
				}
				reportTimes(b, formed)
				l.calm()
				sent, rotation := l.stream(b, 1000, 4*time.Second)
				b.ReportMetric(sent.Msgs, "msg/s")
				b.ReportMetric(float64(rotation.Nanoseconds())/1e3, "rotation-µs")
				alone, _ := l.clients(b, "lat", 1000, 2*time.Second)
				b.ReportMetric(alone.LatUS.P50, "alone-p50-µs")
				if nodes == sizes[len(sizes)-1] {
					l.hold(b)
				}
			})
		}
	}
}

// hold watches that the ring does not change.
func (l *bare) hold(tb testing.TB) {
	tb.Helper()
	period, err := time.ParseDuration(os.Getenv(HoldVariable))
	if err != nil {
		return
	}
	before := l.counts(tb)
	<-time.After(period)
	after := l.counts(tb)
	load, _ := os.ReadFile("/proc/loadavg")
	fmt.Fprintf(os.Stderr, "%s: ring %s of %d nodes after %v is %s, load of the machine %s", tb.Name(), before[0].ring, len(l.nodes), period, after[0].ring, load)
	for i, c := range after {
		if c != before[i] || c.ring != after[0].ring {
			tb.Errorf("node%d: %+v, was %+v", i+1, c, before[i])
		}
	}
}

func (l *bare) counts(tb testing.TB) []count {
	tb.Helper()
	var all []count
	for _, m := range l.nodes {
		c, err := m.counted(tb.Context())
		if err != nil {
			tb.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

// stream has the first node send for a while, and counts the token's rotations
// while messages flow: in the busiest of the intervals that it looks at.
func (l *bare) stream(tb testing.TB, size int, period time.Duration) (figure, time.Duration) {
	tb.Helper()
	var rotation time.Duration
	var done atomic.Bool
	var g errgroup.Group
	g.Go(func() error {
		from, began, err := l.nodes[0].rotations(tb.Context())
		for err == nil && !done.Load() {
			<-time.After(interval)
			var to int64
			var ended time.Time
			to, ended, err = l.nodes[0].rotations(tb.Context())
			if to > from {
				if d := ended.Sub(began) / time.Duration(to-from); rotation == 0 || d < rotation {
					rotation = d
				}
			}
			from, began = to, ended
		}
		return err
	})
	f, err := l.clients(tb, "send", size, period)
	done.Store(true)
	if err = errors.Join(err, g.Wait()); err != nil {
		tb.Fatal(err)
	}
	return f, rotation
}

const interval = 400 * time.Millisecond

// rotations counts the tokens that a node's daemon took, and says when.
func (m *bareNode) rotations(ctx context.Context) (int64, time.Time, error) {
	began := time.Now()
	out, err := m.command(ctx, append(append([]string{}, m.lab.stack.cmap...), "-m", "stats", "-g", "stats.srp.orf_token_rx")...).Output()
	at := began.Add(time.Since(began) / 2)
	if err != nil {
		return 0, at, err
	}
	_, text, _ := strings.Cut(strings.TrimSpace(string(out)), " = ")
	n, err := strconv.ParseInt(text, 10, 64)
	return n, at, err
}

// clients has the first node send or measure and all others receive. The slowest
// node counts.
func (l *bare) clients(tb testing.TB, mode string, size int, period time.Duration) (figure, error) {
	tb.Helper()
	ctx, cancel := context.WithTimeout(tb.Context(), 2*time.Minute)
	defer cancel()
	out := make([]figure, len(l.nodes))
	var g errgroup.Group
	for i, m := range l.nodes {
		role := "recv"
		if i == 0 {
			role = mode
		}
		g.Go(func() error {
			text, err := m.command(ctx, l.stack.bench, role, strconv.Itoa(size), fmt.Sprint(period.Seconds()), strconv.Itoa(len(l.nodes))).Output()
			if err != nil {
				return fmt.Errorf("node%d: %w", m.index, err)
			}
			return json.Unmarshal(text, &out[i])
		})
	}
	err := g.Wait()
	f := out[0]
	for _, o := range out {
		if err == nil && (o.Order != f.Order || o.Delivered != f.Delivered) {
			err = fmt.Errorf("the nodes delivered different messages, or in another order: %+v", out)
		}
		f.Msgs = min(f.Msgs, o.Msgs)
	}
	return f, err
}
