// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package fencing

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/beevik/etree"
	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/cib/document"
)

// The commands: cib sets the configuration; devices and levels read it; fence,
// ran, lost, tick drive the coordinator; history lists what it knows.
func TestCoordinator(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		c := New("dc")
		var root *etree.Element
		var now time.Duration
		wall := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		runners := []Runner{{"node1"}, {"node2"}, {"node3"}}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "cib":
				var err error
				if root, err = document.Parse([]byte(d.Input)); err != nil {
					t.Fatal(err)
				}
				return ""
			case "devices":
				var b strings.Builder
				for _, dev := range Devices(root) {
					fmt.Fprintf(&b, "%s %s params=%v banned=%v active=%v\n", dev.ID, dev.Agent, dev.Params, dev.Banned, dev.Active)
				}
				return b.String()
			case "levels":
				var target string
				d.ScanArgs(t, "target", &target)
				var b strings.Builder
				for i, l := range Levels(root, Devices(root), target) {
					fmt.Fprintf(&b, "%d:", i+1)
					for _, dev := range l {
						fmt.Fprintf(&b, " %s", dev.ID)
					}
					b.WriteByte('\n')
				}
				return b.String()
			case "at":
				var s string
				d.ScanArgs(t, "t", &s)
				now, _ = time.ParseDuration(s)
				return ""
			case "runners":
				runners = nil
				for _, a := range d.CmdArgs {
					runners = append(runners, Runner{a.Key})
				}
				return ""
			case "fence":
				req := Request{Action: "reboot", Client: "crmd", Origin: "node1", Timeout: time.Minute}
				d.ScanArgs(t, "id", &req.ID)
				d.ScanArgs(t, "target", &req.Target)
				d.MaybeScanArgs(t, "action", &req.Action)
				return show(t, c, c.Start(now, wall, req, Levels(root, Devices(root), req.Target), runners))
			case "ran":
				var id, why string
				d.ScanArgs(t, "id", &id)
				d.MaybeScanArgs(t, "why", &why)
				return show(t, c, c.Ran(now, wall, id, why == "", why, runners))
			case "lost":
				var node string
				d.ScanArgs(t, "node", &node)
				return show(t, c, c.Lost(now, wall, node, runners))
			case "tick":
				return show(t, c, c.Tick(now, wall, runners))
			case "pause":
				var target string
				d.ScanArgs(t, "target", &target)
				wait, failed := c.Pause(now, target)
				return fmt.Sprintf("wait %v after %d failures, busy %v\n", wait, failed, c.Busy(target))
			case "history":
				var b strings.Builder
				for _, e := range c.History("*") {
					fmt.Fprintf(&b, "%s %s of %s by %s with %s: %s %s\n", e.ID, e.Action, e.Target, e.Delegate, e.Device, e.State, e.Why)
				}
				return b.String()
			}
			return "unknown command\n"
		})
	})
}

func show(t *testing.T, c *Coordinator, out Output) string {
	t.Helper()
	var b strings.Builder
	for _, r := range out.Runs {
		fmt.Fprintf(&b, "run %s of %s: %s %s with %s on %s, timeout %v, delay %v to %v\n",
			r.ID, r.Op, r.Action, r.Target, r.Device.ID, r.Node, r.Timeout, r.DelayBase, r.DelayLimit)
	}
	for _, e := range out.Events {
		fmt.Fprintf(&b, "event %s %s of %s: %s %s\n", e.ID, e.Action, e.Target, e.State, e.Why)
		c.Record(e)
	}
	return b.String()
}

func TestHistoryIsBounded(t *testing.T) {
	c := New("dc")
	for i := range 3 * MaxHistory {
		c.Record(Event{ID: fmt.Sprint(i), Target: "n", State: StateSuccess})
	}
	if got := c.History(""); len(got) != MaxHistory || got[0].ID != fmt.Sprint(3*MaxHistory-1) {
		t.Errorf("%d events, newest %s", len(got), got[0].ID)
	}
	c.ClearHistory("n")
	if got := c.History("*"); len(got) != 0 {
		t.Errorf("%d events after clearing", len(got))
	}
}

func TestAFinishedOperationIsNotMadePendingAgain(t *testing.T) {
	c := New("dc")
	c.Record(Event{ID: "a", State: StateSuccess})
	if c.Record(Event{ID: "a", State: StatePending}) || c.Record(Event{ID: "a", State: StateFailed}) {
		t.Error("an end was overwritten")
	}
}

func TestDurations(t *testing.T) {
	for in, want := range map[string]time.Duration{
		"20": 20 * time.Second, "20s": 20 * time.Second, "500ms": 500 * time.Millisecond, "2min": 2 * time.Minute, "1h": time.Hour,
	} {
		if got, ok := Duration(in); !ok || got != want {
			t.Errorf("%q is %v", in, got)
		}
	}
	for _, in := range []string{"", "x", "-1", "3 weeks", "5parsec"} {
		if got, ok := Duration(in); ok {
			t.Errorf("%q is %v", in, got)
		}
	}
}
