// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmmon

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/cli/statusview"
)

// How changes are followed.
const (
	settleTime    = 100 * time.Millisecond // changes that come together are shown together
	reconnectTime = 500 * time.Millisecond
)

// follow calls show with the present state, after each change, and after each
// interval. It goes on while the cluster is away; show decides by its error when
// it is over.
func (o *options) follow(ctx context.Context, io *cli.IO, show func(*statusview.View, error) error) error {
	src, err := open(io)
	if err != nil {
		return o.fail(io, err)
	}
	defer src.close()
	changed := make(chan struct{}, 1)
	watchCtx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		watch(watchCtx, src.store, changed)
	}()
	defer func() { cancel(); <-done }()
	for {
		v, err := src.view(ctx, o.show)
		if ctx.Err() != nil {
			return nil
		}
		if err := show(v, err); err != nil {
			return err
		}
		if !pause(ctx, changed, o.interval) {
			return nil
		}
	}
}

// pause waits for a change or the end of the interval; false when ctx ends.
func pause(ctx context.Context, changed <-chan struct{}, interval time.Duration) bool {
	tick := time.NewTimer(interval)
	defer tick.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-tick.C:
		return true
	case <-changed:
	}
	settle := time.NewTimer(settleTime)
	defer settle.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-settle.C:
		return true
	}
}

// watch signals each change of the document until ctx ends, watching anew when
// the daemon was away.
func watch(ctx context.Context, store cib.Store, changed chan<- struct{}) {
	for ctx.Err() == nil {
		w, err := store.Watch(ctx)
		for err == nil {
			if _, err = w.Next(ctx); err == nil {
				select {
				case changed <- struct{}{}:
				default:
				}
			}
		}
		if w != nil {
			_ = w.Close()
		}
		select {
		case <-ctx.Done():
		case <-time.After(reconnectTime):
		}
	}
}

// backgroundVariable marks the process that --daemonize leaves behind.
const backgroundVariable = "QUORATE_CRM_MON_BACKGROUND"

// background starts the tool again without a terminal and writes the id of the
// new process.
func (o *options) background(io *cli.IO) error {
	if o.to == "" {
		return exit.Errorf(exit.Usage, "%s: --daemonize needs --output-to", o.request[0])
	}
	self, err := os.Executable()
	if err != nil {
		return exit.Errorf(exit.OSErr, "%w", err)
	}
	args := slices.DeleteFunc(slices.Clone(o.request), func(a string) bool { return a == "-d" || a == "--daemonize" })
	for i, a := range args[1:] {
		if len(a) > 2 && a[0] == '-' && a[1] != '-' && strings.Contains(a, "d") {
			args[i+1] = strings.Replace(a, "d", "", 1)
		}
	}
	cmd := exec.Command(self)
	cmd.Args = args
	cmd.Env = append(os.Environ(), backgroundVariable+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return exit.Errorf(exit.OSErr, "%s: start in the background: %w", o.request[0], err)
	}
	pid := cmd.Process.Pid
	if err := os.WriteFile(o.pidFile, fmt.Appendf(nil, "%d\n", pid), 0o644); err != nil {
		return errors.Join(exit.Errorf(exit.CantCreat, "%s: %w", o.request[0], err), cmd.Process.Kill())
	}
	return cmd.Process.Release()
}
