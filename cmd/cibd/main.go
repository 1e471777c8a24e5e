// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package main

import (
	"context"
	"flag"
	"os"

	"github.com/quorate/quorate/cib/disk"
	"github.com/quorate/quorate/cib/engine"
	"github.com/quorate/quorate/cib/server"
	"github.com/quorate/quorate/internal/daemon"
	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/messaging/client"
)

func main() { daemon.Main("cibd", setup) }

func setup(fs *flag.FlagSet) func(ctx context.Context, env *daemon.Env) error {
	backups := fs.Int("backups", disk.DefaultBackups, "how many older documents are kept")
	return func(ctx context.Context, env *daemon.Env) error {
		if err := os.MkdirAll(env.Paths.RunDir(), 0o755); err != nil {
			return err
		}
		bus, err := client.Dial(env.Paths.Socket("messagingd"))
		if err != nil {
			return err
		}
		defer func() { _ = bus.Close() }()
		e, err := engine.Open(engine.Config{
			Bus: bus, Dir: env.Paths.CIBDir(), Backups: *backups, Clock: env.Clock, Log: env.Log, Metrics: env.Metrics,
		})
		if err != nil {
			return err
		}
		defer func() { _ = e.Close() }()
		lis, err := ipc.Listen(env.Paths.Socket("cibd"))
		if err != nil {
			return err
		}
		env.SetHealth(e.Check)
		env.Ready()
		return ipc.Serve(ctx, server.New(e, env.Log), lis)
	}
}
