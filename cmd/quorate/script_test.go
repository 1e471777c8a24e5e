// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package main

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/quorate/quorate/internal/cli"
)

// The tools run in the test's own process image under their own names, on CIB
// files and without a cluster.
func TestMain(m *testing.M) {
	commands := map[string]func(){
		"quorate": func() { os.Exit(dispatch(context.Background(), append([]string{"quorate"}, os.Args[1:]...))) },
	}
	for _, t := range tools() {
		commands[t.Name] = func() { os.Exit(dispatch(context.Background(), append([]string{t.Name}, os.Args[1:]...))) }
	}
	testscript.Main(m, commands)
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("TZ", "UTC")
			env.Setenv("QUORATE_ROOT", env.WorkDir)
			return nil
		},
	})
}

func TestEachToolHasOneNameAndAWord(t *testing.T) {
	seen := map[string]bool{}
	for _, tool := range tools() {
		if seen[tool.Name] {
			t.Errorf("two tools are named %s", tool.Name)
		}
		seen[tool.Name] = true
		if tool.Short == "" || tool.Run == nil {
			t.Errorf("%s: nothing in the list of tools", tool.Name)
		}
	}
}

func TestEachToolHasAManualPage(t *testing.T) {
	for _, tool := range tools() {
		if tool.Dir == cli.NoLink {
			continue
		}
		if _, err := os.Stat(filepath.Join("../../docs/man", tool.Name+".8")); err != nil {
			t.Errorf("%s: %v; make generate writes those of tools with options", tool.Name, err)
		}
	}
}
