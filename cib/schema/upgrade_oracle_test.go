// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package schema

import (
	"errors"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"
	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/cib/document"
)

// realVariable names the classic crm_simulate, which saves the CIB that it has
// upgraded.
const realVariable = "QUORATE_REAL_SIMULATE"

// TestUpgradesAreTheClassicOnes brings CIBs, and CIBs changed at random, to the
// newest schema and compares the outcome with that of the classic tool.
func TestUpgradesAreTheClassicOnes(t *testing.T) {
	real := os.Getenv(realVariable)
	if real == "" {
		t.Skipf("%s names no crm_simulate to compare with", realVariable)
	}
	all := inputs(t)
	if len(all) == 0 {
		t.Skip("no CIBs beside the module")
	}
	keys := make([]string, 0, len(all))
	for f := range all {
		keys = append(keys, f)
	}
	slices.Sort(keys)
	rnd := rand.New(rand.NewPCG(4, 0)) //nolint:gosec // a test
	upgraded, refused := 0, 0
	for _, f := range keys {
		for k := range 1 + rounds {
			root := document.Clone(all[f])
			for range k {
				mutate(root, rnd)
			}
			t.Run(strings.TrimSuffix(filepath.Base(f), ".xml"), func(t *testing.T) {
				if compareUpgrade(t, real, root) {
					upgraded++
				} else {
					refused++
				}
			})
		}
	}
	t.Logf("%d CIBs upgraded, %d refused", upgraded, refused)
}

// compareUpgrade is true where the CIB can be upgraded.
func compareUpgrade(t *testing.T, real string, root *etree.Element) bool {
	t.Helper()
	if document.Child(root, "status") == nil {
		document.Add(root, "status")
	}
	dir := t.TempDir()
	in, out := filepath.Join(dir, "in.xml"), filepath.Join(dir, "out.xml")
	if err := os.WriteFile(in, document.Format(root), 0o600); err != nil {
		t.Fatal(err)
	}
	text, err := exec.Command(real, "-Q", "-x", in, "-O", out).CombinedOutput() //nolint:gosec // what the user names
	var ee *exec.ExitError
	if err != nil && !errors.As(err, &ee) {
		t.Fatal(err)
	}
	got, gotErr := Upgrade(root, Newest())
	if gotErr == nil && len(Validate(got.CIB, nil)) > 0 {
		gotErr = ErrNotUpgradable
	}
	want, readErr := os.ReadFile(out)
	switch {
	case readErr != nil && gotErr == nil:
		t.Errorf("the classic tool refuses, ours does not: %.600s\n%s", text, document.Format(root))
	case readErr == nil && gotErr != nil:
		t.Errorf("the classic tool upgrades, ours does not: %v", gotErr)
	case readErr == nil:
		if d := cmp.Diff(string(want), string(document.Format(got.CIB))); d != "" {
			t.Errorf("-classic +ours\n%s", d)
		}
		return true
	}
	return false
}
