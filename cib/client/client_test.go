// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/cibtest"
	"github.com/quorate/quorate/cib/engine"
	"github.com/quorate/quorate/cib/server"
	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/internal/ipc"
)

// serve starts a daemon and gives a client of it, and what stops the daemon.
func serve(t testing.TB) (c *Client, stop func()) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	e, err := engine.Open(engine.Config{Bus: cibtest.NewNet().Bus(1, "node1"), Dir: t.TempDir(), Clock: clock.Runtime(), Log: log})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cibd.sock")
	lis, err := ipc.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- ipc.Serve(ctx, server.New(e, log), lis) }()
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
		_ = e.Close()
	}
	t.Cleanup(stop)
	if c, err = Dial(path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c, stop
}

func TestStore(t *testing.T) {
	cibtest.RunStore(t, func(t *testing.T) cib.Store {
		c, _ := serve(t)
		return c
	})
}

func TestADaemonThatIsAwayIsTold(t *testing.T) {
	c, stop := serve(t)
	w, err := c.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := w.Next(t.Context()); err == nil {
		t.Error("a watch of a daemon that is gone goes on")
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if _, err := c.Do(t.Context(), cib.Request{Op: cib.OpQuery}); !errors.Is(err, ipc.ErrUnavailable) {
		t.Errorf("%v, want ErrUnavailable", err)
	}
}

func BenchmarkQueryOverTheSocket(b *testing.B) {
	c, _ := serve(b)
	for b.Loop() {
		if _, err := c.Do(b.Context(), cib.Request{Op: cib.OpQuery}); err != nil {
			b.Fatal(err)
		}
	}
}
