// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/lrmd/conformance"
	"github.com/quorate/quorate/lrmd/queue"
	"github.com/quorate/quorate/lrmd/runner"
	"github.com/quorate/quorate/lrmd/server"
)

func serve(t *testing.T) (*Client, *conformance.Double, func()) {
	t.Helper()
	d := conformance.NewDouble()
	log := slog.New(slog.DiscardHandler)
	e, err := runner.New(runner.Config{
		Classes: []runner.NamedClass{{Name: "ocf", Class: d}}, Queue: queue.DefaultConfig(1),
		Dir: t.TempDir(), Clock: clock.Runtime(), Log: log,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	path := filepath.Join(t.TempDir(), "lrmd.sock")
	lis, err := ipc.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	srv := server.New(e, log)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- ipc.Serve(ctx, srv, lis) }()
	stop := func() { cancel(); <-served; served <- nil }
	t.Cleanup(stop)
	c, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, d, stop
}

func TestConformance(t *testing.T) {
	conformance.Test(t, func(t *testing.T) conformance.Subject {
		c, d, _ := serve(t)
		return conformance.Subject{Executor: c, Double: d}
	})
}

func TestWatchEndsWithTheDaemon(t *testing.T) {
	c, _, stop := serve(t)
	w, err := c.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := w.Next(t.Context()); err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("watch of a dead daemon: %v", err)
	}
	if _, err := c.Classes(t.Context()); !errors.Is(err, ipc.ErrUnavailable) {
		t.Errorf("call of a dead daemon: %v", err)
	}
}
