// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package statusview

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/pengine/status"
)

var now = time.Date(2026, 11, 20, 10, 30, 0, 0, time.UTC)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

// events are a fencing history of one of each kind.
var events = []crmd.FenceEvent{
	{Target: "gamma", Action: "off", Client: "crmd.1", Origin: "alpha", State: "pending"},
	{Target: "gamma", Action: "reboot", Dlg: "alpha", Client: "crmd.1", Origin: "alpha", State: "success", Completed: now.Add(-time.Hour)},
	{Target: "gamma", Action: "reboot", Client: "crmd.1", Origin: "alpha", State: "failed", Reason: "No data available", Completed: now.Add(-2 * time.Hour)},
	{Target: "gamma", Action: "reboot", Client: "crmd.1", Origin: "alpha", State: "failed", Reason: "older", Completed: now.Add(-3 * time.Hour)},
}

// view builds a view from a command's arguments.
func view(t *testing.T, d *datadriven.TestData) *View {
	t.Helper()
	var name, sections string
	d.ScanArgs(t, "cib", &name)
	text, err := os.ReadFile(filepath.Join("testdata", name+".xml"))
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	root, err := document.Parse(text)
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	c, err := status.Unpack(root, status.Settings{Now: now})
	if err != nil {
		d.Fatalf(t, "%v", err)
	}
	v := &View{Cluster: c, Fencing: events, Options: Options{
		Sections: SecDefault, ByNode: d.HasArg("bynode"), Inactive: d.HasArg("inactive"), Brief: d.HasArg("brief"),
		Detail: d.HasArg("detail"), Timing: d.HasArg("timing"),
	}}
	if d.Cmd == "xml" {
		v.Options.Sections = SecAll
	}
	d.MaybeScanArgs(t, "node", &v.Options.Node)
	d.MaybeScanArgs(t, "resource", &v.Options.Resource)
	if d.HasArg("sections") {
		for _, arg := range d.CmdArgs {
			if arg.Key == "sections" {
				v.Options.Sections = 0
				for _, sections = range arg.Vals {
					if _, err := v.Options.Sections.Include(sections, SecDefault); err != nil {
						d.Fatalf(t, "%v", err)
					}
				}
			}
		}
	}
	if d.HasArg("daemon") {
		v.Daemon = &Daemon{State: "running", Updated: now}
	}
	return v
}

func TestPictures(t *testing.T) {
	datadriven.RunTest(t, "testdata/small", func(t *testing.T, d *datadriven.TestData) string {
		v := view(t, d)
		var b bytes.Buffer
		switch d.Cmd {
		case "text":
			v.Text(&b)
		case "html":
			v.HTML(&b, "Cluster Status", "")
		case "xml":
			for _, e := range v.XML() {
				b.Write(document.Format(e))
			}
		default:
			d.Fatalf(t, "unknown command %s", d.Cmd)
		}
		return b.String()
	})
}

func TestUnknownSectionIsNamed(t *testing.T) {
	s := SecDefault
	if _, err := s.Include("nodes,nosuch", SecDefault); err == nil {
		t.Error("nosuch was accepted")
	}
	if prefix, err := s.Include("none,bans:cli-", SecDefault); err != nil || s != SecBans || prefix != "cli-" {
		t.Errorf("none,bans:cli- gave %b, %q, %v", s, prefix, err)
	}
	if err := s.Exclude("bans"); err != nil || s != 0 {
		t.Errorf("excluding bans left %b, %v", s, err)
	}
}

func TestReadableDurations(t *testing.T) {
	for ms, want := range map[uint64]string{0: "0s", 26: "26ms", 10_000: "10s", 90_000: "1m30s", 2121: "2.121s", 90_061_000: "1d1h1m1s"} {
		if got := readable(ms); got != want {
			t.Errorf("%d ms: %q, want %q", ms, got, want)
		}
	}
}

func TestQuorumPolicyHasWordsForBothForms(t *testing.T) {
	for p := status.NoQuorumFreeze; p <= status.NoQuorumDemote; p++ {
		if quorumPolicyText(p) == "" || quorumPolicyWord(p) == "" {
			t.Error(fmt.Sprint("no word for policy ", int(p)))
		}
	}
}
