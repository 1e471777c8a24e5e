// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/pengine"
	"github.com/quorate/quorate/pengine/sched"
)

// empty is a cluster without anything.
const empty = `<cib validate-with="pacemaker-3.9" admin_epoch="0" epoch="1" num_updates="0" have-quorum="1"><configuration>` +
	`<crm_config/><nodes/><resources/><constraints/></configuration><status/></cib>`

func start(t *testing.T, dir string) (*Engine, *bytes.Buffer) {
	t.Helper()
	var log bytes.Buffer
	e, err := New(Config{Dir: dir, Clock: clock.Runtime(), Log: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return e, &log
}

func TestAnInputIsDecidedAndKept(t *testing.T) {
	dir := t.TempDir()
	e, _ := start(t, dir)
	reply, err := e.Compute(t.Context(), pengine.Request{CIB: []byte(empty), Reference: "first"})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Close(); err != nil { // inputs are written behind the answer
		t.Fatal(err)
	}
	if filepath.Dir(reply.InputFile) != dir {
		t.Errorf("input kept as %q, want a file of %s", reply.InputFile, dir)
	}
	if st, err := os.Stat(reply.InputFile); err != nil || st.Size() == 0 {
		t.Errorf("input file: %v", err)
	}
	if !bytes.Contains(reply.Graph, []byte("<transition_graph")) {
		t.Errorf("graph is %s", reply.Graph)
	}
}

func TestWhatIsNoCIBIsBadInput(t *testing.T) {
	e, _ := start(t, "")
	if _, err := e.Compute(t.Context(), pengine.Request{CIB: []byte("<cib")}); !errors.Is(err, pengine.ErrBadInput) {
		t.Errorf("error is %v", err)
	}
}

func TestAFaultOfTheSchedulerIsAnErrorAndNotTheEnd(t *testing.T) {
	e, log := start(t, "")
	e.decide = func(sched.Input) (*sched.Result, error) { panic("index out of range") }
	_, err := e.Compute(t.Context(), pengine.Request{CIB: []byte(empty), Reference: "broken"})
	if err == nil {
		t.Fatal("no error")
	}
	if !strings.Contains(err.Error(), "fault") || !strings.Contains(log.String(), "reference=broken") {
		t.Errorf("error %v, log %s", err, log)
	}
}

func TestAnOlderConfigurationIsUpgradedBeforeItIsDecidedOn(t *testing.T) {
	e, log := start(t, "")
	var seen sched.Input
	decide := e.decide
	e.decide = func(in sched.Input) (*sched.Result, error) {
		seen = in
		return decide(in)
	}
	old := strings.NewReplacer("<resources/>", `<resources><master id="m"><primitive id="a" class="lsb" type="a"/></master>`+
		`<primitive id="b" class="upstart" type="b"/></resources>`).Replace(empty)
	if _, err := e.Compute(t.Context(), pengine.Request{CIB: []byte(old), Reference: "old"}); err != nil {
		t.Fatal(err)
	}
	text := string(document.Format(seen.CIB))
	if !strings.Contains(text, `validate-with="pacemaker-4.0"`) || strings.Contains(text, "<master") || strings.Contains(text, "upstart") {
		t.Errorf("decided on\n%s", text)
	}
	if !strings.Contains(log.String(), "Dropping resource b") {
		t.Errorf("the log does not tell what is lost: %s", log)
	}
	wrong := strings.Replace(empty, "<constraints/>", "<constraints/><nonsense/>", 1)
	if _, err := e.Compute(t.Context(), pengine.Request{CIB: []byte(wrong)}); !errors.Is(err, pengine.ErrBadInput) {
		t.Errorf("an invalid configuration gave %v", err)
	}
}
