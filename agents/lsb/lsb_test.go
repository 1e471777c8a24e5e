// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package lsb

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/agents"
)

func class(t *testing.T, script string) *Class {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "web"), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	return New(Config{Dir: dir, Env: os.Environ()})
}

func run(t *testing.T, c *Class, action string) agents.Result {
	t.Helper()
	return c.Run(t.Context(), agents.Request{Type: "web", Action: action, Timeout: time.Minute})
}

func TestStatusIsTranslated(t *testing.T) {
	for script, want := range map[string]agents.ExitCode{
		"exit 0": agents.OK, "exit 1": agents.NotRunning, "exit 2": agents.NotRunning, "exit 3": agents.NotRunning,
		"exit 4": agents.GenericError, "exit 150": agents.NotInstalled, "exit 151": agents.InsufficientPriv, "exit 200": agents.GenericError,
		"[ $1 = status ] || exit 9": agents.OK,
	} {
		if r := run(t, class(t, script), "monitor"); r.Exit != want || r.Status != agents.StatusDone {
			t.Errorf("%s: %+v", script, r)
		}
	}
}

func TestOtherActionsMeanWhatTheySay(t *testing.T) {
	for script, want := range map[string]agents.ExitCode{
		"exit 0": agents.OK, "exit 5": agents.NotInstalled, "exit 6": agents.NotConfigured, "exit 7": agents.NotRunning, "exit 8": agents.GenericError,
	} {
		if r := run(t, class(t, script), "start"); r.Exit != want {
			t.Errorf("%s: %+v", script, r)
		}
	}
	if r := run(t, class(t, "exit 0"), "promote"); r.Exit != agents.Unimplemented {
		t.Errorf("promote: %+v", r)
	}
	if r := New(Config{Dir: t.TempDir()}).Run(t.Context(), agents.Request{Type: "../web", Action: "start"}); r.Exit != agents.NotInstalled {
		t.Errorf("by a path: %+v", r)
	}
}

func TestListAndMetadata(t *testing.T) {
	c := class(t, "### BEGIN INIT INFO\n# Short-Description: web server\n### END INIT INFO")
	if err := os.WriteFile(filepath.Join(c.cfg.Dir, "README"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	names, err := c.List(t.Context(), "")
	if err != nil || strings.Join(names, " ") != "web" {
		t.Error(names, err)
	}
	text, err := c.Metadata(t.Context(), "", "web")
	if err != nil || !strings.Contains(text, "web server") {
		t.Error(text, err)
	}
	if _, err := c.Metadata(t.Context(), "", "none"); err == nil {
		t.Error("metadata of nothing")
	}
}
