// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package pengine_test

import (
	"bufio"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/iso8601"
	"github.com/quorate/quorate/pengine/simulate"
	"github.com/quorate/quorate/test/conformance/view"
	"github.com/quorate/quorate/transition/graph"
)

// corpusDir is where the conformance corpus lies beside the module, if at all.
const corpusDir = "../../shared/conformance/scheduler"

// passingList names the cases that pass. It is a ratchet: a listed case that
// fails is a regression, and a case that newly passes has to be listed.
const passingList = "testdata/corpus-passing.txt"

// A corpusCase is one entry of the corpus's tests.json.
type corpusCase struct {
	Name string   `json:"name"`
	Args []string `json:"args"`
}

// TestCorpus schedules and carries out each state of the corpus and compares the
// summary, the picture, the graph and the scores with the expected ones. Set
// CORPUS_UPDATE to rewrite the list of those that pass.
func TestCorpus(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(corpusDir, "tests.json"))
	if err != nil {
		t.Skipf("no conformance corpus beside the module: %v", err)
	}
	var cases []corpusCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	listed := readList(t, passingList)
	var passing []string
	for _, c := range cases {
		t.Run(c.Name, func(t *testing.T) {
			wrong := c.run(t)
			if len(wrong) == 0 {
				passing = append(passing, c.Name)
			}
			switch known := slices.Contains(listed, c.Name); {
			case known && len(wrong) > 0:
				t.Errorf("passed before and fails now: %s", strings.Join(wrong, ", "))
			case !known && len(wrong) == 0 && os.Getenv("CORPUS_UPDATE") == "":
				t.Errorf("passes now: add it to %s (or run with CORPUS_UPDATE=1)", passingList)
			case len(wrong) > 0:
				t.Skipf("does not pass yet: %s", strings.Join(wrong, ", "))
			}
		})
	}
	t.Logf("corpus: %d of %d pass", len(passing), len(cases))
	if os.Getenv("CORPUS_UPDATE") != "" {
		slices.Sort(passing)
		if err := os.WriteFile(passingList, []byte(strings.Join(passing, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func readList(t *testing.T, path string) []string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var out []string
	for sc := bufio.NewScanner(file); sc.Scan(); {
		out = append(out, sc.Text())
	}
	return out
}

// run lists what of a case is not as expected.
func (c *corpusCase) run(t *testing.T) []string {
	text, err := os.ReadFile(filepath.Join(corpusDir, "xml", c.Name+".xml"))
	if err != nil {
		t.Fatal(err)
	}
	root, err := document.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	if root, err = simulate.Prepare(root, func(line string) { said.WriteString(line + "\n") }); err != nil {
		t.Fatal(err, said.String())
	}
	o := simulate.Options{Now: time.Now(), Simulate: true, Pending: true, Sanitized: true}
	for i := 0; i+1 < len(c.Args); i += 2 {
		if c.Args[i] != "-t" {
			t.Fatalf("the corpus asks for %q, which this test does not know", c.Args[i])
		}
		o.Date = c.Args[i+1]
		if o.Now, err = iso8601.ParseTime(o.Date, time.UTC, o.Now); err != nil {
			t.Fatal(err)
		}
	}
	first, err := simulate.Simulate(document.Clone(root), o)
	if err != nil {
		t.Fatal(err)
	}
	o.Quiet, o.Scores = true, true
	second, err := simulate.Simulate(root, o)
	if err != nil {
		t.Fatal(err)
	}
	var wrong []string
	check := func(kind, got string, lines func(string) []string) {
		want, err := os.ReadFile(filepath.Join(corpusDir, kind, c.Name+"."+kind))
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(lines(string(want)), lines(got)) {
			wrong = append(wrong, kind)
		}
	}
	check("summary", said.String()+first.Text, view.Squeeze)
	check("dot", simulate.Dot(second.Result.Picture(false, false)), view.Set)
	check("exp", string(graph.Marshal(second.Result.Graph)), view.Graph)
	check("scores", second.Text, scoreLines)
	return wrong
}

var functionName = regexp.MustCompile(`^\w+:`)

// scoreLines keeps all lines of a section of scores, capacities among them;
// view.Scores is for outputs that have others between.
func scoreLines(s string) []string {
	out := view.Squeeze(s)
	for i := range out {
		out[i] = functionName.ReplaceAllString(out[i], "")
	}
	slices.Sort(out)
	return out
}
