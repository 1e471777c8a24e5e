// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package corosync

import (
	"context"
	"log/slog"
	"os"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/messaging/node"
)

const corosyncUsage = `usage:
        -c     : Corosync config file path.
        -f     : Start application in foreground.
        -t     : Test configuration and exit.
        -v     : Display version, git revision and some useful information about Corosync and exit.
`

// exitConfig is corosync's code for a configuration that it cannot use.
const exitConfig = 8

func runCorosync(ctx context.Context, io *cli.IO, args []string) int {
	opts, _, err := getopt("corosync", args, "c:ftv", nil)
	if err != nil {
		io.Errorf("%s\n%s", err, corosyncUsage)
		return exitError
	}
	file, test := io.Env("COROSYNC_MAIN_CONFIG_FILE"), false
	for _, o := range opts {
		switch o.name {
		case "c":
			file = o.arg
		case "t":
			test = true
		case "v":
			io.Printf("Corosync Cluster Engine, version '%s'\n", cli.CorosyncVersion)
			io.Printf("Copyright (c) the Quorate authors (Quorate %s)\n", cli.Release)
			return exitOK
		}
	}
	if !test {
		io.Errorf("corosync: the daemon is messagingd; start it with: systemctl start corosync\n")
		return exitError
	}
	if file == "" {
		file = io.Paths.CorosyncConf()
	}
	return testConfig(ctx, io, file)
}

// testConfig reads the file as the daemon does and tells its faults.
func testConfig(ctx context.Context, io *cli.IO, file string) int {
	if _, err := os.Stat(file); err != nil {
		io.Errorf("Can't read file %s: %s\n", file, reason(err))
		return exitConfig
	}
	hostnameFile := ""
	if io.Paths.Root != "" {
		hostnameFile = io.Paths.Abs("/etc/hostname")
	}
	m, err := node.ThisMachine(ctx, hostnameFile, io.Env("QUORATE_NODE"))
	if err != nil {
		io.Errorf("%s\n", err)
		return exitConfig
	}
	s := node.Source{
		ConfPath: file, KeyPath: io.Paths.Authkey(), StateDir: io.Paths.StateDir(), Abs: io.Paths.Abs, Machine: m,
		Clock: clock.Boottime(), Log: slog.New(slog.DiscardHandler),
	}
	c, err := node.Load(s)
	if err == nil {
		for _, w := range c.Warnings {
			io.Errorf("warning: %s\n", w)
		}
		_, err = node.Build(s, c)
	}
	if err != nil {
		io.Errorf("%s\n", err)
		return exitConfig
	}
	return exitOK
}
