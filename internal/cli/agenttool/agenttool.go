// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package agenttool

import (
	"context"
	"strings"

	"github.com/quorate/quorate/agents/shipped"
	"github.com/quorate/quorate/internal/cli"
)

// Tools lists the entries.
func Tools() []cli.Tool {
	return []cli.Tool{
		{Name: "ocf", Short: "run one of the agents that Quorate ships", Dir: cli.NoLink, Run: ocf},
	}
}

// ocf is called by small scripts that lie where agents are looked for, and as
// the interpreter of files that begin with #!/usr/sbin/quorate ocf. Its
// exit codes are an agent's.
func ocf(ctx context.Context, io *cli.IO, args []string) int {
	if len(args) == 0 {
		io.Errorf("usage: quorate ocf NAME ACTION; NAME is one of %s\n", strings.Join(shipped.Names(), ", "))
		return 2
	}
	act := ""
	if len(args) > 1 {
		act = args[1]
	}
	c := &shipped.Call{Getenv: io.Env, Stdin: io.Stdin, Stdout: io.Stdout, Stderr: io.Stderr}
	return int(c.Run(ctx, args[0], act))
}
