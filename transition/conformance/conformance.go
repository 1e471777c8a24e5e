// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package conformance checks that an implementation of [transition.Engine]
// keeps the interface's promises. It runs on the engine in process and over
// gRPC.
package conformance

import (
	"context"
	"errors"
	"testing"

	"github.com/quorate/quorate/transition"
	"github.com/quorate/quorate/transition/graph"
)

// Run runs the suite; open gives a fresh engine for each test.
func Run(t *testing.T, open func(t *testing.T) transition.Engine) {
	t.Helper()
	for name, test := range map[string]func(*testing.T, transition.Engine){
		"a run goes to its end":              toTheEnd,
		"an abort ends a run":                abort,
		"a bad graph is refused":             refused,
		"a second run ends the first":        second,
		"a failure is reported with its why": failure,
		"Next ends with its context":         canceled,
	} {
		t.Run(name, func(t *testing.T) { test(t, open(t)) })
	}
}

// chain is a start and a monitor after it.
func chain() *graph.Graph {
	start := &graph.Action{
		ID: 1, Kind: graph.RscOp, Operation: "start", OperationKey: "a_start_0", OnNode: "n1", OnNodeUUID: "1",
		Primitive:  &graph.Primitive{ID: "a", Class: "ocf", Provider: "pacemaker", Type: "Dummy"},
		Attributes: []graph.Attr{{Name: "CRM_meta_timeout", Value: "20000"}},
	}
	monitor := &graph.Action{
		ID: 2, Kind: graph.RscOp, Operation: "monitor", OperationKey: "a_monitor_10000", OnNode: "n1", OnNodeUUID: "1",
		Primitive:  start.Primitive,
		Attributes: []graph.Attr{{Name: "CRM_meta_interval", Value: "10000"}, {Name: "CRM_meta_timeout", Value: "20000"}},
	}
	in := graph.Input{ActionID: 1, Kind: graph.RscOp, Operation: "start", OperationKey: "a_start_0", OnNode: "n1", OnNodeUUID: "1"}
	return &graph.Graph{
		Attributes: []graph.Attr{{Name: "cluster-delay", Value: "60s"}, {Name: "transition_id", Value: "4"}},
		Synapses: []*graph.Synapse{
			{ID: 0, Actions: []*graph.Action{start}},
			{ID: 1, Actions: []*graph.Action{monitor}, Inputs: []graph.Input{in}},
		},
	}
}

func begin(t *testing.T, e transition.Engine, g *graph.Graph) transition.Run {
	t.Helper()
	r, err := e.Begin(t.Context(), g, transition.Options{MigrationLimit: -1})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func fired(t *testing.T, r transition.Run) *graph.Action {
	t.Helper()
	s, err := r.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f, ok := s.(*transition.Fire)
	if !ok {
		t.Fatalf("got %T, want a fire", s)
	}
	return f.Action
}

func done(t *testing.T, r transition.Run) *transition.Done {
	t.Helper()
	s, err := r.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	d, ok := s.(*transition.Done)
	if !ok {
		t.Fatalf("got %T, want done", s)
	}
	return d
}

func confirm(t *testing.T, r transition.Run, c transition.Confirm) {
	t.Helper()
	if err := r.Confirm(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

func toTheEnd(t *testing.T, e transition.Engine) {
	g := chain()
	r := begin(t, e, g)
	if a := fired(t, r); a != g.Synapses[0].Actions[0] {
		t.Fatalf("fired %+v, not the action of the graph given", a)
	}
	confirm(t, r, transition.Confirm{ActionID: 1})
	if a := fired(t, r); a.ID != 2 {
		t.Fatalf("fired %d", a.ID)
	}
	confirm(t, r, transition.Confirm{ActionID: 2})
	if d := done(t, r); !d.Complete || d.Aborted || d.Status != "Complete" || d.Completed != 2 || d.Follow != transition.FollowDone {
		t.Errorf("%+v", *d)
	}
	if _, err := r.Next(t.Context()); !errors.Is(err, transition.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

func abort(t *testing.T, e transition.Engine) {
	r := begin(t, e, chain())
	fired(t, r)
	if err := r.Abort(t.Context(), transition.Abort{Priority: transition.Infinity, Follow: transition.FollowRestart, Why: "because"}); err != nil {
		t.Fatal(err)
	}
	confirm(t, r, transition.Confirm{ActionID: 1})
	d := done(t, r)
	if d.Complete || !d.Aborted || d.Why != "because" || d.Follow != transition.FollowRestart || d.Status != "Stopped" || d.Skipped != 1 {
		t.Errorf("%+v", *d)
	}
}

func refused(t *testing.T, e transition.Engine) {
	g := chain()
	g.Synapses[1].Inputs[0].ActionID = 77
	if _, err := e.Begin(t.Context(), g, transition.Options{}); !errors.Is(err, transition.ErrInvalid) {
		t.Errorf("got %v", err)
	}
}

func second(t *testing.T, e transition.Engine) {
	one := begin(t, e, chain())
	fired(t, one)
	two := begin(t, e, chain())
	if _, err := one.Next(t.Context()); !errors.Is(err, transition.ErrClosed) {
		t.Errorf("the first run goes on: %v", err)
	}
	if a := fired(t, two); a.ID != 1 {
		t.Errorf("the second run fired %d", a.ID)
	}
}

func failure(t *testing.T, e transition.Engine) {
	r := begin(t, e, chain())
	fired(t, r)
	confirm(t, r, transition.Confirm{ActionID: 1, Failed: true})
	d := done(t, r)
	if d.Complete || d.Why != "a_start_0 failed" || d.Incomplete != 1 || d.Follow != transition.FollowRestart {
		t.Errorf("%+v", *d)
	}
}

func canceled(t *testing.T, e transition.Engine) {
	r := begin(t, e, chain())
	fired(t, r)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := r.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}
