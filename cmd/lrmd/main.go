// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Command lrmd is the local resource manager daemon: it runs resource agents on
// this node for the controller.
package main

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/quorate/quorate/agents/exec"
	"github.com/quorate/quorate/agents/fence"
	"github.com/quorate/quorate/agents/lsb"
	"github.com/quorate/quorate/agents/ocf"
	"github.com/quorate/quorate/agents/service"
	"github.com/quorate/quorate/agents/systemd"
	"github.com/quorate/quorate/internal/daemon"
	"github.com/quorate/quorate/internal/ipc"
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
	paths, base := env.Paths, ocf.BaseEnv(os.Environ())
	run := exec.Runner{Clock: env.Clock}
	dirs := ocf.Dirs(paths.Root, os.Getenv("OCF_RA_PATH"))
	scripts := lsb.New(lsb.Config{Dir: paths.Abs("/etc/init.d"), Env: base, Exec: run})
	units := systemd.New(systemd.Config{Clock: env.Clock, Log: env.Log})
	devices := fence.New(fence.Config{
		Dirs: fence.Dirs(paths.Root), Env: base, Exec: run, State: filepath.Join(paths.RunDir(), "lrmd", "stonith"),
	})
	return runner.Config{
		Classes: []runner.NamedClass{
			{Name: "ocf", Class: ocf.New(ocf.Config{Dirs: dirs, Root: paths.OCFRoot(), Env: base, Dir: workDir(paths), Exec: run})},
			{Name: "lsb", Class: scripts},
			{Name: "service", Class: service.New(scripts, units)},
			{Name: "systemd", Class: units},
			{Name: "stonith", Class: devices},
		},
		Queue: queue.DefaultConfig(runtime.NumCPU()), Dir: filepath.Join(paths.RunDir(), "lrmd"),
		Clock: env.Clock, Log: env.Log, Metrics: env.Metrics,
	}
}

// workDir is where agents' core files are looked for, if it is there.
func workDir(p daemon.Paths) string {
	dir := filepath.Join(p.PacemakerDir(), "cores")
	if st, err := os.Stat(dir); err != nil || !st.IsDir() {
		return "/"
	}
	return dir
}
