// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"testing"

	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/transition"
	"github.com/quorate/quorate/transition/client"
	"github.com/quorate/quorate/transition/conformance"
	"github.com/quorate/quorate/transition/graph"
	"github.com/quorate/quorate/transition/runner"
	"github.com/quorate/quorate/transition/server"
)

func serve(t *testing.T, path string) (stop func()) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	e := runner.New(runner.Config{Clock: clock.Runtime(), Log: log})
	lis, err := ipc.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- ipc.Serve(ctx, server.New(e, log), lis) }()
	return func() {
		cancel()
		<-done
		_ = e.Close()
	}
}

func dial(t *testing.T, path string) *client.Client {
	t.Helper()
	c, err := client.Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T) transition.Engine {
		path := filepath.Join(t.TempDir(), "s")
		t.Cleanup(serve(t, path))
		return dial(t, path)
	})
}

func TestARunEndsWithTheDaemon(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	stop := serve(t, path)
	c := dial(t, path)
	g := &graph.Graph{
		Attributes: []graph.Attr{{Name: "transition_id", Value: "1"}, {Name: "cluster-delay", Value: "60s"}},
		Synapses: []*graph.Synapse{{Actions: []*graph.Action{{
			ID: 1, Kind: graph.RscOp, Operation: "start", OperationKey: "a_start_0", OnNode: "n", OnNodeUUID: "1",
		}}}},
	}
	r, err := c.Begin(t.Context(), g, transition.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	if _, err := r.Next(t.Context()); !errors.Is(err, transition.ErrClosed) {
		t.Errorf("got %v", err)
	}
	if _, err := c.Begin(t.Context(), g, transition.Options{}); !errors.Is(err, ipc.ErrUnavailable) {
		t.Errorf("begin without a daemon: %v", err)
	}
}
