// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package machine

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/transition"
	"github.com/quorate/quorate/transition/graph"
)

// The commands: graph builds one, a line for each action:
//
//	ID KIND OPERATION [node=N] [prio=P] [in=ID,ID] [ATTR=VALUE]…
//
// then start, confirm, abort, tick drive it.
func TestMachine(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var m *Machine
		var now time.Duration
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out Output
			var err error
			switch d.Cmd {
			case "graph":
				opts := transition.Options{MigrationLimit: -1}
				d.MaybeScanArgs(t, "batch", &opts.BatchLimit)
				d.MaybeScanArgs(t, "node", &opts.NodeLimit)
				d.MaybeScanArgs(t, "migrations", &opts.MigrationLimit)
				m, err = New(parse(t, d.Input), opts)
				if err != nil {
					return err.Error() + "\n"
				}
				now = 0
				return ""
			case "start":
				out = m.Start(now)
			case "confirm":
				c := transition.Confirm{Failed: d.HasArg("failed"), CanFail: d.HasArg("canfail"), Quiet: d.HasArg("quiet")}
				d.ScanArgs(t, "id", &c.ActionID)
				out, err = m.Confirm(now, c)
				if err != nil {
					return err.Error() + "\n"
				}
			case "abort":
				a := transition.Abort{Priority: transition.Infinity, Follow: transition.FollowRestart, Why: "aborted"}
				d.MaybeScanArgs(t, "prio", &a.Priority)
				out = m.Abort(now, a)
			case "tick":
				var s string
				d.ScanArgs(t, "at", &s)
				if now, err = time.ParseDuration(s); err != nil {
					t.Fatal(err)
				}
				out = m.Tick(now)
			}
			return show(m, out)
		})
	})
}

func show(m *Machine, out Output) string {
	var b strings.Builder
	for _, a := range out.Timeouts {
		fmt.Fprintf(&b, "timeout %d\n", a.ID)
	}
	for _, a := range out.Fire {
		fmt.Fprintf(&b, "fire %d %s on %s\n", a.ID, a.Operation, a.OnNode)
	}
	if at, ok := m.Deadline(); ok {
		fmt.Fprintf(&b, "deadline %v\n", at)
	}
	if d := out.Done; d != nil {
		fmt.Fprintf(&b, "%s complete=%v completed=%d pending=%d skipped=%d incomplete=%d follow=%d why=%q\n",
			d.Status, d.Complete, d.Completed, d.Pending, d.Skipped, d.Incomplete, d.Follow, d.Why)
	}
	return b.String()
}

func parse(t *testing.T, text string) *graph.Graph {
	t.Helper()
	g := &graph.Graph{Attributes: []graph.Attr{{Name: "cluster-delay", Value: "60s"}}}
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 3 {
			t.Fatalf("bad line %q", line)
		}
		a := &graph.Action{Kind: graph.Kind(f[1]), Operation: f[2], OperationKey: f[2] + "_" + f[0]}
		s := &graph.Synapse{Actions: []*graph.Action{a}}
		if _, err := fmt.Sscan(f[0], &a.ID); err != nil {
			t.Fatal(err)
		}
		s.ID = a.ID
		for _, kv := range f[3:] {
			k, v, _ := strings.Cut(kv, "=")
			switch k {
			case "node":
				a.OnNode = v
			case "prio":
				_, _ = fmt.Sscan(v, &s.Priority)
			case "in":
				for id := range strings.SplitSeq(v, ",") {
					in := graph.Input{}
					_, _ = fmt.Sscan(id, &in.ActionID)
					s.Inputs = append(s.Inputs, in)
				}
			default:
				a.Attributes = append(a.Attributes, graph.Attr{Name: k, Value: v})
			}
		}
		g.Synapses = append(g.Synapses, s)
	}
	return g
}

// drawGraph makes a graph without cycles: inputs come earlier.
func drawGraph(t *rapid.T) *graph.Graph {
	g := &graph.Graph{}
	n := rapid.IntRange(0, 30).Draw(t, "actions")
	for i := range n {
		a := &graph.Action{
			ID: i + 1, Kind: rapid.SampledFrom([]graph.Kind{graph.RscOp, graph.PseudoEvent, graph.CrmEvent}).Draw(t, "kind"),
			Operation: rapid.SampledFrom([]string{"start", "stop", "migrate_to", "stonith"}).Draw(t, "op"),
			OnNode:    rapid.SampledFrom([]string{"a", "b"}).Draw(t, "node"),
		}
		s := &graph.Synapse{ID: i, Actions: []*graph.Action{a}, Priority: rapid.SampledFrom([]int{0, 5, transition.Infinity}).Draw(t, "prio")}
		for range rapid.IntRange(0, min(i, 3)).Draw(t, "inputs") {
			s.Inputs = append(s.Inputs, graph.Input{ActionID: rapid.IntRange(1, i).Draw(t, "input")})
		}
		g.Synapses = append(g.Synapses, s)
	}
	return g
}

// Each action is fired at most once, only after its inputs, within the limits;
// every run ends; without failures and aborts everything is carried out.
func TestRunsKeepTheirPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		g := drawGraph(t)
		opts := transition.Options{
			BatchLimit: rapid.IntRange(0, 4).Draw(t, "batch"), NodeLimit: rapid.IntRange(0, 3).Draw(t, "node"),
			MigrationLimit: rapid.IntRange(-1, 2).Draw(t, "migrations"),
		}
		m, err := New(g, opts)
		if err != nil {
			t.Fatal(err)
		}
		trouble := rapid.Bool().Draw(t, "trouble")
		w := &watcher{t: t, g: g, opts: opts, fired: map[int]bool{}, done: map[int]bool{}, failed: map[int]bool{}}
		w.take(m.Start(0))
		for step := 0; m.Over() == nil; step++ {
			if step > 10*len(g.Synapses)+10 {
				t.Fatal("the run does not end")
			}
			w.one(m, trouble)
		}
		if !trouble && !m.Over().Complete {
			t.Fatalf("not complete: %+v", *m.Over())
		}
	})
}

type watcher struct {
	t                   *rapid.T
	g                   *graph.Graph
	opts                transition.Options
	fired, done, failed map[int]bool
	flight              []*graph.Action
}

func (w *watcher) take(out Output) {
	for _, a := range out.Fire {
		if w.fired[a.ID] {
			w.t.Fatalf("action %d fired twice", a.ID)
		}
		w.fired[a.ID] = true
		w.flight = append(w.flight, a)
	}
	if w.opts.BatchLimit > 0 && len(w.flight) > w.opts.BatchLimit {
		w.t.Fatalf("%d in flight, limit %d", len(w.flight), w.opts.BatchLimit)
	}
	perNode := map[string]int{}
	for _, a := range w.flight {
		if a.Kind == graph.RscOp {
			perNode[a.OnNode]++
		}
		for _, s := range w.g.Synapses {
			if s.Actions[0] != a {
				continue
			}
			for _, in := range s.Inputs {
				if !w.reached(in.ActionID, s.Priority) {
					w.t.Fatalf("action %d fired before its input %d", a.ID, in.ActionID)
				}
			}
		}
	}
	for n, c := range perNode {
		if w.opts.NodeLimit > 0 && c > w.opts.NodeLimit {
			w.t.Fatalf("%d in flight on %s, limit %d", c, n, w.opts.NodeLimit)
		}
	}
}

// reached tells whether an input may count as done for a synapse of a priority.
func (w *watcher) reached(id, prio int) bool {
	a := w.g.Synapses[id-1].Actions[0]
	if a.Kind == graph.PseudoEvent {
		for _, in := range w.g.Synapses[id-1].Inputs {
			if !w.reached(in.ActionID, w.g.Synapses[id-1].Priority) {
				return false
			}
		}
		return true
	}
	return w.done[id] && (!w.failed[id] || prio == transition.Infinity)
}

func (w *watcher) one(m *Machine, trouble bool) {
	if len(w.flight) == 0 {
		w.t.Fatal("nothing is in flight and the run is not over")
	}
	if trouble && rapid.IntRange(0, 9).Draw(w.t, "abort") == 0 {
		w.take(m.Abort(0, transition.Abort{Priority: rapid.SampledFrom([]int{1, transition.Infinity}).Draw(w.t, "p"), Why: "x"}))
		return
	}
	i := rapid.IntRange(0, len(w.flight)-1).Draw(w.t, "which")
	a := w.flight[i]
	w.flight = append(w.flight[:i:i], w.flight[i+1:]...)
	c := transition.Confirm{ActionID: a.ID, Failed: trouble && rapid.IntRange(0, 4).Draw(w.t, "fails") == 0}
	w.done[a.ID], w.failed[a.ID] = true, c.Failed
	out, err := m.Confirm(0, c)
	if err != nil {
		w.t.Fatal(err)
	}
	w.take(out)
}
