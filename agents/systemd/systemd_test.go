// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package systemd

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/agents"
	"github.com/quorate/quorate/internal/clock"
)

// A fake is a manager with one unit.
type fake struct {
	u       unit
	job1    string        // result of a job
	after   []string      // states that follow a job, one per look
	takes   time.Duration // of a job
	err     error
	leaving bool // pacemaker.service has a job
	log     []string
	reloads chan struct{}
}

func (f *fake) unit(context.Context, string) (unit, error) {
	if len(f.after) > 0 {
		f.u.active, f.after = f.after[0], f.after[1:]
	}
	return f.u, f.err
}

func (f *fake) job(ctx context.Context, verb, name string) (string, error) {
	f.log = append(f.log, verb+" "+name)
	t := time.NewTimer(f.takes)
	defer t.Stop()
	select {
	case <-t.C:
		return f.job1, f.err
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

func (f *fake) busy(context.Context, string) (bool, error) { return f.leaving, nil }

func (f *fake) reload(context.Context) error {
	f.reloads <- struct{}{}
	return nil
}

func (f *fake) files(context.Context) ([]string, error) {
	return []string{
		"/lib/systemd/system/dbus.service", "/lib/systemd/system/dbus.socket", "/etc/systemd/system/getty@.service",
		"/lib/systemd/system/multi-user.target", "/lib/systemd/system/-.slice", "/lib/systemd/system/fstrim.timer",
	}, nil
}

func class(t *testing.T, f *fake) *Class {
	f.reloads = make(chan struct{}, 10)
	c := New(Config{Clock: clock.Runtime(), Log: slog.New(slog.DiscardHandler), DropInDir: t.TempDir()})
	c.mgr = f
	return c
}

func run(t *testing.T, c *Class, action string) agents.Result {
	return c.Run(t.Context(), agents.Request{Type: "web", Action: action, Timeout: 20 * time.Second})
}

func TestActionsByTheUnitsState(t *testing.T) {
	loaded := func(active string) unit { return unit{load: "loaded", active: active} }
	gone := unit{load: "not-found", active: "inactive"}
	for _, c := range []struct {
		name, action string
		f            fake
		exit         agents.ExitCode
		status       agents.Status
	}{
		{"monitor of active", "monitor", fake{u: loaded("active")}, 0, 0},
		{"monitor of reloading", "monitor", fake{u: loaded("reloading")}, 0, 0},
		{"monitor of inactive", "monitor", fake{u: loaded("inactive")}, 7, 0},
		{"monitor of failed", "monitor", fake{u: loaded("failed")}, 7, 0},
		{"monitor of activating", "monitor", fake{u: loaded("inactive"), after: []string{"activating", "activating", "active"}}, 0, 0},
		{"monitor of nothing", "monitor", fake{u: gone}, 5, agents.StatusNotInstalled},
		{"start", "start", fake{u: loaded("inactive"), job1: "done", after: []string{"inactive", "inactive", "active"}}, 0, 0},
		{"start of nothing", "start", fake{u: gone}, 5, agents.StatusNotInstalled},
		{"start that fails", "start", fake{u: loaded("inactive"), job1: "failed", after: []string{"inactive", "inactive", "failed"}}, 1, 0},
		{"start that never ends", "start", fake{u: loaded("inactive"), takes: time.Hour}, 1, agents.StatusTimeout},
		{"stop", "stop", fake{u: loaded("active"), job1: "done", after: []string{"active", "deactivating", "inactive"}}, 0, 0},
		{"stop into failure", "stop", fake{u: loaded("active"), job1: "done", after: []string{"active", "failed"}}, 0, 0},
		{"stop of nothing", "stop", fake{u: gone}, 0, 0},
		{"stop without effect", "stop", fake{u: loaded("active"), job1: "canceled"}, 1, 0},
		{"no systemd", "monitor", fake{err: errors.New("no bus")}, 1, agents.StatusError},
		{"unknown action", "promote", fake{}, 3, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			synctest.Test(t, func(t *testing.T) {
				cl := class(t, &c.f)
				cl.cfg.DropInDir, cl.cfg.Clock = dir, clock.Runtime()
				r := run(t, cl, c.action)
				if r.Exit != c.exit || r.Status != c.status {
					t.Errorf("%+v", r)
				}
				if c.status != 0 && r.Reason == "" {
					t.Error("no reason")
				}
			})
		})
	}
}

// 1. systemctl stop pacemaker: its stop job waits for the cluster to drain.
// 2. The cluster stops a unit that the drop-in puts before pacemaker.service, so
// systemd lets the unit's stop job wait for the job of step 1.
func TestStopDoesNotWaitForTheManagerThatWaitsForIt(t *testing.T) {
	f := &fake{u: unit{load: "loaded", active: "active"}, job1: "done", leaving: true}
	c := class(t, f)
	if r := run(t, c, "start"); r.Exit != agents.OK {
		t.Fatalf("%+v", r)
	}
	<-f.reloads
	f.u.active = "inactive"
	stopped := make(chan int, 1)
	c.mgr = &hooked{f, func() { stopped <- len(f.reloads) }}
	if r := run(t, c, "stop"); r.Exit != agents.OK {
		t.Errorf("%+v", r)
	}
	if n := <-stopped; n != 1 {
		t.Errorf("%d reloads before the stop job, want one", n)
	}
}

// hooked is a fake that tells when a job begins.
type hooked struct {
	*fake
	begins func()
}

func (h *hooked) job(ctx context.Context, verb, name string) (string, error) {
	h.begins()
	return h.fake.job(ctx, verb, name)
}

func TestDropInIsThereWhileTheClusterHoldsTheUnit(t *testing.T) {
	f := &fake{u: unit{load: "loaded", active: "active"}, job1: "done"}
	c := class(t, f)
	path := filepath.Join(c.cfg.DropInDir, "web.service.d", "50-pacemaker.conf")
	if r := run(t, c, "start"); r.Exit != agents.OK {
		t.Fatalf("%+v", r)
	}
	b, err := os.ReadFile(path)
	want := "[Unit]\nDescription=Cluster Controlled web\nBefore=pacemaker.service pacemaker_remote.service\n\n[Service]\nRestart=no\n"
	if err != nil || string(b) != want {
		t.Errorf("%q, %v", b, err)
	}
	<-f.reloads
	f.u.dropIns = []string{path}
	if r := run(t, c, "start"); r.Exit != agents.OK || len(f.reloads) != 0 {
		t.Errorf("reloaded again: %+v", r)
	}
	f.u.active = "inactive"
	if r := run(t, c, "stop"); r.Exit != agents.OK {
		t.Errorf("%+v", r)
	}
	<-f.reloads
	if _, err := os.Stat(filepath.Dir(path)); !os.IsNotExist(err) {
		t.Errorf("left behind: %v", err)
	}
	if want := []string{"start web.service", "start web.service", "stop web.service"}; !slices.Equal(f.log, want) {
		t.Errorf("%v", f.log)
	}
}

func TestNamesListAndMetadata(t *testing.T) {
	for in, want := range map[string]string{"web": "web.service", "web.service": "web.service", "x.socket": "x.socket", "a.b": "a.b.service", "t@i": "t@i.service"} {
		if got := UnitName(in); got != want {
			t.Errorf("%s is %s, not %s", in, got, want)
		}
	}
	c := class(t, &fake{u: unit{load: "loaded", description: "D-Bus"}})
	names, err := c.List(t.Context(), "")
	if got := strings.Join(names, " "); err != nil || got != "dbus dbus.socket fstrim.timer getty@" {
		t.Errorf("%s, %v", got, err)
	}
	text, err := c.Metadata(t.Context(), "", "dbus")
	if err != nil || !strings.Contains(text, "D-Bus") || !strings.Contains(text, `name="dbus"`) {
		t.Error(text, err)
	}
	if _, err := class(t, &fake{u: unit{load: "not-found"}}).Metadata(t.Context(), "", "none"); !errors.Is(err, ErrNotFound) {
		t.Errorf("metadata of nothing: %v", err)
	}
}
