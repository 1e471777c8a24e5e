// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package classes

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/internal/daemon"
	"github.com/quorate/quorate/lrmd"
)

func table(t *testing.T, root string) (*Table, Config) {
	t.Helper()
	cfg := Config{Paths: daemon.Paths{Root: root}, Env: []string{"PATH=/usr/bin:/bin"}, Clock: clock.Runtime(), Log: slog.New(slog.DiscardHandler)}
	return New(cfg), cfg
}

func program(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o755)); err != nil {
		t.Fatal(err)
	}
}

func TestRelocatedNodeHasItsOwnAgentsFirst(t *testing.T) {
	root := t.TempDir()
	program(t, filepath.Join(root, "usr/lib/ocf/resource.d/mine/A"), "#!/bin/sh\necho '<resource-agent name=\"A\"/>'\n")
	program(t, filepath.Join(root, "usr/lib/quorate/ocf/other/B"), "#!/bin/sh\n")
	program(t, filepath.Join(root, "usr/sbin/fence_mine"), "#!/bin/sh\necho '<resource-agent name=\"fence_mine\"/>'\n")
	program(t, filepath.Join(root, "etc/init.d/web"), "#!/bin/sh\n")
	tab, _ := table(t, root)
	for what, f := range map[string]func() ([]string, error){
		"A":          func() ([]string, error) { return tab.Agents(t.Context(), "ocf", "mine") },
		"B":          func() ([]string, error) { return tab.Agents(t.Context(), "ocf", "other") },
		"fence_mine": func() ([]string, error) { return tab.Agents(t.Context(), "stonith", "") },
		"web":        func() ([]string, error) { return tab.Agents(t.Context(), "lsb", "") },
		"mine":       func() ([]string, error) { return tab.Providers(t.Context(), "A") },
	} {
		if names, err := f(); err != nil || !slices.Contains(names, what) {
			t.Errorf("no %s among %v: %v", what, names, err)
		}
	}
	for _, a := range []lrmd.Agent{{Class: "ocf", Provider: "mine", Type: "A"}, {Class: "stonith", Type: "fence_mine"}, {Class: "lsb", Type: "web"}} {
		if text, err := tab.Metadata(t.Context(), a); err != nil || text == "" {
			t.Errorf("%v: %q, %v", a, text, err)
		}
	}
	for _, a := range []lrmd.Agent{{Class: "nagios", Type: "x"}, {Class: "ocf", Provider: "mine", Type: "none"}} {
		if _, err := tab.Metadata(t.Context(), a); !errors.Is(err, lrmd.ErrNoAgent) {
			t.Errorf("%v: %v", a, err)
		}
	}
	if s := tab.Standards(t.Context()); !slices.Contains(s, "ocf") || s[0] != "ocf" || s[len(s)-1] != "stonith" {
		t.Errorf("standards %v", s)
	}
}

func TestAgentsOfARelocatedNodeKeepTheirStateApart(t *testing.T) {
	_, cfg := table(t, "/n1")
	for _, want := range []string{"HA_RSCTMP=/n1/run/resource-agents", "QUORATE_ROOT=/n1"} {
		if env := Env(cfg); !slices.Contains(env, want) {
			t.Errorf("no %s in %v", want, env)
		}
	}
	_, cfg = table(t, "")
	for _, e := range Env(cfg) {
		if e == "HA_RSCTMP=/run/resource-agents" {
			t.Error("a node in its place has the agents' own default")
		}
	}
}
