// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package queue

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/quorate/quorate/lrmd"
)

// A model follows the outputs of a core and checks what must hold of them.
type model struct {
	t       *rapid.T
	core    *Core
	cfg     Config
	now     time.Duration
	runs    map[Run]Start
	open    map[int]lrmd.Op // accepted, without a last report
	reports map[int][]lrmd.Result
	given   map[string][]int // per resource, operations given once, in order
}

func (m *model) take(out []Output) {
	for _, o := range out {
		switch o := o.(type) {
		case Start:
			m.started(o)
		case Kill:
			if _, ok := m.runs[o.Run]; !ok {
				m.t.Fatalf("kill of run %d, which is not under way", o.Run)
			}
		case Report:
			m.reported(o.Result)
		case Save:
			if o.Change.Accepted != nil {
				m.open[o.Change.CallID] = *o.Change.Accepted
			}
		}
	}
}

func (m *model) started(s Start) {
	once, recurring := 0, 0
	for _, r := range m.runs {
		if r.Op.Resource == s.Op.Resource {
			m.t.Fatalf("%s starts beside %s", name(s.Op), name(r.Op))
		}
		if r.Op.Interval > 0 {
			recurring++
		} else {
			once++
		}
	}
	if s.Op.Interval > 0 && recurring >= m.cfg.MaxRecurring || s.Op.Interval == 0 && once >= m.cfg.MaxOnce {
		m.t.Fatalf("run %d exceeds its bound", s.Run)
	}
	if s.Op.Interval == 0 {
		list := m.given[s.Op.Resource]
		i := slices.Index(list, s.CallID)
		for _, before := range list[:i] {
			if _, ok := m.open[before]; ok && m.open[before].StartDelay == 0 && m.open[s.CallID].StartDelay == 0 {
				m.t.Fatalf("call %d starts before call %d", s.CallID, before)
			}
		}
	}
	m.runs[s.Run] = s
}

func (m *model) reported(r lrmd.Result) {
	op, ok := m.open[r.CallID]
	if !ok {
		m.t.Fatalf("call %d is reported after its last report", r.CallID)
	}
	m.reports[r.CallID] = append(m.reports[r.CallID], r)
	if op.Interval == 0 || r.Status == lrmd.StatusCancelled {
		delete(m.open, r.CallID)
	}
}

func (m *model) submit(t *rapid.T) {
	op := lrmd.Op{
		Resource: rapid.SampledFrom([]string{"a", "b", "c", "d"}).Draw(t, "resource"),
		Action:   rapid.SampledFrom([]string{"start", "stop", "monitor"}).Draw(t, "action"),
		Agent:    lrmd.Agent{Class: "ocf", Type: "T"},
		Interval: rapid.SampledFrom([]time.Duration{0, 0, time.Second, 5 * time.Second}).Draw(t, "interval"),
	}
	if rapid.Bool().Draw(t, "delayed") {
		op.StartDelay = time.Second
	}
	before := m.core.byKey[KeyOf(op)]
	old := 0
	if before != nil && !before.cancelled {
		old = before.call
	}
	if op.Interval == 0 {
		m.given[op.Resource] = append(m.given[op.Resource], m.core.lastCall+1)
	}
	call, out, err := m.core.Submit(m.now, op)
	if err != nil {
		if len(out) > 0 {
			t.Fatalf("refused, but with effects: %v", out)
		}
		return
	}
	if old != 0 {
		delete(m.open, old)
	}
	if call != m.core.lastCall {
		t.Fatalf("call %d after %d", call, m.core.lastCall)
	}
	m.take(out)
}

func (m *model) finish(t *rapid.T) {
	if len(m.runs) == 0 {
		t.Skip("nothing runs")
	}
	var ids []Run
	for r := range m.runs {
		ids = append(ids, r)
	}
	slices.Sort(ids)
	id := rapid.SampledFrom(ids).Draw(t, "run")
	delete(m.runs, id)
	m.take(m.core.Finished(m.now, id, Outcome{ExitCode: lrmd.ExitCode(rapid.IntRange(0, 1).Draw(t, "rc"))}))
}

func (m *model) key(t *rapid.T) Key {
	var keys []Key
	for _, e := range m.core.entries() {
		keys = append(keys, KeyOf(e.op))
	}
	if len(keys) == 0 {
		t.Skip("nothing is known")
	}
	return rapid.SampledFrom(keys).Draw(t, "key")
}

func newModel(t *rapid.T) *model {
	cfg := Config{MaxOnce: rapid.IntRange(1, 3).Draw(t, "once"), MaxRecurring: rapid.IntRange(1, 3).Draw(t, "recurring"), MaxOps: 12}
	return &model{
		t: t, core: New(cfg), cfg: cfg, runs: map[Run]Start{}, open: map[int]lrmd.Op{},
		reports: map[int][]lrmd.Result{}, given: map[string][]int{},
	}
}

func (m *model) actions() map[string]func(*rapid.T) {
	return map[string]func(*rapid.T){
		"submit": m.submit,
		"finish": m.finish,
		"cancel": func(t *rapid.T) {
			_, out := m.core.Cancel(m.now, m.key(t))
			m.take(out)
		},
		"forget": func(t *rapid.T) { m.take(m.core.Forget(m.now, m.key(t).Resource)) },
		"wait": func(t *rapid.T) {
			m.now += time.Duration(rapid.IntRange(0, 6).Draw(t, "seconds")) * time.Second
			m.take(m.core.Tick(m.now))
		},
		"": func(t *rapid.T) {
			if m.core.known > m.cfg.MaxOps || m.core.known != len(m.core.entries()) {
				t.Fatalf("%d operations known, %d held", m.core.known, len(m.core.entries()))
			}
			for _, r := range m.core.resources {
				if r.ops == 0 {
					t.Fatalf("resource %s is kept for nothing", r.name)
				}
			}
		},
	}
}

func TestSafetyOneAtATimeInOrderWithinBounds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { m := newModel(t); t.Repeat(m.actions()) })
}

func TestLivenessEveryOperationGivenOnceIsReportedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		t.Repeat(m.actions())
		for _, e := range m.core.entries() {
			if e.recurs() {
				_, out := m.core.Cancel(m.now, KeyOf(e.op))
				m.take(out)
			}
		}
		for steps := 0; m.core.known > 0; steps++ {
			if steps > 1000 {
				t.Fatalf("does not come to rest:\n%s", m.core)
			}
			m.now += time.Second
			m.take(m.core.Tick(m.now))
			for r := range m.runs {
				delete(m.runs, r)
				m.take(m.core.Finished(m.now, r, Outcome{}))
				break
			}
		}
		if len(m.open) > 0 {
			t.Fatalf("never reported: %v", m.open)
		}
		for call, rs := range m.reports {
			if rs[0].Op.Interval == 0 && len(rs) != 1 {
				t.Fatalf("call %d reported %d times", call, len(rs))
			}
		}
	})
}

func TestRestartKeepsRecurringOperationsAndLosesTheOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := newModel(t)
		t.Repeat(m.actions())
		saved := m.core.Saved()
		next := New(m.cfg)
		lost := 0
		for _, o := range next.Restore(0, time.Time{}, saved) {
			if r, ok := o.(Report); ok {
				if !r.Result.Lost || r.Result.Op.Interval > 0 {
					t.Fatalf("reported %+v", r.Result)
				}
				lost++
			}
		}
		for _, p := range saved.Recurring {
			if e := m.core.byKey[KeyOf(p.Op)]; e == nil || e.call != p.CallID || e.cancelled {
				t.Fatalf("call %d goes on", p.CallID)
			}
		}
		if lost != len(saved.Once) || len(next.byKey) != len(saved.Recurring) {
			t.Fatalf("lost %d of %d, kept %d of %d", lost, len(saved.Once), len(next.byKey), len(saved.Recurring))
		}
		if next.lastCall < m.core.lastCall {
			t.Fatal("call ids begin anew")
		}
	})
}
