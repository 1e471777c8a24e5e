// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package runner

import (
	"errors"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/transition"
	"github.com/quorate/quorate/transition/conformance"
	"github.com/quorate/quorate/transition/graph"
)

func open(t *testing.T) *Engine {
	t.Helper()
	e := New(Config{Clock: clock.Runtime(), Log: slog.New(slog.DiscardHandler), Observer: NewMetrics(prometheus.NewRegistry())})
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
	})
	return e
}

func TestConformance(t *testing.T) {
	conformance.Run(t, func(t *testing.T) transition.Engine { return open(t) })
}

func TestAnActionWithoutResultTimesOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := open(t)
		g := &graph.Graph{Attributes: []graph.Attr{{Name: "cluster-delay", Value: "60s"}}, Synapses: []*graph.Synapse{{
			Actions: []*graph.Action{{ID: 3, Kind: graph.RscOp, Attributes: []graph.Attr{{Name: "CRM_meta_timeout", Value: "20000"}}}},
		}}}
		r, err := e.Begin(t.Context(), g, transition.Options{})
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var kinds []string
		for range 3 {
			s, err := r.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			switch s.(type) {
			case *transition.Fire:
				kinds = append(kinds, "fire")
			case *transition.Timeout:
				kinds = append(kinds, "timeout")
				if took := time.Since(began); took != 80*time.Second {
					t.Errorf("timed out after %v", took)
				}
			case *transition.Done:
				kinds = append(kinds, "done")
			}
		}
		if len(kinds) != 3 || kinds[1] != "timeout" || kinds[2] != "done" {
			t.Errorf("steps %v", kinds)
		}
		if err := e.Healthy(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

func TestNothingBeginsAfterClose(t *testing.T) {
	e := New(Config{Clock: clock.Runtime(), Log: slog.New(slog.DiscardHandler)})
	_ = e.Close()
	if _, err := e.Begin(t.Context(), &graph.Graph{}, transition.Options{}); !errors.Is(err, transition.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
