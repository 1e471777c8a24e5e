// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package main

import (
	"bufio"
	"context"
	"errors"
	"os"
	osexec "os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/lrmd/client"
)

const asDaemon = "QUORATE_TEST_LRMD"

func TestMain(m *testing.M) {
	if os.Getenv(asDaemon) != "" {
		main()
	}
	os.Exit(m.Run())
}

// A node is a relocated root with a daemon.
type node struct {
	t      *testing.T
	root   string
	cmd    *osexec.Cmd
	client *client.Client
	ctx    context.Context //nolint:containedctx // a test's helper
}

// The agent of the tests: start tells its pid, its child's and that of a service
// in a session of its own through a fifo, and hangs; monitor tells that it ran.
const agent = `#!/bin/sh
case "$1" in
start) sleep 1000 & child=$!
	setsid sh -c 'echo "$1 $2 $$" >"$3"; exec sleep 1000' sh $$ $child "$OCF_RESKEY_fifo" &
	wait ;;
monitor) [ -z "$OCF_RESKEY_fifo" ] || echo monitor >"$OCF_RESKEY_fifo" ;;
esac
`

func newNode(t *testing.T) *node {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	t.Cleanup(cancel)
	n := &node{t: t, root: t.TempDir(), ctx: ctx}
	dir := filepath.Join(n.root, "usr/lib/ocf/resource.d/test")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "T"), []byte(agent), 0o755); err != nil {
		t.Fatal(err)
	}
	n.start()
	c, err := client.Dial(filepath.Join(n.root, "run/quorate/lrmd.sock"))
	if err != nil {
		t.Fatal(err)
	}
	n.client = c
	t.Cleanup(func() {
		_ = c.Close()
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait()
	})
	return n
}

func (n *node) start() {
	n.t.Helper()
	n.cmd = osexec.CommandContext(n.ctx, os.Args[0], "--root", n.root, "--grace", "100ms")
	n.cmd.Env = append(os.Environ(), asDaemon+"=1")
	n.cmd.Stderr = os.Stderr
	if !testing.Verbose() {
		n.cmd.Stderr = nil
	}
	if err := n.cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
}

// watch begins a watch, as soon as the daemon answers.
func (n *node) watch() lrmd.Watch {
	n.t.Helper()
	for {
		w, err := n.client.Watch(n.ctx)
		if err == nil {
			n.t.Cleanup(func() { _ = w.Close() })
			return w
		}
		if !errors.Is(err, ipc.ErrUnavailable) {
			n.t.Fatal(err)
		}
	}
}

func (n *node) execute(op lrmd.Op) int {
	n.t.Helper()
	op.Agent = lrmd.Agent{Class: "ocf", Provider: "test", Type: "T"}
	call, err := n.client.Execute(n.ctx, op)
	if err != nil {
		n.t.Fatal(err)
	}
	return call
}

func (n *node) fifo() (path string, line func() string) {
	n.t.Helper()
	path = filepath.Join(n.t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		n.t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		n.t.Fatal(err)
	}
	n.t.Cleanup(func() { _ = f.Close() })
	_ = f.SetReadDeadline(time.Now().Add(time.Minute))
	r := bufio.NewReader(f)
	return path, func() string {
		n.t.Helper()
		s, err := r.ReadString('\n')
		if err != nil {
			n.t.Fatal(err)
		}
		return strings.TrimSpace(s)
	}
}

func TestKilledDaemonHeals(t *testing.T) {
	n := newNode(t)
	w := n.watch()
	beats, beat := n.fifo()
	n.execute(lrmd.Op{Resource: "web", Action: "monitor", Interval: 10 * time.Millisecond, Params: map[string]string{"fifo": beats}})
	if r, err := w.Next(n.ctx); err != nil || r.ExitCode != 0 {
		t.Fatal(r, err)
	}
	started, line := n.fifo()
	call := n.execute(lrmd.Op{Resource: "db", Action: "start", Timeout: time.Hour, UserData: "key", Params: map[string]string{"fifo": started}})
	var fds, pids [3]int
	for i, word := range strings.Fields(line()) {
		pid, err := strconv.Atoi(word)
		if err != nil {
			t.Fatal(err)
		}
		pids[i] = pid
		if fds[i], err = unix.PidfdOpen(pid, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := n.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = n.cmd.Wait()
	if _, err := w.Next(n.ctx); err == nil {
		t.Error("the watch goes on without its daemon")
	}
	n.start()
	snap := n.watch().Snapshot()
	if snap.Boot == w.Snapshot().Boot {
		t.Error("the daemon does not tell that it is another")
	}
	for i, what := range []string{"agent", "agent's child"} {
		if !died(fds[i], 10_000) {
			t.Errorf("the %s lives", what)
		}
	}
	if died(fds[2], 0) {
		t.Error("the service that the agent started is dead")
	}
	_ = syscall.Kill(pids[2], syscall.SIGKILL)
	var lost *lrmd.Result
	for _, r := range snap.Results {
		if r.CallID == call {
			lost = &r
		}
	}
	if lost == nil || !lost.Lost || lost.Op.UserData != "key" {
		t.Errorf("results: %+v", snap.Results)
	}
	for range 10 {
		if beat() != "monitor" {
			t.Error("the monitor does not go on")
		}
	}
}

func died(fd, ms int) bool {
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, ms)
		if !errors.Is(err, unix.EINTR) {
			return n == 1
		}
	}
}

func TestDaemonEndsOnRequest(t *testing.T) {
	n := newNode(t)
	n.watch()
	if err := n.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := n.cmd.Wait(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(n.root, "run/quorate/lrmd.sock")); !os.IsNotExist(err) {
		t.Errorf("socket left behind: %v", err)
	}
}

func BenchmarkOperation(b *testing.B) {
	dir := b.TempDir()
	agents := filepath.Join(dir, "usr/lib/ocf/resource.d/test")
	if err := os.MkdirAll(agents, 0o755); err != nil {
		b.Fatal(err)
	}
	if err := os.Symlink("/bin/true", filepath.Join(agents, "T")); err != nil {
		b.Fatal(err)
	}
	cmd := osexec.CommandContext(b.Context(), os.Args[0], "--root", dir)
	cmd.Env = append(os.Environ(), asDaemon+"=1")
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	c, err := client.Dial(filepath.Join(dir, "run/quorate/lrmd.sock"))
	if err != nil {
		b.Fatal(err)
	}
	var w lrmd.Watch
	for w == nil {
		if w, err = c.Watch(b.Context()); err != nil && !errors.Is(err, ipc.ErrUnavailable) {
			b.Fatal(err)
		}
	}
	op := lrmd.Op{Resource: "r", Action: "start", Agent: lrmd.Agent{Class: "ocf", Provider: "test", Type: "T"}}
	for b.Loop() {
		if _, err := c.Execute(b.Context(), op); err != nil {
			b.Fatal(err)
		}
		if r, err := w.Next(b.Context()); err != nil || r.ExitCode != 0 {
			b.Fatal(r, err)
		}
	}
}
