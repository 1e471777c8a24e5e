// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package journal

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/lrmd/queue"
)

func op(resource, action string, interval time.Duration) lrmd.Op {
	return lrmd.Op{
		Resource: resource, Action: action, Interval: interval, Timeout: time.Second,
		Agent: lrmd.Agent{Class: "ocf", Provider: "p", Type: "T"}, Params: map[string]string{"k": "v\n\"ü"}, UserData: "u",
	}
}

func open(t *testing.T, dir string) (*Journal, State) {
	t.Helper()
	j, s, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.Close() })
	return j, s
}

func must(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
}

func accepted(call int, o lrmd.Op) queue.Change { return queue.Change{CallID: call, Accepted: &o} }

func result(call int, o lrmd.Op, code lrmd.ExitCode) queue.Change {
	r := lrmd.Result{Op: o, CallID: call, ExitCode: code, Started: time.Unix(7, 0).UTC()}
	return queue.Change{CallID: call, Result: &r}
}

func TestWhatWasNotedIsReadBack(t *testing.T) {
	dir := t.TempDir()
	j, s := open(t, dir)
	if s.Boot != "" || s.LastCall != 0 {
		t.Fatalf("a new journal says %+v", s)
	}
	start, mon, slow, stop := op("a", "start", 0), op("a", "monitor", time.Second), op("a", "monitor", time.Minute), op("b", "stop", 0)
	must(
		t, j.Rewrite(State{Boot: "one"}),
		j.Save(accepted(1, start)), j.Started(1, agents.Process{PID: 10, Start: 100}), j.Save(result(1, start, 0)), j.Ended(1),
		j.Save(accepted(2, mon)), j.Save(result(2, mon, 7)),
		j.Save(accepted(3, slow)), j.Save(result(3, slow, 0)), j.Save(queue.Change{CallID: 3, Dropped: true}),
		j.Save(accepted(4, stop)), j.Started(2, agents.Process{PID: 20, Start: 200}),
		j.Save(accepted(5, op("c", "start", 0))), j.Save(result(5, op("c", "start", 0), 0)), j.Save(queue.Change{Forgotten: "c"}),
	)
	want := State{Boot: "one", Running: []agents.Process{{PID: 20, Start: 200}}}
	want.LastCall = 5
	want.Results = []lrmd.Result{*result(1, start, 0).Result, *result(2, mon, 7).Result}
	want.Recurring = []queue.Pending{{CallID: 2, Op: mon}}
	want.Once = []queue.Pending{{CallID: 4, Op: stop}}
	_, got := open(t, dir)
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
	must(t, j.Rewrite(got))
	want.Running = nil
	_, again := open(t, dir)
	if d := cmp.Diff(want, again, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("written anew: %s", d)
	}
}

func TestCutAndSpoiledLinesAreSkipped(t *testing.T) {
	dir := t.TempDir()
	j, _ := open(t, dir)
	must(t, j.Rewrite(State{Boot: "one"}), j.Save(accepted(1, op("a", "start", 0))))
	path := filepath.Join(dir, fileName)
	b, err := os.ReadFile(path)
	must(t, err)
	b = append(b, "not json\n{\"call\":\"x\"}\n\n"...)
	must(t, os.WriteFile(path, b, 0o600), j.Save(accepted(2, op("b", "start", 0))))
	b, err = os.ReadFile(path)
	must(t, err, os.WriteFile(path, b[:len(b)-9], 0o600))
	_, s := open(t, dir)
	if s.Boot != "one" || len(s.Once) != 1 || s.Once[0].CallID != 1 {
		t.Errorf("%+v", s)
	}
}

func TestLineBeyondTheBoundIsSkipped(t *testing.T) {
	long := `{"boot":"` + strings.Repeat("x", maxLine) + `"}` + "\n" + `{"last_call":4}` + "\n"
	s, err := Read(strings.NewReader(long))
	if err != nil || s.Boot != "" || s.LastCall != 4 {
		t.Errorf("%v, boot of %d bytes, last call %d", err, len(s.Boot), s.LastCall)
	}
}

func TestJournalIsPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "lrmd")
	j, _ := open(t, dir)
	must(t, j.Rewrite(State{Boot: "one"}))
	for path, want := range map[string]os.FileMode{dir: 0o700, filepath.Join(dir, fileName): 0o600} {
		st, err := os.Stat(path)
		if must(t, err); st.Mode().Perm() != want {
			t.Errorf("%s has mode %v", path, st.Mode())
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"accepted":{"Resource":"a","Interval":1},"call":1}` + "\n" + `{"dropped":true,"call":1}`))
	f.Add([]byte(`{"run":1,"process":{"pid":1,"start":2}}` + "\n" + `{"run":1,"ended":true}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := Read(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range s.Once {
			if p.CallID > s.LastCall {
				t.Errorf("call %d after the last, %d", p.CallID, s.LastCall)
			}
		}
	})
}
