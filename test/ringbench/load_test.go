// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ringbench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/test/e2e/lab"
)

// LoadVariable asks for TestRingsUnderLoad and says for how long, as 1h.
const LoadVariable = "QUORATE_LOAD"

// loops is the number of busy programs beside the rings, all on one processor.
const loops = 4

// sampling is the time between two questions to the daemons.
const sampling = time.Minute

// A pair of rings of one configuration, one of each stack.
type loaded struct {
	*bare
	title   string
	quiet   []count // at the beginning, node by node
	last    []count
	missing int // questions without an answer
}

// TestRingsUnderLoad holds that under full load of the processor, with no
// privilege over those that load it, a ring changes no more often than
// corosync's beside it: each of three nodes, out of the box and with a token of
// one second. Daemons and busy loops share one processor (a quota of it, and a claim
// to it whatever else the machine does), at one
// priority. What counts is the number of rings that each daemon itself counted.
func TestRingsUnderLoad(t *testing.T) {
	asked := os.Getenv(LoadVariable)
	if asked == "" {
		t.Skipf("takes an hour: $%s says for how long, as 1h", LoadVariable)
	}
	period, err := time.ParseDuration(asked)
	if err != nil {
		t.Fatal(err)
	}
	if why := lab.Missing(); why != "" {
		t.Skip(why)
	}
	group := processorGroup(t, "ringbench-load", map[string]string{"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "100000", "cpu.shares": "200000"})
	both := kinds(t)
	var rings []*loaded
	for _, k := range both {
		rings = append(rings, formLoaded(t, k, group, "out of the box"), formLoaded(t, withTotem(k, "token", "1000"), group, "token 1000"))
	}
	for range loops {
		busy(t, group)
	}
	for began := time.Now(); time.Since(began) < period; {
		<-time.After(min(sampling, period-time.Since(began)))
		for _, r := range rings {
			r.sample(t, time.Since(began))
		}
	}
	judge(t, rings, group, len(both) > 1)
}

// processorGroup makes a control group of the v1 cpu controller.
func processorGroup(tb testing.TB, name string, values map[string]string) string {
	tb.Helper()
	dir := filepath.Join("/sys/fs/cgroup/cpu", name+"-"+strconv.Itoa(os.Getpid()))
	if err := os.Mkdir(dir, 0o755); err != nil {
		tb.Skipf("no control group for the processor: %v", err)
	}
	tb.Cleanup(func() {
		for range 100 { // until the last process is gone
			if os.Remove(dir) == nil {
				return
			}
			<-time.After(20 * time.Millisecond)
		}
		tb.Errorf("%s could not be removed", dir)
	})
	for file, v := range values {
		if err := os.WriteFile(filepath.Join(dir, file), []byte(v), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	return dir
}

// formLoaded makes a ring of three without the right to a priority.
func formLoaded(t *testing.T, k kind, group, title string) *loaded {
	t.Helper()
	k.argv = append([]string{"setpriv", "--bounding-set=-sys_nice", "--inh-caps=-sys_nice", "--"}, k.argv...)
	before := k.conf
	k.conf = func(text string) string {
		text = strings.Replace(before(text), "to_syslog: yes\n\tto_logfile: no\n", "to_syslog: no\n\tto_logfile: yes\n\tlogfile: /var/log/corosync.log\n\ttimestamp: hires\n", 1)
		return text + "system {\n\tsched_rr: no\n}\n"
	}
	r := &loaded{bare: startBare(t, k, 3, group), title: title}
	for _, m := range r.nodes {
		m.start(t)
	}
	lab.Until(t, 30*time.Second, k.name+": a ring at rest", func() error {
		if err := r.joined(t.Context()); err != nil {
			return err
		}
		var errs []error
		before := r.quiet
		r.quiet = nil
		for _, m := range r.nodes {
			c, err := m.counted(t.Context())
			errs = append(errs, err)
			r.quiet = append(r.quiet, c)
		}
		if !slices.Equal(before, r.quiet) {
			errs = append(errs, fmt.Errorf("%+v, was %+v", r.quiet, before))
		}
		return errors.Join(errs...)
	})
	r.last = append([]count{}, r.quiet...)
	t.Logf("%s, %s: ring of three; counters %+v", k.name, title, r.quiet)
	return r
}

// joined tells whether all nodes see three members, from the map of one.
func (l *loaded) joined(ctx context.Context) error {
	for _, m := range l.nodes {
		out, err := m.command(ctx, m.lab.stack.runtime()...).Output()
		if err != nil {
			return err
		}
		if n := strings.Count(string(out), ".status (str) = joined"); n != len(l.nodes) {
			return fmt.Errorf("%s node%d sees %d members", m.lab.stack.name, m.index, n)
		}
	}
	return nil
}

// runtime asks for the members.
func (k kind) runtime() []string {
	return append(append([]string{}, k.cmap...), "runtime.members.")
}

// busy starts an endless loop in the group.
func busy(t *testing.T, group string) {
	t.Helper()
	cmd := exec.Command("/bin/sh", "-c", `echo $$ >"$0/cgroup.procs"; (while :; do :; done) & loop=$!; cat; kill $loop`, group)
	life, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = life.Close()
		_ = cmd.Wait()
	})
}

// sample asks each node and tells of what changed since the last time.
func (l *loaded) sample(t *testing.T, at time.Duration) {
	t.Helper()
	for i, m := range l.nodes {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		c, err := m.counted(ctx)
		cancel()
		if err != nil {
			l.missing++
			t.Logf("%v: %v", at.Round(time.Second), err)
			continue
		}
		if c != l.last[i] {
			t.Logf("%v: %s, %s, node%d: %+v, was %+v", at.Round(time.Second), l.stack.name, l.title, m.index, c, l.last[i])
		}
		l.last[i] = c
	}
}

// changes is the largest number of new rings that a node counted.
func (l *loaded) changes() (rings, gathers int64) {
	for i := range l.nodes {
		rings = max(rings, l.last[i].rings-l.quiet[i].rings)
		gathers = max(gathers, l.last[i].gathers-l.quiet[i].gathers)
	}
	return rings, gathers
}

func judge(t *testing.T, rings []*loaded, group string, beside bool) {
	t.Helper()
	stat, _ := os.ReadFile(filepath.Join(group, "cpu.stat"))
	t.Logf("control group: %s", strings.Join(strings.Fields(string(stat)), " "))
	peer := map[string]int64{}
	for _, r := range rings {
		n, g := r.changes()
		t.Logf("%s, %s: %d changes of the ring, %d times gathered, %d questions unanswered", r.stack.name, r.title, n, g, r.missing)
		if r.stack.server == "corosync" {
			peer[r.title] = n
		}
	}
	for _, r := range rings {
		if n, _ := r.changes(); r.stack.server != "corosync" && beside && n > peer[r.title] {
			t.Errorf("%s: %d changes of the ring under load, corosync had %d", r.title, n, peer[r.title])
			for _, m := range r.nodes {
				t.Logf("%s node%d:\n%s", r.title, m.index, m.log())
			}
		}
	}
}
