// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package queue

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/lrmd"
)

// TestQueue runs the scenarios of testdata/scripts. Each command may carry at=TIME. The
// commands: new, submit RESOURCE ACTION, finish RUN, cancel RESOURCE ACTION,
// forget RESOURCE, tick, state, snapshot, restart.
func TestQueue(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		s := &script{core: New(Config{MaxOnce: 2, MaxRecurring: 2, MaxOps: 100})}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var out strings.Builder
			if d.Input == "" {
				return s.run(t, d.Cmd+" "+flat(d))
			}
			for line := range strings.SplitSeq(d.Input, "\n") {
				out.WriteString(s.run(t, line))
			}
			return out.String()
		})
	})
}

func flat(d *datadriven.TestData) string {
	var f []string
	for _, a := range d.CmdArgs {
		f = append(f, a.String())
	}
	return strings.Join(f, " ")
}

type script struct {
	core *Core
	now  time.Duration
}

func (s *script) run(t *testing.T, line string) string {
	t.Helper()
	var words []string
	opt := map[string]string{}
	for w := range strings.FieldsSeq(line) {
		if k, v, ok := strings.Cut(w, "="); ok {
			opt[k] = v
		} else {
			words = append(words, w)
		}
	}
	dur := func(k string) time.Duration {
		d, err := time.ParseDuration(opt[k])
		if opt[k] != "" && err != nil {
			t.Fatal(err)
		}
		return d
	}
	num := func(k string) int { n, _ := strconv.Atoi(opt[k]); return n }
	if opt["at"] != "" {
		if s.now > dur("at") {
			t.Fatalf("%s: it is %v already", line, s.now)
		}
		s.now = dur("at")
	}
	word := func(i int) string {
		if i < len(words) {
			return words[i]
		}
		return ""
	}
	switch word(0) {
	case "new":
		s.now = 0
		s.core = New(Config{MaxOnce: num("once"), MaxRecurring: num("recurring"), MaxOps: num("ops")})
		return "ok\n"
	case "submit":
		op := lrmd.Op{
			Resource: word(1), Action: word(2), Agent: lrmd.Agent{Class: "ocf", Provider: "test", Type: "T"},
			Interval: dur("interval"), StartDelay: dur("delay"), Timeout: dur("timeout"), Every: opt["every"] != "",
			UserData: opt["data"],
		}
		call, out, err := s.core.Submit(s.now, op)
		if err != nil {
			return "error: " + err.Error() + "\n"
		}
		return fmt.Sprintf("call %d\n", call) + show(out)
	case "finish":
		run, _ := strconv.Atoi(word(1))
		return show(s.core.Finished(s.now, Run(run), Outcome{ExitCode: lrmd.ExitCode(num("rc")), Status: lrmd.OpStatus(num("status"))}))
	case "cancel":
		known, out := s.core.Cancel(s.now, Key{word(1), word(2), dur("interval")})
		return fmt.Sprintf("known %v\n", known) + show(out)
	case "forget":
		return show(s.core.Forget(s.now, word(1)))
	case "tick":
		return show(s.core.Tick(s.now))
	case "state":
		return s.core.String()
	case "snapshot":
		return snapshot(s.core.Snapshot())
	case "restart":
		saved := s.core.Saved()
		s.core = New(s.core.cfg)
		return show(s.core.Restore(s.now, time.Time{}, saved))
	}
	t.Fatalf("no such command: %s", line)
	return ""
}

func show(out []Output) string {
	if len(out) == 0 {
		return "nothing\n"
	}
	var b strings.Builder
	for _, o := range out {
		switch o := o.(type) {
		case Start:
			fmt.Fprintf(&b, "start run %d: call %d %s\n", o.Run, o.CallID, name(o.Op))
		case Kill:
			fmt.Fprintf(&b, "kill run %d\n", o.Run)
		case Report:
			fmt.Fprintf(&b, "report %s\n", result(o.Result))
		case Save:
			fmt.Fprintf(&b, "save %s\n", change(o.Change))
		}
	}
	return b.String()
}

func change(c Change) string {
	switch {
	case c.Accepted != nil:
		return fmt.Sprintf("accepted %d %s", c.CallID, name(*c.Accepted))
	case c.Result != nil:
		return fmt.Sprintf("result %d", c.CallID)
	case c.Dropped:
		return fmt.Sprintf("dropped %d", c.CallID)
	}
	return "forgotten " + c.Forgotten
}

func result(r lrmd.Result) string {
	s := fmt.Sprintf("%d %s rc=%d status=%d queued=%v", r.CallID, name(r.Op), r.ExitCode, r.Status, r.Queued)
	if r.Lost {
		s += " lost"
	}
	if r.Op.UserData != "" {
		s += " data=" + r.Op.UserData
	}
	return s
}

func snapshot(s lrmd.Snapshot) string {
	var b strings.Builder
	for _, r := range s.Results {
		fmt.Fprintf(&b, "result %s\n", result(r))
	}
	for _, op := range s.Recurring {
		fmt.Fprintf(&b, "recurring %s\n", name(op))
	}
	for _, op := range s.InFlight {
		fmt.Fprintf(&b, "in flight %s\n", name(op))
	}
	return b.String()
}

func TestOperationsOutOfRangeAreRefused(t *testing.T) {
	good := lrmd.Op{Resource: "r", Action: "start", Agent: lrmd.Agent{Class: "ocf", Type: "T"}}
	for what, spoil := range map[string]func(*lrmd.Op){
		"no resource":       func(o *lrmd.Op) { o.Resource = "" },
		"no action":         func(o *lrmd.Op) { o.Action = "" },
		"no agent":          func(o *lrmd.Op) { o.Agent = lrmd.Agent{} },
		"negative interval": func(o *lrmd.Op) { o.Interval = -1 },
		"endless timeout":   func(o *lrmd.Op) { o.Timeout = 1<<63 - 1 },
	} {
		op := good
		spoil(&op)
		if _, _, err := New(DefaultConfig(1)).Submit(0, op); !errors.Is(err, lrmd.ErrInvalid) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
