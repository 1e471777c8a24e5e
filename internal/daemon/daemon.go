// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package daemon

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/internal/clock"
)

// An Env is what a daemon's body works with.
type Env struct {
	Name    string
	Paths   Paths
	Log     *slog.Logger
	Level   *slog.LevelVar // lowest level that Log writes
	Metrics *prometheus.Registry
	Args    []string // operands after the flags
	Clock   clock.Clock
	// Ready tells systemd that the daemon serves. Calls after the first do nothing.
	Ready func()

	mu     sync.Mutex
	health func(context.Context) error // guarded by mu
}

// SetHealth registers the check that the watchdog makes: it must come back
// within its context's deadline, through the goroutine that owns the daemon's
// core, with nil while that is well.
func (e *Env) SetHealth(check func(context.Context) error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.health = check
}

func (e *Env) healthy(ctx context.Context) error {
	e.mu.Lock()
	check := e.health
	e.mu.Unlock()
	if check == nil {
		return nil
	}
	return check(ctx)
}

// A Body runs a daemon until ctx is done.
type Body func(ctx context.Context, env *Env) error

// Main runs a daemon and ends the process. setup declares the daemon's own
// flags and returns its body, which runs once the flags are parsed.
func Main(name string, setup func(fs *flag.FlagSet) func(ctx context.Context, env *Env) error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	p := process{name: name, args: os.Args[1:], stderr: os.Stderr, getenv: os.Getenv}
	code := p.run(ctx, setup)
	stop()
	os.Exit(code)
}

// Exit codes of a daemon.
const (
	exitOK    = 0
	exitError = 1
	exitUsage = 64
)

// A process is what Main takes from the operating system.
type process struct {
	name   string
	args   []string
	stderr io.Writer
	getenv func(string) string
}

func (p process) run(ctx context.Context, setup func(fs *flag.FlagSet) func(context.Context, *Env) error) int {
	fs := flag.NewFlagSet(p.name, flag.ContinueOnError)
	fs.SetOutput(p.stderr)
	root := fs.String("root", p.getenv(RootVariable), "`folder` that all paths of the node are under")
	level := fs.String("log-level", "info", "lowest `level` that is logged: debug, info, warn, error")
	metrics := fs.String("metrics", "", "`address` that serves Prometheus metrics, as :9664; none if empty")
	body := setup(fs)
	if err := fs.Parse(p.args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitOK
		}
		return exitUsage
	}
	log, lowest, err := newLogger(p.stderr, p.name, *level, isJournal(p.stderr, p.getenv("JOURNAL_STREAM")))
	if err != nil {
		fmt.Fprintf(p.stderr, "%s: %v\n", p.name, err)
		return exitUsage
	}
	if *root != "" {
		if *root, err = filepath.Abs(*root); err != nil {
			log.Error("root not usable", "error", err)
			return exitUsage
		}
	}
	env := &Env{
		Name: p.name, Paths: Paths{Root: *root}, Log: log, Level: lowest, Metrics: newRegistry(),
		Args: fs.Args(), Clock: clock.Boottime(),
	}
	return runBody(ctx, env, *metrics, body)
}

func runBody(ctx context.Context, env *Env, metrics string, body Body) int {
	env.Ready = sync.OnceFunc(func() { notifyReady(env.Log) })
	side, cancel := context.WithCancel(context.WithoutCancel(ctx))
	var wg sync.WaitGroup
	wg.Go(func() { serveMetrics(side, metrics, env.Metrics, env.Log) })
	wg.Go(func() { watchdog(side, env.healthy, env.Log) })
	// Before anything is torn down systemd learns that this end is meant.
	unhook := context.AfterFunc(ctx, notifyStopping)
	err := body(ctx, env)
	unhook()
	cancel()
	wg.Wait()
	if err != nil && (ctx.Err() == nil || !errors.Is(err, context.Canceled)) {
		env.Log.Error("daemon ends", "error", err)
		return exitError
	}
	return exitOK
}
