// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package mutants

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/iso8601"
	"github.com/quorate/quorate/test/conformance/mutate"
)

// corpusDir is where the conformance corpus lies beside the module, if at all.
const corpusDir = "../../../../shared/conformance/scheduler"

const (
	// runLimit bounds one run of the real program.
	runLimit = 60 * time.Second
	// defaultMutations is how many states are compared where nothing is said.
	defaultMutations = 600
	// wantEqual is the share of states, in percent, that must be equal.
	wantEqual = 99.5
	// diffLines bounds what is kept of one difference.
	diffLines = 40
)

// fatalAssertion is what the real program says where its own state is broken; it
// goes on from some of these.
const fatalAssertion = "Triggered fatal assertion"

// theDate is the time of the states that have none.
const theDate = "2026-07-15 12:00:00Z"

// kinds are what is compared, as the judge of the corpus names it.
var kinds = []string{"code", "decisions", "summary", "dot", "exp", "scores"}

// A base is a state of the corpus.
type base struct {
	Name string   `json:"name"`
	Args []string `json:"args"`

	text []byte
	date string // to be given with -t, "" where the document has its own
	now  time.Time
}

func TestMutations(t *testing.T) {
	real := os.Getenv("QUORATE_REAL_SIMULATE")
	if real == "" {
		t.Skip("QUORATE_REAL_SIMULATE names no crm_simulate to compare with")
	}
	if _, err := os.Stat(real); err != nil {
		t.Skipf("no crm_simulate to compare with: %v", err)
	}
	h := &hunt{
		real: program(real), ours: ours, bases: readBases(t), keep: os.Getenv("QUORATE_KEEP"), tmp: scratch(t), differ: map[string]int{},
		most: int(number("QUORATE_CHANGES", mutate.DefaultSteps)), rounds: int(number("QUORATE_ROUNDS", 1)), //nolint:gosec // small numbers
	}
	count, first := number("QUORATE_MUTATIONS", defaultMutations), number("QUORATE_FIRST_SEED", 1)
	seeds := make(chan uint64)
	var group sync.WaitGroup
	for i := range number("QUORATE_WORKERS", 2) {
		group.Go(func() {
			for seed := range seeds {
				h.try(seed, int(i))
			}
		})
	}
	for seed := first; seed < first+count; seed++ {
		seeds <- seed
	}
	close(seeds)
	group.Wait()
	h.report(t)
}

// scratch is a folder for the files of both programs, in memory where that can
// be had.
func scratch(t *testing.T) string {
	if dir, err := os.MkdirTemp("/dev/shm", "conformance"); err == nil {
		t.Cleanup(func() { _ = os.RemoveAll(dir) })
		return dir
	}
	return t.TempDir()
}

func number(name string, otherwise uint64) uint64 {
	if n, err := strconv.ParseUint(os.Getenv(name), 10, 63); err == nil {
		return n
	}
	return otherwise
}

func readBases(t *testing.T) []*base {
	text, err := os.ReadFile(filepath.Join(corpusDir, "tests.json"))
	if err != nil {
		t.Skipf("no conformance corpus beside the module: %v", err)
	}
	var out []*base
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	for _, b := range out {
		if b.text, err = os.ReadFile(filepath.Join(corpusDir, "xml", b.Name+".xml")); err != nil {
			t.Fatal(err)
		}
		root, err := document.Parse(b.text)
		if err != nil {
			t.Fatal(err)
		}
		b.date = theDate
		for i := 0; i+1 < len(b.Args); i += 2 {
			if b.Args[i] == "-t" {
				b.date = b.Args[i+1]
			}
		}
		sec, err := strconv.ParseInt(document.Get(root, "execution-date"), 10, 64)
		if err == nil && len(b.Args) == 0 {
			b.date, b.now = "", time.Unix(sec, 0).UTC()
			continue
		}
		if b.now, err = iso8601.ParseTime(b.date, time.UTC, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func (h *hunt) report(t *testing.T) {
	slices.Sort(h.lines)
	for _, l := range h.lines {
		t.Log(l)
	}
	if h.tried == 0 {
		t.Fatal("no state was compared")
	}
	share := func(n int) float64 { return 100 * float64(n) / float64(h.tried) }
	t.Logf("%d states compared: %d (%.2f%%) equal in decisions and graph, %d (%.2f%%) in all; refused by the real program's schemas %d (by ours not %d), crashed it %d, not the same twice %d",
		h.tried, h.equal, share(h.equal), h.all, share(h.all), h.refused, h.lenient, h.crashed, h.varying)
	for _, k := range kinds {
		t.Logf("%-9s equal in %.2f%%", k, share(h.tried-h.differ[k]))
	}
	if share(h.equal) < wantEqual {
		t.Errorf("%.2f%% are equal in decisions and graph, %.1f%% are wanted", share(h.equal), wantEqual)
	}
}
