// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package hammer

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// DefaultRuns is how many inputs are tried where nothing else is said.
const DefaultRuns = 50_000

// maxInput bounds the length of an input.
const maxInput = 4096

// Run calls try with mutations of the seeds and of the corpus of a fuzz target.
// The slice is try's only until it returns.
func Run(t *testing.T, target string, try func([]byte), seeds ...[]byte) {
	t.Helper()
	runs := DefaultRuns
	if testing.Short() {
		runs /= 10
	}
	if v := os.Getenv("QUORATE_FUZZ_RUNS"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			t.Fatalf("QUORATE_FUZZ_RUNS=%q: want a number", v)
		}
		runs = n
	}
	seeds = append(seeds, corpus(t, target)...)
	if len(seeds) == 0 {
		t.Fatal("hammer: there is no seed")
	}
	m := mutator{r: rand.New(rand.NewPCG(1, uint64(len(seeds)))), seeds: seeds}
	for _, s := range seeds {
		try(bytes.Clone(s))
	}
	for range runs {
		try(m.next())
	}
	t.Logf("%d inputs from %d seeds", runs, len(seeds))
}

// corpus reads what fuzzing has found for a target of one argument.
func corpus(t *testing.T, target string) (out [][]byte) {
	files, err := filepath.Glob(filepath.Join("testdata", "fuzz", target, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if v, ok := parse(string(b)); ok {
			out = append(out, v)
		}
	}
	return out
}

// parse reads one file of a corpus.
func parse(file string) ([]byte, bool) {
	_, line, ok := strings.Cut(file, "\n")
	quoted, found := strings.CutPrefix(strings.TrimSpace(line), "[]byte(")
	if !ok || !found {
		return nil, false
	}
	v, err := strconv.Unquote(strings.TrimSuffix(quoted, ")"))
	return []byte(v), err == nil
}

// A mutator makes inputs. It uses one buffer again and again.
type mutator struct {
	r     *rand.Rand
	seeds [][]byte
	buf   []byte
}

// telling are bytes at the edges of ranges.
var telling = []byte{0, 1, 0x7f, 0x80, 0xff, '\n', ' ', '{', '}', ':'}

func (m *mutator) next() []byte {
	r := m.r
	b := append(m.buf[:0], m.seeds[r.IntN(len(m.seeds))]...)
	for range 1 + r.IntN(6) {
		at := 0
		if len(b) > 0 {
			at = r.IntN(len(b))
		}
		switch r.IntN(8) {
		case 0, 1:
			if len(b) > 0 {
				b[at] ^= 1 << r.IntN(8)
			}
		case 2:
			if len(b) > 0 {
				b[at] = byte(r.Uint32())
			}
		case 3:
			if len(b) > 0 {
				b[at] = telling[r.IntN(len(telling))]
			}
		case 4:
			b = b[:at]
		case 5: // take some out
			to := min(at+1+r.IntN(8), len(b))
			b = append(b[:at], b[to:]...)
		case 6: // say some twice
			to := min(at+1+r.IntN(16), len(b))
			b = append(b, b[at:to]...)
		case 7: // go on as another seed
			o := m.seeds[r.IntN(len(m.seeds))]
			if len(o) > 0 {
				b = append(b[:at], o[r.IntN(len(o)):]...)
			}
		}
	}
	m.buf = b
	return b[:min(len(b), maxInput):min(len(b), maxInput)]
}
