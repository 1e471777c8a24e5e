// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Command transitiond is the transition engine's daemon: it carries transition
// graphs out for the controller.
package main

import (
	"context"
	"flag"

	"github.com/quorate/quorate/internal/daemon"
	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/transition/runner"
	"github.com/quorate/quorate/transition/server"
)

func main() { daemon.Main("transitiond", setup) }

func setup(*flag.FlagSet) func(ctx context.Context, env *daemon.Env) error {
	return func(ctx context.Context, env *daemon.Env) error {
		engine := runner.New(runner.Config{Clock: env.Clock, Log: env.Log, Observer: runner.NewMetrics(env.Metrics)})
		defer func() { _ = engine.Close() }()
		lis, err := ipc.Listen(env.Paths.Socket("transitiond"))
		if err != nil {
			return err
		}
		env.SetHealth(engine.Healthy)
		env.Ready()
		return ipc.Serve(ctx, server.New(engine, env.Log), lis)
	}
}
