// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package main

import (
	"context"
	"errors"
	"flag"

	"github.com/quorate/quorate/internal/daemon"
	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/pengine/engine"
	"github.com/quorate/quorate/pengine/server"
)

func main() { daemon.Main("pengined", setup) }

func setup(*flag.FlagSet) func(ctx context.Context, env *daemon.Env) error {
	return func(ctx context.Context, env *daemon.Env) error {
		e, err := engine.New(engine.Config{Dir: env.Paths.PengineDir(), Clock: env.Clock, Log: env.Log, Metrics: env.Metrics})
		if err != nil {
			return err
		}
		lis, err := ipc.Listen(env.Paths.Socket("pengined"))
		if err != nil {
			return errors.Join(err, e.Close())
		}
		env.Ready()
		return errors.Join(ipc.Serve(ctx, server.New(e, env.Log), lis), e.Close())
	}
}
