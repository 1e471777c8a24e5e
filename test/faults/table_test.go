// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package faults

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The table names tests that exist, and all of these; those that run always are
// marked.
func TestTheTableNamesTheTests(t *testing.T) {
	table, err := os.ReadFile("../../docs/design/messaging-faults.md")
	if err != nil {
		t.Fatal(err)
	}
	exist, here := map[string]bool{}, map[string]string{}
	files, err := filepath.Glob("*_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, pattern := range []string{"judge/*_test.go", "../e2e/*_test.go", "../../messaging/engine/*_test.go"} {
		more, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, more...)
	}
	body := regexp.MustCompile(`(?ms)^func (Test\w+)\(.*?^}`)
	for _, f := range files {
		src, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range body.FindAllStringSubmatch(string(src), -1) {
			exist[m[1]] = true
			if filepath.Dir(f) == "." {
				here[m[1]] = m[0]
			}
		}
	}
	for _, m := range regexp.MustCompile("`(Test\\w+)`").FindAllStringSubmatch(string(table), -1) {
		if !exist[m[1]] {
			t.Errorf("%s does not exist", m[1])
		}
	}
	for name, text := range here {
		if !regexp.MustCompile(`^Test[PNT]\d`).MatchString(name) {
			continue
		}
		if !strings.Contains(string(table), "`"+name+"`") {
			t.Errorf("%s is not in the table", name)
		}
		always, marked := !strings.Contains(text, "onRequest(t)"), strings.Contains(string(table), "• `"+name+"`")
		if always != marked {
			t.Errorf("%s: runs always %t, marked so %t", name, always, marked)
		}
	}
}
