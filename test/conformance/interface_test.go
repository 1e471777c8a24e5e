// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package conformance

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// schemasVariable names the folder of the classic schemas; its folder api has
// those of what tools say.
const schemasVariable = "QUORATE_REAL_SCHEMAS"

// TestXMLFollowsTheInterfaceSchema has xmllint check what our tool says as XML
// of states of the corpus.
func TestXMLFollowsTheInterfaceSchema(t *testing.T) {
	dir := os.Getenv(schemasVariable)
	if dir == "" {
		t.Skipf("%s names no folder of schemas", schemasVariable)
	}
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Fatal("the comparison was asked for and xmllint is missing: install libxml2-utils")
	}
	files, err := filepath.Glob(filepath.Join(corpusXML, "*.xml"))
	if err != nil || len(files) == 0 {
		t.Skip("no conformance corpus beside the module")
	}
	tmp := t.TempDir()
	args := []string{"--noout", "--relaxng", filepath.Join(dir, "api", "api-result.rng")}
	for i, file := range files {
		s := newSubject(t, file, i)
		for k := range optionSets {
			// The schema knows neither fail counts in the state after the
			// transition nor attributes set within it.
			set := &optionSets[k]
			line := set.args(s)
			if !strings.HasPrefix(set.name, "xml") || k%3 != i%3 || set.name == "xml all" || set.name == "xml op fails" {
				continue
			}
			if set.name == "xml op injected" {
				line = line[:0:0]
				for _, a := range set.args(s) {
					if a != "-c" {
						line = append(line, a)
					}
				}
			}
			var stdout, stderr bytes.Buffer
			if code := runOurs(append([]string{"-x", s.path}, line...), nil, &stdout, &stderr); code > 1 { // 1: the transition cannot be carried out
				t.Errorf("%s %s: exit code %d: %s", s.name, set.name, code, stderr.String())
			}
			path := filepath.Join(tmp, s.name+"-"+strings.ReplaceAll(set.name, " ", "-")+".xml")
			if err := os.WriteFile(path, stdout.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
			args = append(args, path)
		}
	}
	text, _ := exec.Command("xmllint", args...).CombinedOutput() //nolint:gosec // a test
	good := 0
	for line := range strings.Lines(string(text)) {
		switch line = strings.TrimSpace(line); {
		case strings.HasSuffix(line, " validates"):
			good++
		case strings.HasSuffix(line, "fails to validate"), strings.Contains(line, "error"):
			t.Error(strings.ReplaceAll(line, tmp+"/", ""))
		}
	}
	if want := len(args) - 3; good != want {
		t.Errorf("%d of %d answers are valid", good, want)
	}
	t.Logf("%d answers are valid", good)
}
