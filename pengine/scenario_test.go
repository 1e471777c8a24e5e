// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package pengine_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/quorate/quorate/pengine/simulate"
)

// TestScenarios carries out each state of testdata/scenarios; its README tells
// what is to be seen in the expected text. Set SCENARIO_UPDATE to rewrite the
// texts, and read them afterwards.
func TestScenarios(t *testing.T) {
	dirs, err := filepath.Glob("testdata/scenarios/*")
	if err != nil || len(dirs) == 0 {
		t.Fatal("no scenarios", err)
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			text, err := os.ReadFile(filepath.Join(dir, "cib.xml"))
			if err != nil {
				t.Fatal(err)
			}
			rep, err := simulate.Simulate(parse(t, string(text)), simulate.Options{Now: aMoment, Simulate: true, Sanitized: true})
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(dir, "expected")
			if os.Getenv("SCENARIO_UPDATE") != "" {
				if err := os.WriteFile(file, []byte(rep.Text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if rep.Text != string(want) {
				t.Errorf("got\n%s\nwant\n%s", rep.Text, want)
			}
		})
	}
}
