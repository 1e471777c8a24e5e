// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// testFuncs gives the tests and fuzz targets below some folders.
func testFuncs(t *testing.T, dirs ...string) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	re := regexp.MustCompile(`(?m)^func ((?:Test|Fuzz)\w+)\(`)
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			src, err := os.ReadFile(path)
			for _, m := range re.FindAllStringSubmatch(string(src), -1) {
				found[m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return found
}

// The table of what shows each promise names tests, scripts, rules, faults and
// mutants: all of them exist.
func TestTheTableNamesWhatExists(t *testing.T) {
	table, err := os.ReadFile("../../docs/design/messaging-checks.md")
	if err != nil {
		t.Fatal(err)
	}
	funcs := testFuncs(t, "../../messaging", "../e2e", ".")
	named := map[string]bool{}
	for line := range strings.Lines(string(table)) {
		if !strings.HasPrefix(line, "|") {
			continue
		}
		kind := ""
		for i, part := range strings.Split(line, "`") {
			if i%2 == 0 {
				// The last such word before the name says what it is; lists go on.
				last := -1
				for _, k := range []string{"rule", "mutant", "fault ", "script"} {
					if at := strings.LastIndex(part, k); at > last {
						last, kind = at, strings.TrimSpace(k)
					}
				}
				continue
			}
			var ok bool
			switch {
			case strings.HasPrefix(part, "Test"), strings.HasPrefix(part, "Fuzz"):
				ok = funcs[part]
			case strings.HasPrefix(part, "corner/"), strings.HasPrefix(part, "ring/"):
				_, err := os.Stat("../../messaging/totem/testdata/" + part + ".txt")
				ok = err == nil
			case strings.HasPrefix(part, "messaging/"), strings.HasPrefix(part, "test/"):
				_, err := os.Stat("../../" + part)
				ok = err == nil
			case kind == "rule":
				ok = slices.Contains(rules, part)
			case kind == "mutant":
				ok = slices.ContainsFunc(mutants, func(m mutant) bool { return m.name == part })
			case kind == "fault":
				ok = slices.Contains(faultNames, part)
			}
			if !ok {
				t.Errorf("%q (%s) does not exist: %.120s", part, kind, line)
			}
			named[part] = true
		}
	}
	for _, rule := range rules {
		if !named[rule] && rule != "sealed packets" && rule != "links go down" {
			t.Errorf("rule %q is not in the table", rule)
		}
	}
}
