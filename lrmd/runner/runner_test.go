// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package runner

import (
	"bufio"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/agents/ocf"
	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/lrmd/conformance"
	"github.com/quorate/quorate/lrmd/queue"
)

func config(t *testing.T, class Class) Config {
	return Config{
		Classes: []NamedClass{{"ocf", class}}, Queue: queue.DefaultConfig(2), Dir: t.TempDir(),
		Clock: clock.Runtime(), Log: slog.New(slog.DiscardHandler),
	}
}

func open(t *testing.T, cfg Config) *Executor {
	t.Helper()
	e, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func TestConformance(t *testing.T) {
	conformance.Test(t, func(t *testing.T) conformance.Subject {
		d := conformance.NewDouble()
		return conformance.Subject{Executor: open(t, config(t, d)), Double: d}
	})
}

func TestRecurringOperationRunsItsIntervalAfterItsEnd(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := conformance.NewDouble()
		cfg := config(t, d)
		cfg.Dir, cfg.Clock = dir, clock.Runtime()
		e := open(t, cfg)
		if _, err := e.Execute(t.Context(), conformance.Op("web", "monitor", 10*time.Second)); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		for i := range 5 {
			r := <-d.Runs
			if want := time.Duration(i) * 13 * time.Second; time.Since(began) != want {
				t.Errorf("run %d after %v, not %v", i, time.Since(began), want)
			}
			time.AfterFunc(3*time.Second, func() { r.End(agents.Result{}) })
		}
	})
}

func TestStartDelay(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := conformance.NewDouble()
		cfg := config(t, d)
		cfg.Dir, cfg.Clock = dir, clock.Runtime()
		e := open(t, cfg)
		op := conformance.Op("web", "start", 0)
		op.StartDelay = time.Minute
		began := time.Now()
		if _, err := e.Execute(t.Context(), op); err != nil {
			t.Fatal(err)
		}
		(<-d.Runs).End(agents.Result{})
		if took := time.Since(began); took != time.Minute {
			t.Errorf("started after %v", took)
		}
	})
}

func TestSlowWatcherIsCutOffAndOthersAreNot(t *testing.T) {
	d := conformance.NewDouble()
	d.Answer("start", agents.Result{})
	e := open(t, config(t, d))
	slow, err := e.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fast, err := e.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for range maxResults + 1 {
		if _, err := e.Execute(t.Context(), conformance.Op("web", "start", 0)); err != nil {
			t.Fatal(err)
		}
		if _, err := fast.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for range maxResults {
		if _, err := slow.Next(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := slow.Next(t.Context()); !errors.Is(err, lrmd.ErrCutOff) {
		t.Errorf("slow watcher: %v", err)
	}
}

func TestCloseKillsWhatOutlivesTheGraceAndTheNextExecutorReportsItLost(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		d := conformance.NewDouble()
		cfg := config(t, d)
		cfg.Dir, cfg.Clock, cfg.CloseGrace = dir, clock.Runtime(), 10*time.Second
		e := open(t, cfg)
		for _, r := range []string{"a", "b"} {
			if _, err := e.Execute(t.Context(), conformance.Op(r, "start", 0)); err != nil {
				t.Fatal(err)
			}
		}
		first := <-d.Runs
		<-d.Runs
		time.AfterFunc(time.Second, func() { first.End(agents.Result{}) })
		began := time.Now()
		if err := e.Close(); err != nil || time.Since(began) != 10*time.Second {
			t.Errorf("closed after %v: %v", time.Since(began), err)
		}
		if _, err := e.Execute(t.Context(), conformance.Op("c", "start", 0)); !errors.Is(err, lrmd.ErrClosed) {
			t.Errorf("execute after close: %v", err)
		}
		w, err := open(t, cfg).Watch(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lost := map[string]bool{}
		for _, r := range w.Snapshot().Results {
			lost[r.Op.Resource] = r.Lost
		}
		if len(lost) != 2 || lost["a"] == lost["b"] || lost[first.Req.Instance] {
			t.Errorf("lost: %v", lost)
		}
	})
}

// An agent of the tests: through a fifo it tells its pid, its child's and that
// of a service in a session of its own; then it hangs, unless the action is
// monitor.
const hanging = `#!/bin/sh
[ "$1" = monitor ] && exit 0
trap '' TERM
sleep 1000 & child=$!
setsid sh -c 'echo "$1 $2 $$" >"$3"; exec sleep 1000' sh $$ $child "$OCF_RESKEY_fifo" &
wait
`

func fifo(t *testing.T) (path string, line func() []int) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	_ = f.SetReadDeadline(time.Now().Add(30 * time.Second))
	r := bufio.NewReader(f)
	return path, func() []int {
		t.Helper()
		s, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		var pids []int
		for w := range strings.FieldsSeq(s) {
			n, _ := strconv.Atoi(w)
			pids = append(pids, n)
		}
		return pids
	}
}

func waitDead(t *testing.T, pid int) (died func(ms int) bool) {
	t.Helper()
	fd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	return func(ms int) bool {
		for {
			n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, ms)
			if !errors.Is(err, unix.EINTR) {
				return n == 1
			}
		}
	}
}

// TestDeadExecutorsAgentsAreKilled is what follows a kill -9: the executor is
// left as it is, and another opens its journal. In the second case the old one
// had no time to note the process.
func TestDeadExecutorsAgentsAreKilled(t *testing.T) {
	for _, noted := range []bool{true, false} {
		t.Run("noted="+strconv.FormatBool(noted), func(t *testing.T) {
			agentDir := t.TempDir()
			if err := os.MkdirAll(filepath.Join(agentDir, "test"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(agentDir, "test", "Hang"), []byte(hanging), 0o700); err != nil {
				t.Fatal(err)
			}
			cfg := config(t, ocf.New(ocf.Config{Dirs: []string{agentDir}, Env: os.Environ()}))
			old, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			path, line := fifo(t)
			agent := lrmd.Agent{Class: "ocf", Provider: "test", Type: "Hang"}
			if _, err := old.Execute(t.Context(), lrmd.Op{Resource: "b", Agent: agent, Action: "monitor", Interval: time.Hour}); err != nil {
				t.Fatal(err)
			}
			op := lrmd.Op{Resource: "a", Agent: agent, Action: "start", Timeout: time.Hour, Params: map[string]string{"fifo": path}}
			if _, err := old.Execute(t.Context(), op); err != nil {
				t.Fatal(err)
			}
			pids := line()
			if len(pids) != 3 {
				t.Fatalf("pids %v", pids)
			}
			leader, child, service := waitDead(t, pids[0]), waitDead(t, pids[1]), waitDead(t, pids[2])
			_ = old.Healthy(t.Context()) // the process is noted before this returns
			next := cfg
			next.Dir = copyJournal(t, cfg.Dir, noted)
			e := open(t, next)
			if !leader(10_000) || !child(10_000) {
				t.Error("the agent or its child lives")
			}
			if service(0) {
				t.Error("the service that the agent started is dead")
			}
			_ = syscall.Kill(pids[2], syscall.SIGKILL)
			_ = old.Close()
			w, err := e.Watch(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			snap := w.Snapshot()
			if len(snap.Recurring) != 1 || snap.Recurring[0].Resource != "b" {
				t.Errorf("recurring: %+v", snap.Recurring)
			}
			var lost lrmd.Result
			for _, r := range snap.Results {
				if r.Op.Resource == "a" {
					lost = r
				}
			}
			if !lost.Lost || lost.Status != lrmd.StatusError || lost.CallID != 2 {
				t.Errorf("lost: %+v", lost)
			}
			if call, err := e.Execute(t.Context(), op); err != nil || call != 3 {
				t.Errorf("next call id %d: %v", call, err)
			}
			_ = syscall.Kill(line()[2], syscall.SIGKILL)
		})
	}
}

func TestJournalOfAnotherBootOfTheMachineIsNotBelieved(t *testing.T) {
	d := conformance.NewDouble()
	d.Answer("monitor", agents.Result{})
	cfg := config(t, d)
	e := open(t, cfg)
	for range 3 {
		if _, err := e.Execute(t.Context(), conformance.Op("web", "monitor", time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	if err := e.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(cfg.Dir, "journal")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	b = []byte(strings.ReplaceAll(string(b), kernelBoot(), "another"))
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	next := open(t, cfg)
	w, err := next.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s := w.Snapshot(); len(s.Recurring)+len(s.Results)+len(s.InFlight) != 0 {
		t.Errorf("%+v", s)
	}
	if call, err := next.Execute(t.Context(), conformance.Op("web", "monitor", 0)); call != 4 || err != nil {
		t.Errorf("call id %d, %v", call, err)
	}
}

func TestMissingSecretsFailAllButAStop(t *testing.T) {
	d := conformance.NewDouble()
	d.Answer("stop", agents.Result{})
	cfg := config(t, d)
	cfg.Secrets = t.TempDir()
	e := open(t, cfg)
	w, err := e.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for action, want := range map[string]lrmd.OpStatus{"start": lrmd.StatusNoSecrets, "stop": lrmd.StatusDone} {
		op := conformance.Op("db", action, 0)
		op.Params = map[string]string{"passwd": "lrm://"}
		if _, err := e.Execute(t.Context(), op); err != nil {
			t.Fatal(err)
		}
		if r, err := w.Next(t.Context()); err != nil || r.Status != want {
			t.Errorf("%s: %+v, %v", action, r, err)
		}
	}
}

func copyJournal(t *testing.T, dir string, noted bool) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "journal"))
	if err != nil {
		t.Fatal(err)
	}
	var out []byte
	for l := range strings.Lines(string(b)) {
		if noted || !strings.Contains(l, "\"process\":") {
			out = append(out, l...)
		}
	}
	to := t.TempDir()
	if err := os.WriteFile(filepath.Join(to, "journal"), out, 0o600); err != nil {
		t.Fatal(err)
	}
	return to
}
