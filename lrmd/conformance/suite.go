// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package conformance

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/lrmd"
)

// patience bounds each wait of the suite.
const patience = 30 * time.Second

// Op is an operation on the double's agent.
func Op(resource, action string, interval time.Duration) lrmd.Op {
	return lrmd.Op{
		Resource: resource, Action: action, Interval: interval, Timeout: time.Minute,
		Agent:    lrmd.Agent{Class: "ocf", Provider: "test", Type: "T"},
		Params:   map[string]string{"ip": "192.0.2.1", "CRM_meta_timeout": "60000"},
		UserData: "3:1:0:" + resource,
	}
}

// A Subject is an executor under test and the class behind it.
type Subject struct {
	Executor lrmd.Executor
	Double   *Double
}

// Test runs the suite; open makes a fresh subject.
func Test(t *testing.T, open func(t *testing.T) Subject) {
	for name, f := range map[string]func(*testing.T, *session){
		"ResultComesThroughWatch":            resultThroughWatch,
		"RecurringOperationReportsChanges":   recurringChanges,
		"CancelledRunIsAwaited":              cancelAwaits,
		"ForgetEndsRecurringAndDropsHistory": forget,
		"SnapshotThenResults":                snapshotFirst,
		"ErrorsKeepTheirIdentity":            errorIdentity,
		"ListsAndMetadata":                   lists,
		"WatchEndsWhenClosedOrContextEnds":   watchEnds,
		"OperationsOfAResourceRunOneByOne":   oneByOne,
		"WatchersSeeTheSame":                 twoWatchers,
		"UnknownClassIsAResultNotAnError":    unknownClass,
		"CancelOfNothingTellsItIsNotKnown":   cancelUnknown,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), patience)
			t.Cleanup(cancel)
			sub := open(t)
			f(t, &session{Subject: sub, t: t, ctx: ctx})
		})
	}
}

type session struct {
	Subject
	t   *testing.T
	ctx context.Context //nolint:containedctx // a test's helper
}

func (s *session) watch() lrmd.Watch {
	s.t.Helper()
	w, err := s.Executor.Watch(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = w.Close() })
	return w
}

func (s *session) execute(op lrmd.Op) int {
	s.t.Helper()
	call, err := s.Executor.Execute(s.ctx, op)
	if err != nil {
		s.t.Fatal(err)
	}
	return call
}

func (s *session) next(w lrmd.Watch) lrmd.Result {
	s.t.Helper()
	r, err := w.Next(s.ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

func (s *session) run() *Run {
	s.t.Helper()
	select {
	case r := <-s.Double.Runs:
		return r
	case <-s.ctx.Done():
		s.t.Fatal("no run")
		return nil
	}
}

func done(code agents.ExitCode) agents.Result { return agents.Result{Exit: code} }

func resultThroughWatch(t *testing.T, s *session) {
	w := s.watch()
	op := Op("web", "start", 0)
	if call := s.execute(op); call != 1 {
		t.Errorf("first call id is %d", call)
	}
	run := s.run()
	if d := cmp.Diff(op.Params, run.Req.Params); d != "" {
		t.Error(d)
	}
	if run.Req.Instance != "web" || run.Req.Action != "start" || run.Req.Timeout != time.Minute || run.Req.Type != "T" || run.Req.Provider != "test" {
		t.Errorf("request %+v", run.Req)
	}
	began := time.Unix(1000, 5000).UTC()
	run.End(agents.Result{
		Exit: agents.NotInstalled, Reason: "no such program", Stdout: []byte("out\n"), Stderr: []byte("bad \xff\x1b[1m\n"),
		Started: began, Ended: began.Add(time.Second),
	})
	r := s.next(w)
	if d := cmp.Diff(op, r.Op); d != "" {
		t.Error(d)
	}
	if r.CallID != 1 || r.ExitCode != 5 || r.Status != lrmd.StatusDone || r.ExitReason != "no such program" || r.Lost {
		t.Errorf("result %+v", r)
	}
	if r.Output != "out\nbad \uFFFD [1m\n" {
		t.Errorf("output %q", r.Output)
	}
	if !r.Started.Equal(began) || !r.Ended.Equal(began.Add(time.Second)) {
		t.Errorf("from %v to %v", r.Started, r.Ended)
	}
	if call := s.execute(Op("web", "stop", 0)); call != 2 {
		t.Errorf("second call id is %d", call)
	}
}

func recurringChanges(t *testing.T, s *session) {
	w := s.watch()
	s.execute(Op("web", "monitor", time.Millisecond))
	for _, code := range []agents.ExitCode{0, 0, 0, 7, 7, 0} {
		s.run().End(done(code))
	}
	var got []lrmd.ExitCode
	for range 3 {
		got = append(got, s.next(w).ExitCode)
	}
	if d := cmp.Diff([]lrmd.ExitCode{0, 7, 0}, got); d != "" {
		t.Error(d)
	}
}

func cancelAwaits(t *testing.T, s *session) {
	w := s.watch()
	call := s.execute(Op("web", "monitor", time.Hour))
	s.run()
	known, err := s.Executor.Cancel(s.ctx, "web", "monitor", time.Hour)
	if !known || err != nil {
		t.Fatal(known, err)
	}
	if r := s.next(w); r.CallID != call || r.Status != lrmd.StatusCancelled || r.Op.UserData != "3:1:0:web" {
		t.Errorf("%+v", r)
	}
}

func cancelUnknown(t *testing.T, s *session) {
	if known, err := s.Executor.Cancel(s.ctx, "web", "monitor", time.Hour); known || err != nil {
		t.Error(known, err)
	}
}

func forget(t *testing.T, s *session) {
	s.Double.Answer("start", done(0))
	s.Double.Answer("monitor", done(0))
	w := s.watch()
	s.execute(Op("web", "start", 0))
	s.next(w)
	s.execute(Op("web", "monitor", time.Hour))
	s.next(w)
	s.execute(Op("db", "start", 0))
	s.next(w)
	if err := s.Executor.Forget(s.ctx, "web"); err != nil {
		t.Fatal(err)
	}
	if r := s.next(w); r.Status != lrmd.StatusCancelled {
		t.Errorf("%+v", r)
	}
	snap := s.watch().Snapshot()
	if len(snap.Recurring) != 0 || len(snap.Results) != 1 || snap.Results[0].Op.Resource != "db" {
		t.Errorf("%+v", snap)
	}
}

func snapshotFirst(t *testing.T, s *session) {
	s.Double.Answer("monitor", done(8))
	w := s.watch()
	s.execute(Op("web", "monitor", time.Hour))
	s.next(w)
	s.execute(Op("web", "promote", 0))
	run := s.run()
	late := s.watch()
	snap := late.Snapshot()
	if snap.Boot == "" || snap.Boot != w.Snapshot().Boot {
		t.Errorf("boot %q, then %q", w.Snapshot().Boot, snap.Boot)
	}
	if len(snap.Results) != 1 || snap.Results[0].ExitCode != 8 || len(snap.Recurring) != 1 || len(snap.InFlight) != 1 || snap.InFlight[0].Action != "promote" {
		t.Errorf("%+v", snap)
	}
	run.End(done(0))
	if r := s.next(late); r.Op.Action != "promote" || r.ExitCode != 0 {
		t.Errorf("%+v", r)
	}
}

func errorIdentity(t *testing.T, s *session) {
	if _, err := s.Executor.Execute(s.ctx, lrmd.Op{}); !errors.Is(err, lrmd.ErrInvalid) {
		t.Errorf("empty operation: %v", err)
	}
	if _, err := s.Executor.Metadata(s.ctx, lrmd.Agent{Class: "ocf", Type: "none"}); !errors.Is(err, lrmd.ErrNoAgent) {
		t.Errorf("metadata of no agent: %v", err)
	}
	if _, err := s.Executor.Agents(s.ctx, "none", ""); !errors.Is(err, lrmd.ErrNoAgent) {
		t.Errorf("agents of no class: %v", err)
	}
}

func lists(t *testing.T, s *session) {
	text, err := s.Executor.Metadata(s.ctx, lrmd.Agent{Class: "ocf", Provider: "test", Type: "T"})
	if err != nil || text != "<resource-agent name=\"T\"/>" {
		t.Error(text, err)
	}
	for what, f := range map[string]func() ([]string, error){
		"[ocf]":               func() ([]string, error) { return s.Executor.Classes(s.ctx) },
		"[T U]":               func() ([]string, error) { return s.Executor.Agents(s.ctx, "ocf", "test") },
		"[heartbeat quorate]": func() ([]string, error) { return s.Executor.Providers(s.ctx, "") },
	} {
		names, err := f()
		if got := "[" + strings.Join(names, " ") + "]"; err != nil || got != what {
			t.Errorf("%s, not %s: %v", got, what, err)
		}
	}
}

func watchEnds(t *testing.T, s *session) {
	w := s.watch()
	ctx, cancel := context.WithCancel(s.ctx)
	cancel()
	if _, err := w.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if _, err := w.Next(s.ctx); !errors.Is(err, lrmd.ErrClosed) {
		t.Errorf("closed watch: %v", err)
	}
}

func oneByOne(t *testing.T, s *session) {
	w := s.watch()
	s.execute(Op("web", "stop", 0))
	s.execute(Op("web", "start", 0))
	s.execute(Op("db", "start", 0))
	first, second := s.run(), s.run()
	if first.Req.Instance == second.Req.Instance {
		t.Fatal("two operations of one resource at once")
	}
	if first.Req.Instance == "db" {
		first, second = second, first
	}
	if first.Req.Action != "stop" {
		t.Errorf("%s before stop", first.Req.Action)
	}
	first.End(done(0))
	if third := s.run(); third.Req.Instance != "web" || third.Req.Action != "start" {
		t.Errorf("%+v", third.Req)
	} else {
		third.End(done(0))
	}
	second.End(done(0))
	for range 3 {
		s.next(w)
	}
}

func twoWatchers(t *testing.T, s *session) {
	s.Double.Answer("start", done(0))
	a, b := s.watch(), s.watch()
	s.execute(Op("web", "start", 0))
	if d := cmp.Diff(s.next(a), s.next(b)); d != "" {
		t.Error(d)
	}
}

func unknownClass(t *testing.T, s *session) {
	w := s.watch()
	op := Op("web", "start", 0)
	op.Agent.Class = "nagios"
	s.execute(op)
	if r := s.next(w); r.ExitCode != 5 || r.Status != lrmd.StatusNotInstalled || r.ExitReason == "" {
		t.Errorf("%+v", r)
	}
}
