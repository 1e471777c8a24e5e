// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/daemon"
)

// epochs are instants of the test run; those of the state are older.
var epochs = regexp.MustCompile(`\b(?:17[1-9]|18[0-9]|2[0-9]{2})[0-9]{7}\b`)

// TestRuns shows what command lines (run ARGS…) print; STATE is
// testdata/state.xml, PRIVATE a state without private parameters, DIR a folder of which the content is printed after the
// answer (with "files") and kept for the next commands, and the input of the
// command is standard input.
func TestRuns(t *testing.T) {
	t.Setenv("TZ", "UTC")
	state, err := filepath.Abs("testdata/state.xml")
	if err != nil {
		t.Fatal(err)
	}
	private := filepath.Join(filepath.Dir(state), "private.xml")
	dir := t.TempDir()
	datadriven.RunTest(t, "testdata/runs", func(t *testing.T, d *datadriven.TestData) string {
		var args []string
		files := false
		for line := range strings.Lines(d.Input) {
			word := strings.TrimSpace(line)
			if word == "files" {
				files = true
				continue
			}
			args = append(args, strings.NewReplacer("STATE", state, "PRIVATE", private, "DIR", dir).Replace(word))
		}
		var stdin []byte
		if d.Cmd == "piped" {
			if stdin, err = os.ReadFile(state); err != nil {
				t.Fatal(err)
			}
		}
		var stdout, stderr bytes.Buffer
		stdio := &cli.IO{
			Stdin: bytes.NewReader(stdin), Stdout: &stdout, Stderr: &stderr, Env: func(string) string { return "" },
			Paths: daemon.Paths{Root: dir}, Tool: "crm_simulate",
		}
		code := Tools()[0].Run(t.Context(), stdio, args)
		var b strings.Builder
		b.WriteString(stdout.String())
		for line := range strings.Lines(stderr.String()) {
			b.WriteString("! " + line)
		}
		fmt.Fprintf(&b, "exit %d\n", code)
		if files {
			b.WriteString(content(t, dir))
		}
		text := strings.NewReplacer(state, "STATE", dir, "DIR").Replace(b.String())
		return epochs.ReplaceAllString(strings.ReplaceAll(text, "\n\n", "\n.\n"), "NOW")
	})
}

// content gives the files of a folder and removes them.
func content(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&b, "--- %s\n%s", e.Name(), text)
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}
