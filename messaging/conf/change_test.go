// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package conf

import (
	"fmt"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"
)

// TestChanges runs testdata/change: "amend" reads two files, parted by a line of
// equal signs, and tells what a reload of the second changes on a node that runs
// the first; "compare" tells what two nodes would say of each other's files.
func TestChanges(t *testing.T) {
	datadriven.RunTest(t, "testdata/change", func(t *testing.T, d *datadriven.TestData) string {
		first, second, ok := strings.Cut(d.Input, "\n====\n")
		if !ok {
			t.Fatal("two files are needed")
		}
		a, err := Read("old.conf", []byte(first+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		b, err := Read("new.conf", []byte(second+"\n"))
		if err != nil {
			return err.Error() + "\n"
		}
		var out strings.Builder
		switch d.Cmd {
		case "amend":
			m, kept, err := a.Amend(b)
			if err != nil {
				return err.Error() + "\n"
			}
			for _, c := range Changes(a, m) {
				fmt.Fprintf(&out, "changed %s\n", c)
			}
			for _, c := range kept {
				fmt.Fprintf(&out, "kept    %s\n", c)
			}
			// Nothing is left to change or to keep the second time.
			again, rest, err := m.Amend(m)
			if err != nil || len(rest) > 0 || len(Changes(m, again)) > 0 {
				t.Errorf("amending is not stable: %v, %v, %v", err, rest, Changes(m, again))
			}
			if d := cmp.Diff(m.Nodes, again.Nodes); d != "" {
				t.Error(d)
			}
		case "compare":
			same := Digest(a.Shared()) == Digest(b.Shared())
			fmt.Fprintf(&out, "equal: %v\n", same)
			for _, x := range Disagreements(b.Shared(), ParseText(Text(a.Shared())), 1, 3) {
				fmt.Fprintln(&out, x)
			}
		default:
			t.Fatalf("unknown command %q", d.Cmd)
		}
		return out.String()
	})
}
