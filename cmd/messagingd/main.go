// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Command messagingd is the messaging daemon: it forms the ring with the other
// nodes, orders messages, and counts votes.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/internal/daemon"
	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/messaging/engine"
	"github.com/quorate/quorate/messaging/node"
	"github.com/quorate/quorate/messaging/server"
)

func main() {
	limitProcessors()
	daemon.Main("messagingd", setup)
}

// maxProcessors bounds the processors that the daemon uses at once.
const maxProcessors = 4

// limitProcessors leaves half of the processors to others, unless the environment
// says how many there are to be. One goroutine at a time has the engine's turn; a
// second processor is there for opening seals. Where there are only two, handing
// small pieces of work between them cost a quarter of the daemon's time.
func limitProcessors() {
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(min(max(runtime.GOMAXPROCS(0)/2, 1), maxProcessors))
	}
}

func setup(fs *flag.FlagSet) func(ctx context.Context, env *daemon.Env) error {
	file := fs.String("c", os.Getenv("COROSYNC_MAIN_CONFIG_FILE"), "configuration file (default /etc/corosync/corosync.conf)")
	test := fs.Bool("t", false, "test the configuration and exit")
	name := fs.String("node", os.Getenv("QUORATE_NODE"), "name of this node in the nodelist, where addresses do not tell")
	fs.Bool("f", true, "stay in the foreground (always the case)")
	version := fs.Bool("v", false, "show the version and exit")
	return func(ctx context.Context, env *daemon.Env) error {
		if *version {
			fmt.Printf("Corosync Cluster Engine, version '%s'\n", node.Version)
			return nil
		}
		s, err := newSetup(ctx, env, *file, *name)
		if err != nil {
			return err
		}
		defer func() { _ = s.classic.Close() }()
		cfg, err := s.build()
		if *test || err != nil {
			return err
		}
		prioritize(env.Log, s.urgency)
		lockMemory(env.Log)
		return run(ctx, env, cfg)
	}
}

func run(ctx context.Context, env *daemon.Env, cfg engine.Config) error {
	e, err := engine.New(cfg)
	if err != nil {
		return err
	}
	if err := env.Metrics.Register(e.Collector()); err != nil {
		return err
	}
	lis, err := ipc.Listen(env.Paths.Socket("messagingd"))
	if err != nil {
		return err
	}
	env.SetHealth(e.Healthy)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer cancel()
		return e.Run(ctx)
	})
	g.Go(func() error { return node.KeepSocket(ctx, cfg.Cmap, env.Paths.Socket("messagingd")) })
	g.Go(func() error {
		env.Ready()
		open := func(pid uint32) server.Bus { return e.Bus(pid) }
		return ipc.Serve(ctx, server.New(open, env.Log, ipc.AllowCallers(node.Allowed(cfg.Cmap))), lis)
	})
	return g.Wait()
}
