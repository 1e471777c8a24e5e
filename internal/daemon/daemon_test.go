// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package daemon

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func noEnv(string) string { return "" }

func run(ctx context.Context, p process, body Body) (code int, stderr string) {
	var buf bytes.Buffer
	p.name = "testd"
	p.stderr = &buf
	if p.getenv == nil {
		p.getenv = noEnv
	}
	code = p.run(ctx, func(fs *flag.FlagSet) func(context.Context, *Env) error {
		fs.Bool("own", false, "a flag of the daemon")
		return body
	})
	return code, buf.String()
}

func TestFlagsReachTheBody(t *testing.T) {
	dir := t.TempDir()
	var env *Env
	code, _ := run(t.Context(), process{args: []string{"-own", "--root", dir, "operand"}}, func(_ context.Context, e *Env) error {
		env = e
		return nil
	})
	if code != 0 || env.Paths.Root != dir || len(env.Args) != 1 || env.Args[0] != "operand" {
		t.Errorf("code %d, env %+v", code, env)
	}
	if got, want := env.Paths.Socket("cibd"), filepath.Join(dir, "/run/quorate/cibd.sock"); got != want {
		t.Errorf("socket %s, want %s", got, want)
	}
	if got := (Paths{}).CorosyncConf(); got != "/etc/corosync/corosync.conf" {
		t.Errorf("without a root: %s", got)
	}
}

func TestRootFromTheEnvironment(t *testing.T) {
	getenv := func(k string) string { return map[string]string{RootVariable: "/n1"}[k] }
	var root string
	run(t.Context(), process{getenv: getenv}, func(_ context.Context, e *Env) error {
		root = e.Paths.Root
		return nil
	})
	if root != "/n1" {
		t.Errorf("root %q", root)
	}
}

func TestExitCodes(t *testing.T) {
	nothing := func(context.Context, *Env) error { return nil }
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tc := range []struct {
		name   string
		ctx    context.Context
		args   []string
		body   Body
		code   int
		stderr string
	}{
		{"end", t.Context(), nil, nothing, 0, ""},
		{"help", t.Context(), []string{"-h"}, nothing, 0, "-metrics"},
		{"bad flag", t.Context(), []string{"-nonsense"}, nothing, 64, "nonsense"},
		{"bad level", t.Context(), []string{"-log-level", "loud"}, nothing, 64, `log level "loud"`},
		{"failure", t.Context(), nil, func(context.Context, *Env) error { return errors.New("no ring") }, 1, "no ring"},
		{"stopped by a signal", cancelled, nil, func(ctx context.Context, _ *Env) error { return ctx.Err() }, 0, ""},
	} {
		code, stderr := run(tc.ctx, process{args: tc.args}, tc.body)
		if code != tc.code || !strings.Contains(stderr, tc.stderr) {
			t.Errorf("%s: code %d, want %d; stderr %q", tc.name, code, tc.code, stderr)
		}
	}
}

func TestMetricsAreServed(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := lis.Addr().String()
	lis.Close()
	code, stderr := run(t.Context(), process{args: []string{"-metrics", addr}}, func(ctx context.Context, _ *Env) error {
		for range 1000 {
			resp, err := http.Get("http://" + addr + "/metrics")
			if err != nil {
				continue // not listening yet
			}
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err == nil && !bytes.Contains(text, []byte("go_goroutines")) {
				return errors.New("no metrics in the answer")
			}
			return err
		}
		return errors.New("never answered")
	})
	if code != 0 {
		t.Errorf("code %d: %s", code, stderr)
	}
}

func TestJournalLinesCarryPriority(t *testing.T) {
	var buf bytes.Buffer
	log, lowest, err := newLogger(&buf, "testd", "info", true)
	if err != nil {
		t.Fatal(err)
	}
	log = log.With("ring", 1).WithGroup("g")
	log.Debug("hidden")
	log.Info("ring formed", "members", 3)
	log.Error("ring lost")
	want := "<6>msg=\"ring formed\" ring=1 g.members=3\n<3>msg=\"ring lost\" ring=1\n"
	if buf.String() != want {
		t.Errorf("got %q, want %q", buf.String(), want)
	}
	if log.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("debug is enabled at level info")
	}
	lowest.Set(slog.LevelDebug)
	if !log.Enabled(t.Context(), slog.LevelDebug) {
		t.Error("debug is not enabled after the level was lowered")
	}
}

func TestJournalIsTheStreamThatSystemdNames(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	st := fi.Sys().(*syscall.Stat_t)
	stream := fmt.Sprintf("%d:%d", st.Dev, st.Ino)
	if !isJournal(f, stream) {
		t.Error("the stream is not recognized")
	}
	if isJournal(f, "8:1") || isJournal(f, "") || isJournal(io.Discard, stream) {
		t.Error("something else is taken for the journal")
	}
}
