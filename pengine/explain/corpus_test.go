// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	"github.com/quorate/quorate/pengine/explain"
)

// corpusDir is where the conformance corpus lies beside the module, if at all.
const corpusDir = "../../../shared/conformance/scheduler"

// Shares that have to be reached, in percent.
const (
	wantHold    = 95 // of the answers, those of which everything holds
	wantCauses  = 95 // of the questions, those with a cause
	wantChanges = 90 // of the questions, those with a change
)

// Unless EXPLAIN_EVERY says otherwise, only every so many questions of a case are asked.
const sampleEvery, sampleShort = 61, 401

type corpusCase struct {
	Name string   `json:"name"`
	Args []string `json:"args"`
}

// tally counts how questions were answered.
type tally struct {
	questions, causes, changes, single, direct int
	offered, hold, answers, answersHold        int
}

// TestCorpusAnswersHold asks, about every state of the corpus, what users ask:
// why something moves, stops, is restarted, is not started, runs here and not
// there. Each change that is offered is then made in the text of the CIB, the
// transition is carried out on paper, and the status afterwards is compared with
// what the answer said.
func TestCorpusAnswersHold(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(corpusDir, "tests.json"))
	if err != nil {
		t.Skipf("no conformance corpus beside the module: %v", err)
	}
	var cases []corpusCase
	if err := json.Unmarshal(text, &cases); err != nil {
		t.Fatal(err)
	}
	every := sampleEvery
	if testing.Short() {
		every = sampleShort
	}
	if v := os.Getenv("EXPLAIN_EVERY"); v != "" {
		if every, err = strconv.Atoi(v); err != nil {
			t.Fatal(err)
		}
	}
	total, kinds, asked := &tally{}, map[string]*tally{}, 0
	for _, c := range cases {
		if only := os.Getenv("EXPLAIN_CASE"); only != "" && only != c.Name {
			continue
		}
		in := c.input(t)
		e, err := explain.New(in)
		if err != nil {
			t.Fatal(err)
		}
		for _, q := range questions(t, in) {
			if asked++; asked%every != 0 {
				continue
			}
			if kinds[q.kind] == nil {
				kinds[q.kind] = &tally{}
			}
			ask(t, c.Name, e, in, q, total, kinds[q.kind])
		}
	}
	for _, k := range slices.Sorted(maps.Keys(kinds)) {
		t.Logf("%-14s %s", k, kinds[k])
	}
	t.Logf("%-14s %s", "all", total)
	if total.answersHold*100 < wantHold*total.answers || total.causes*100 < wantCauses*total.questions || total.changes*100 < wantChanges*total.questions {
		t.Errorf("wanted: %d %% of the answers hold, %d %% of the questions have a cause, %d %% a change", wantHold, wantCauses, wantChanges)
	}
}

func percent(a, b int) float64 {
	if b == 0 {
		return 100
	}
	return 100 * float64(a) / float64(b)
}
