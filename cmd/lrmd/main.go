// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/quorate/quorate/internal/daemon"
	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/lrmd/classes"
	"github.com/quorate/quorate/lrmd/queue"
	"github.com/quorate/quorate/lrmd/runner"
	"github.com/quorate/quorate/lrmd/server"
)

func main() { daemon.Main("lrmd", setup) }

// agentUmask is what resource agents are used to. A child cannot be given one,
// so it is the daemon's own; what the daemon writes itself has explicit modes.
const agentUmask = 0o026

func setup(fs *flag.FlagSet) func(ctx context.Context, env *daemon.Env) error {
	grace := fs.Duration("grace", 10*time.Second, "how long operations that run may take when the daemon ends")
	return func(ctx context.Context, env *daemon.Env) error {
		// Before the umask: others go through this folder to their sockets.
		if err := os.MkdirAll(env.Paths.RunDir(), 0o755); err != nil {
			return err
		}
		syscall.Umask(agentUmask)
		cfg := config(env)
		cfg.CloseGrace = *grace
		executor, err := runner.New(cfg)
		if err != nil {
			return err
		}
		defer func() { _ = executor.Close() }()
		lis, err := ipc.Listen(env.Paths.Socket("lrmd"))
		if err != nil {
			return err
		}
		env.SetHealth(executor.Healthy)
		env.Ready()
		return ipc.Serve(ctx, server.New(executor, env.Log), lis)
	}
}

func config(env *daemon.Env) runner.Config {
	table := classes.New(classes.Config{Paths: env.Paths, Env: os.Environ(), Clock: env.Clock, Log: env.Log})
	return runner.Config{
		Classes: table.Rows(), Queue: queue.DefaultConfig(runtime.NumCPU()),
		Dir:     filepath.Join(env.Paths.RunDir(), "lrmd"),
		Secrets: filepath.Join(env.Paths.PacemakerDir(), "lrm", "secrets"),
		Clock:   env.Clock, Log: env.Log, Metrics: env.Metrics,
	}
}
