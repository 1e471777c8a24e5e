// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Command crmd is the cluster resource manager daemon: the controller of this
// node. SIGTERM drains the node's resources and leaves the cluster.
package main

import (
	"context"
	"flag"

	"github.com/quorate/quorate/crmd/node"
	"github.com/quorate/quorate/internal/daemon"
)

func main() { daemon.Main("crmd", setup) }

func setup(*flag.FlagSet) func(ctx context.Context, env *daemon.Env) error { return node.Run }
