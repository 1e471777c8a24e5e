// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ringbench

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/test/e2e/lab"
)

// BenchmarkMembership gives the times from an event to the moment in which the
// last client on the nodes that are left had been told of the new ring, and what
// daemons at rest cost: of rings out of the box and of such with a token of one
// second. $BENCH_PEER says where corosync is, as for BenchmarkRing.
//
//	go test ./test/ringbench -run - -bench Membership -benchtime 5x
//
// Each of the times is of b.N events; the worst follows the median.
func BenchmarkMembership(b *testing.B) {
	if why := lab.Missing(); why != "" {
		b.Skip(why)
	}
	for _, nodes := range []int{3, 2, 5} {
		for _, token := range []string{"", "1000"} {
			title := "out-of-the-box"
			if token != "" {
				title = "token=" + token
			}
			for _, k := range kinds(b) {
				b.Run(fmt.Sprintf("nodes=%d/%s/%s", nodes, title, k.name), func(b *testing.B) {
					benchMembership(b, withTotem(k, "token", token), nodes)
				})
			}
		}
	}
}

// kinds are all stacks that can be had.
func kinds(tb testing.TB) []kind {
	tb.Helper()
	all := []kind{oursBare(tb)}
	if p := peerBare(tb); p != nil {
		all = append(all, *p)
	}
	return all
}

// withTotem adds an option to the totem section.
func withTotem(k kind, key, value string) kind {
	if value == "" {
		return k
	}
	before := k.conf
	k.conf = func(text string) string {
		return strings.Replace(before(text), "\tcluster_name: lab\n", "\tcluster_name: lab\n\t"+key+": "+value+"\n", 1)
	}
	return k
}

func benchMembership(b *testing.B, k kind, nodes int) {
	l := startBare(b, k, nodes, processorGroup(b, "ringbench", map[string]string{"cpu.shares": "200000"}))
	b.Run("start", func(b *testing.B) {
		var times []time.Duration
		for range b.N {
			times = append(times, l.formation(b))
		}
		reportTimes(b, times)
	})
	b.Run("death", func(b *testing.B) {
		var times []time.Duration
		for i := range b.N {
			times = append(times, l.death(b, l.nodes[i%nodes]))
		}
		reportTimes(b, times)
	})
	b.Run("heal", func(b *testing.B) {
		var times []time.Duration
		for i := range b.N {
			times = append(times, l.heal(b, l.nodes[i%nodes]))
		}
		reportTimes(b, times)
	})
	bulk := sync.OnceValue(func() atRest { return l.bulk(b) })
	b.Run("bulk", func(b *testing.B) {
		c := bulk()
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(c.rss, "rss-MB")
		b.ReportMetric(c.pss, "pss-MB")
	})
	cost := sync.OnceValue(func() atRest { return l.idle(b) }) // one period, however many events
	b.Run("idle", func(b *testing.B) {
		c := cost()
		b.ReportMetric(0, "ns/op")
		b.ReportMetric(c.cpu, "cpu-%")
		b.ReportMetric(c.rss, "rss-MB")
		b.ReportMetric(c.pss, "pss-MB")
	})
}

// formation powers all machines on anew, starts their daemons, and gives the time
// until all are on one quorate ring.
func (l *bare) formation(tb testing.TB) time.Duration {
	tb.Helper()
	for _, m := range l.nodes {
		m.power(false)
	}
	for _, m := range l.nodes {
		m.boot(tb)
		m.watcher = m.watch(tb)
	}
	l.calm()
	began := time.Now()
	for _, m := range l.nodes {
		m.start(tb)
	}
	return l.told(tb, "start", settled(tb, began, l.nodes).Sub(began))
}

// death cuts a machine's power and gives the time until all others are on a ring
// without it; then it comes back.
func (l *bare) death(tb testing.TB, victim *bareNode) time.Duration {
	tb.Helper()
	l.whole(tb)
	l.calm()
	began := time.Now()
	victim.power(true)
	var rest []*bareNode
	for _, m := range l.nodes {
		if m != victim {
			rest = append(rest, m)
		}
	}
	took := l.told(tb, "death", settled(tb, began, rest).Sub(began))
	victim.boot(tb)
	victim.watcher = victim.watch(tb)
	victim.start(tb)
	return took
}

// heal cuts a machine off until both sides have their rings, puts its cable back,
// and gives the time until all are on one ring.
func (l *bare) heal(tb testing.TB, victim *bareNode) time.Duration {
	tb.Helper()
	l.whole(tb)
	began := time.Now()
	l.ip(tb, "link", "set", victim.port(), "nomaster")
	var rest []*bareNode
	for _, m := range l.nodes {
		if m != victim {
			rest = append(rest, m)
		}
	}
	settled(tb, began, rest)
	settled(tb, began, []*bareNode{victim})
	l.calm()
	began = time.Now()
	l.ip(tb, "link", "set", victim.port(), "master", "br0")
	return l.told(tb, "heal", settled(tb, began, l.nodes).Sub(began))
}

// told says how a slow event went.
func (l *bare) told(tb testing.TB, what string, took time.Duration) time.Duration {
	tb.Helper()
	if slow, err := time.ParseDuration(os.Getenv(SlowVariable)); err == nil && took > slow {
		fmt.Fprintf(os.Stderr, "%s: %s took %v until %v%s", tb.Name(), what, took, time.Now(), describe(l.nodes)) // a benchmark's own log is cut
	}
	return took
}

// SlowVariable says from which time on, as 300ms, an event of BenchmarkMembership
// has the nodes' logs printed.
const SlowVariable = "QUORATE_SLOW"

// whole waits for a ring of all.
func (l *bare) whole(tb testing.TB) {
	tb.Helper()
	if l.nodes[0].watcher == nil {
		l.formation(tb)
	}
	settled(tb, time.Time{}, l.nodes)
}

// calm lets pass what belongs to the event before: timers of a ring just formed,
// and the phase of what is periodic.
func (l *bare) calm() {
	l.phase = (l.phase + calmStep) % calmSpread
	<-time.After(calm + l.phase)
}

const (
	calm       = 1500 * time.Millisecond
	calmStep   = 370 * time.Millisecond
	calmSpread = time.Second
)

// atRest is what a daemon of a ring at rest uses: percent of a processor on the
// average, MB of the largest.
type atRest struct{ cpu, rss, pss float64 }

const idlePeriod = 30 * time.Second

func (l *bare) idle(tb testing.TB) atRest {
	l.whole(tb)
	l.calm()
	before := l.used(tb)
	<-time.After(idlePeriod)
	c := atRest{cpu: float64(l.used(tb)-before) / float64(idlePeriod) / float64(len(l.nodes)) * 100}
	c.rss, c.pss = l.memory(tb)
	return c
}

// bulk gives what the daemons hold in memory once a client has sent large messages
// for a while.
func (l *bare) bulk(tb testing.TB) atRest {
	l.whole(tb)
	if _, err := l.clients(tb, "send", 64_000, 4*time.Second); err != nil {
		tb.Fatal(err)
	}
	l.calm()
	var c atRest
	c.rss, c.pss = l.memory(tb)
	return c
}

// daemons are the daemons' processes.
func (l *bare) daemons(tb testing.TB) []string {
	tb.Helper()
	var pids []string
	for _, m := range l.nodes {
		ns, _ := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", m.box.pid))
		found, _ := filepath.Glob("/proc/[0-9]*")
		for _, dir := range found {
			have, err := os.Readlink(dir + "/ns/pid")
			name, _ := os.ReadFile(dir + "/comm")
			if err == nil && have == ns && strings.TrimSpace(string(name)) == l.stack.server {
				pids = append(pids, dir)
			}
		}
	}
	if len(pids) != len(l.nodes) {
		tb.Fatalf("%d daemons on %d machines", len(pids), len(l.nodes))
	}
	return pids
}

// used is the time on a processor of all daemons' threads, to the nanosecond.
func (l *bare) used(tb testing.TB) time.Duration {
	tb.Helper()
	var sum time.Duration
	for _, dir := range l.daemons(tb) {
		threads, _ := filepath.Glob(dir + "/task/*/schedstat")
		for _, f := range threads {
			text, _ := os.ReadFile(f)
			ns, _, _ := strings.Cut(string(text), " ")
			n, err := strconv.ParseInt(ns, 10, 64)
			if err != nil {
				tb.Fatalf("%s: %q", f, text)
			}
			sum += time.Duration(n)
		}
	}
	return sum
}

// memory is the largest of the daemons' resident and proportional set sizes.
func (l *bare) memory(tb testing.TB) (rss, pss float64) {
	tb.Helper()
	for _, dir := range l.daemons(tb) {
		text, err := os.ReadFile(dir + "/smaps_rollup")
		if err != nil {
			tb.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			kb, _ := strconv.ParseFloat(f[1], 64)
			switch f[0] {
			case "Rss:":
				rss = max(rss, kb*1024/1e6)
			case "Pss:":
				pss = max(pss, kb*1024/1e6)
			}
		}
	}
	return rss, pss
}

func reportTimes(b *testing.B, times []time.Duration) {
	b.Helper()
	slices.Sort(times)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(times[len(times)/2].Microseconds())/1e3, "median-ms")
	b.ReportMetric(float64(times[len(times)-1].Microseconds())/1e3, "worst-ms")
}
