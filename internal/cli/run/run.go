// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package run

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/daemon"
)

// order is the start order of the daemons with the distance of each one's
// metrics port from the base: the controller has the base port itself, which is
// the one that dashboards of ha_cluster_exporter scrape.
var order = []struct {
	name   string
	metric int
}{
	{"messagingd", 1}, {"cibd", 2}, {"lrmd", 3}, {"pengined", 4}, {"transitiond", 5}, {"crmd", 0},
}

// Tools lists the tools of this package.
func Tools() []cli.Tool {
	return []cli.Tool{{Name: "run", Short: "run the six daemons of a node in the foreground", Dir: cli.NoLink, Run: runTool}}
}

type options struct {
	root, libexec, metrics, level string
	only                          []string
	stopTimeout                   time.Duration
}

func runTool(ctx context.Context, io *cli.IO, args []string) int {
	var o options
	cmd := &cobra.Command{
		Use: "run", Short: "run the six daemons of a node in the foreground", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context(), io) },
	}
	fs := cmd.Flags()
	fs.StringVar(&o.root, "root", io.Paths.Root, "`folder` that all paths of the node are under")
	fs.StringVar(&o.libexec, "libexec", "", "`folder` of the daemons (default: beside this program, else ../libexec/quorate)")
	fs.StringVar(&o.metrics, "metrics", "", "`host:port` of the controller's metrics; the other daemons get the ports after it")
	fs.StringVar(&o.level, "log-level", "info", "lowest `level` that is logged")
	fs.StringSliceVar(&o.only, "only", nil, "start these `daemons` only")
	fs.DurationVar(&o.stopTimeout, "stop-timeout", 5*time.Minute, "how long the node may take to drain and stop")
	return cli.Execute(ctx, io, cmd, args)
}

func (o *options) run(ctx context.Context, io *cli.IO) error {
	libexec, err := findDaemons(o.libexec)
	if err != nil {
		return exit.Errorf(exit.NotInstalled, "quorate run: %v", err)
	}
	if o.root != "" {
		if o.root, err = filepath.Abs(o.root); err != nil {
			return exit.Errorf(exit.Usage, "quorate run: root: %w", err)
		}
	}
	paths := daemon.Paths{Root: o.root}
	if err := makeFolders(paths); err != nil {
		return exit.Errorf(exit.CantCreat, "quorate run: %w", err)
	}
	s := &supervisor{log: newPrefixer(io.Stderr), stopTimeout: o.stopTimeout, runDir: paths.RunDir()}
	for _, d := range order {
		if len(o.only) > 0 && !slices.Contains(o.only, d.name) {
			continue
		}
		args := []string{"--log-level", o.level}
		if o.root != "" {
			args = append(args, "--root", o.root)
		}
		if o.metrics != "" {
			addr, err := nextPort(o.metrics, d.metric)
			if err != nil {
				return exit.Errorf(exit.Usage, "quorate run: metrics: %w", err)
			}
			args = append(args, "--metrics", addr)
		}
		s.add(d.name, filepath.Join(libexec, d.name), args)
	}
	return s.run(ctx)
}

// makeFolders makes what the units get from tmpfiles: the folders of state and
// run time, also those that agents write to.
func makeFolders(p daemon.Paths) error {
	for _, d := range []struct {
		path string
		mode os.FileMode
	}{
		{p.RunDir(), 0o750},
		{p.Abs("/run/resource-agents"), 0o755 | os.ModeSticky},
		{p.StateDir(), 0o700},
		{p.CIBDir(), 0o750},
		{p.PengineDir(), 0o750},
		{filepath.Join(p.PacemakerDir(), "cores"), 0o750},
		{p.LogDir(), 0o750},
	} {
		if _, err := os.Stat(d.path); err == nil {
			continue
		}
		if err := os.MkdirAll(d.path, d.mode.Perm()); err != nil {
			return err
		}
		if err := os.Chmod(d.path, d.mode); err != nil {
			return err
		}
	}
	return nil
}

// findDaemons returns the folder that holds the daemons.
func findDaemons(given string) (string, error) {
	dirs := []string{given}
	if given == "" {
		exe, err := os.Executable()
		if err != nil {
			return "", err
		}
		if exe, err = filepath.EvalSymlinks(exe); err != nil {
			return "", err
		}
		here := filepath.Dir(exe)
		dirs = []string{here, filepath.Join(here, "../libexec/quorate"), "/usr/libexec/quorate"}
	}
	for _, dir := range dirs {
		if _, err := os.Stat(filepath.Join(dir, order[0].name)); err == nil {
			return dir, nil
		}
	}
	return "", fmt.Errorf("no %s in %v: say where the daemons are with --libexec", order[0].name, dirs)
}

func nextPort(base string, distance int) (string, error) {
	host, port, err := net.SplitHostPort(base)
	if err != nil {
		return "", err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return "", fmt.Errorf("port %q: %w", port, err)
	}
	return net.JoinHostPort(host, strconv.FormatUint(n+uint64(distance), 10)), nil
}
