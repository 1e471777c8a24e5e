// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package conf

import (
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// row finds the key and the last column of a row of the page's tables.
var row = regexp.MustCompile("^\\| `([A-Za-z0-9_.]+)`.* \\| (yes|no) \\|$")

// TestPageListsEveryKeyAsItIs: the page of the administrators has each key that
// the file may have, with whether a reload changes it as the code has it.
func TestPageListsEveryKeyAsItIs(t *testing.T) {
	b, err := os.ReadFile("../../docs/operations/corosync.conf.md")
	if err != nil {
		t.Fatal(err)
	}
	page, idle, ok := strings.Cut(string(b), "## Accepted, without effect\n")
	if !ok {
		t.Fatal("the page has no list of keys without effect")
	}
	listed := map[string]string{} // section.key to yes or no
	section := ""
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		if head, ok := strings.CutPrefix(line, "## "); ok {
			section = strings.TrimSuffix(head, ".device")
		}
		if m := row.FindStringSubmatch(line); m != nil {
			listed[section+"."+m[1]] = m[2]
		}
	}
	for _, path := range slices.Sorted(maps.Keys(schema())) {
		for _, key := range slices.Sorted(maps.Keys(schema()[path])) {
			full := join(path, key)
			says, ok := listed[full]
			want := map[bool]string{true: "yes", false: "no"}[Reloadable(path, key)]
			switch {
			case !ok && !strings.Contains(idle, "`"+key+"`"):
				t.Errorf("%s is not on the page", full)
			case ok && says != want:
				t.Errorf("%s: the page says reload %s, the code %s", full, says, want)
			}
			delete(listed, full)
		}
	}
	for _, full := range []string{"nodelist.node.ring0_addr", "quorum.device.heuristics.exec_NAME", "quorum.device.heuristics.ping_NAME"} {
		if _, ok := listed[full]; !ok {
			t.Errorf("%s is not on the page", full)
		}
		delete(listed, full)
	}
	for full := range listed {
		t.Errorf("the page lists %s, which the code does not know", full)
	}
}
