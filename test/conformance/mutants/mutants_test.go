// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package mutants

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/simulate"
	"github.com/quorate/quorate/internal/iso8601"
	"github.com/quorate/quorate/test/conformance/mutate"
	"github.com/quorate/quorate/test/conformance/view"
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

// An outcome is what one program made of a state.
type outcome struct {
	code  int
	parts map[string][]string
	text  string
}

func TestMutations(t *testing.T) {
	real := os.Getenv("QUORATE_REAL_SIMULATE")
	if real == "" {
		t.Skip("QUORATE_REAL_SIMULATE names no crm_simulate to compare with")
	}
	if _, err := os.Stat(real); err != nil {
		t.Skipf("no crm_simulate to compare with: %v", err)
	}
	bases := readBases(t)
	h := &hunt{real: real, bases: bases, keep: os.Getenv("QUORATE_KEEP"), tmp: scratch(t), differ: map[string]int{}, most: int(number("QUORATE_CHANGES", mutate.DefaultSteps))} //nolint:gosec // a small number
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

// A hunt looks for differences.
type hunt struct {
	real, keep, tmp string
	bases           []*base
	most            int // changes of one state

	mu      sync.Mutex // guards what follows
	tried   int        // states that both programs took
	equal   int        // in decisions and graph
	all     int        // in everything
	refused int
	lenient int // refused by the real one only
	crashed int
	varying int
	differ  map[string]int
	lines   []string
}

func (h *hunt) base(seed uint64) *base { return h.bases[seed%uint64(len(h.bases))] }

// state makes the state of a seed.
func (h *hunt) state(seed uint64, keep []bool) (*etree.Element, []mutate.Change) {
	b := h.base(seed)
	root, err := document.Parse(b.text)
	if err != nil {
		panic(err) // it was read before
	}
	return root, mutate.Mutate(root, seed, h.most, b.now, keep)
}

// try compares the outcomes of one seed.
func (h *hunt) try(seed uint64, worker int) {
	root, changes := h.state(seed, nil)
	want, got, wrong := h.compare(seed, root, worker)
	if len(wrong) > 0 {
		again := h.runReal(h.base(seed), h.file(root, worker), worker)
		if len(differences(want, again)) > 0 {
			h.mu.Lock()
			h.varying++
			h.mu.Unlock()
			return
		}
	}
	h.mu.Lock()
	switch {
	case want.code == codeInvalid:
		h.refused++
	case want.code < 0 || want.code >= 128:
		h.crashed++
		h.lines = append(h.lines, fmt.Sprintf("crashed: seed %d of %s: %v\n", seed, h.base(seed).Name, changes))
		h.save("crash-"+strconv.FormatUint(seed, 10)+".xml", document.Format(root))
	default:
		h.tried++
		for _, k := range wrong {
			h.differ[k]++
		}
		if len(wrong) == 0 {
			h.all++
		}
		if !slices.ContainsFunc(wrong, func(k string) bool { return k != "summary" && k != "scores" }) {
			h.equal++
		}
	}
	h.mu.Unlock()
	if len(wrong) > 0 {
		h.shrink(seed, changes, want, got, wrong, worker)
	}
}

// codeInvalid is the real program's exit code for what its schemas refuse.
const codeInvalid = 78

// compare runs both programs. It says nothing of states that the real one does
// not take.
func (h *hunt) compare(seed uint64, root *etree.Element, worker int) (want, got outcome, wrong []string) {
	b := h.base(seed)
	file := h.file(root, worker)
	want = h.runReal(b, file, worker)
	if want.code < 0 || want.code >= 128 {
		return want, got, nil
	}
	got = h.runOurs(b, file, worker)
	if want.code == codeInvalid {
		if got.code != codeInvalid {
			h.mu.Lock()
			h.lenient++
			h.mu.Unlock()
		}
		return want, got, nil
	}
	return want, got, differences(want, got)
}

func differences(want, got outcome) []string {
	var out []string
	for _, k := range kinds {
		if !slices.Equal(want.parts[k], got.parts[k]) {
			out = append(out, k)
		}
	}
	return out
}

func (h *hunt) file(root *etree.Element, worker int) string {
	path := filepath.Join(h.tmp, fmt.Sprintf("%d.xml", worker))
	if err := os.WriteFile(path, document.Format(root), 0o600); err != nil {
		panic(err)
	}
	return path
}

// files are where a worker's program writes its graphs.
func (h *hunt) files(worker int) (dot, exp string) {
	return filepath.Join(h.tmp, fmt.Sprintf("%d.dot", worker)), filepath.Join(h.tmp, fmt.Sprintf("%d.exp", worker))
}

// run gives a state to a program, which gets the arguments and gives its exit
// code.
func (h *hunt) run(b *base, file string, worker int, program func(args []string, out *bytes.Buffer) int) outcome {
	dot, exp := h.files(worker)
	_, _ = os.Remove(dot), os.Remove(exp)
	args := []string{"-x", file, "-S", "-s", "-D", dot, "-G", exp}
	if b.date != "" {
		args = append(args, "-t", b.date)
	}
	var out bytes.Buffer
	code := program(args, &out)
	dotText, _ := os.ReadFile(dot)
	expText, _ := os.ReadFile(exp)
	if strings.Contains(out.String(), fatalAssertion) {
		code = -1
	}
	summary, scores := view.Split(out.String())
	return outcome{code: code, text: out.String(), parts: map[string][]string{
		"code": {strconv.Itoa(code)}, "decisions": view.Decisions(summary), "summary": view.Squeeze(summary),
		"dot": view.Set(string(dotText)), "exp": view.Graph(string(expText)), "scores": view.Scores(scores),
	}}
}

func (h *hunt) runReal(b *base, file string, worker int) outcome {
	return h.run(b, file, worker, func(args []string, out *bytes.Buffer) int {
		ctx, cancel := context.WithTimeout(context.Background(), runLimit)
		defer cancel()
		cmd := exec.CommandContext(ctx, h.real, args...)
		cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C", "LANGUAGE=C")
		cmd.Stdout, cmd.Stderr = out, out
		err := cmd.Run()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return exit.ExitCode()
		} else if err != nil {
			return -1
		}
		return 0
	})
}

func (h *hunt) runOurs(b *base, file string, worker int) outcome {
	return h.run(b, file, worker, func(args []string, out *bytes.Buffer) (code int) {
		defer func() {
			if p := recover(); p != nil {
				fmt.Fprintf(out, "panic: %v\n%s", p, debug.Stack())
				code = -1
			}
		}()
		stdio := &cli.IO{Stdin: strings.NewReader(""), Stdout: out, Stderr: out, Env: func(string) string { return "" }, Tool: "crm_simulate"}
		return simulate.Tools()[0].Run(context.Background(), stdio, args)
	})
}

// shrink leaves out changes while there is still a difference, and notes what is
// left.
func (h *hunt) shrink(seed uint64, changes []mutate.Change, want, got outcome, wrong []string, worker int) {
	keep := slices.Repeat([]bool{true}, h.most)
	for i := range keep {
		keep[i] = false
		root, less := h.state(seed, keep)
		if len(less) == len(changes) {
			continue
		}
		w, g, d := h.compare(seed, root, worker)
		if len(d) == 0 || len(less) == 0 {
			keep[i] = true
			continue
		}
		changes, want, got, wrong = less, w, g, d
	}
	root, _ := h.state(seed, keep)
	var b bytes.Buffer
	fmt.Fprintf(&b, "seed %d of %s: %s\n", seed, h.base(seed).Name, strings.Join(wrong, " "))
	for _, c := range changes {
		fmt.Fprintf(&b, "  change: %s\n", c)
	}
	head := b.String()
	for _, k := range wrong {
		fmt.Fprintf(&b, "  %s\n    %s\n", k, strings.Join(view.Diff(want.parts[k], got.parts[k], diffLines), "\n    "))
	}
	h.mu.Lock()
	h.lines = append(h.lines, head)
	h.mu.Unlock()
	name := strconv.FormatUint(seed, 10)
	h.save(name+".xml", document.Format(root))
	h.save(name+".txt", b.Bytes())
	h.save(name+".want", []byte(want.text))
	h.save(name+".got", []byte(got.text))
}

// save keeps a file for whoever looks into what was found.
func (h *hunt) save(name string, data []byte) {
	if h.keep == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(h.keep, name), data, 0o600); err != nil {
		panic(err)
	}
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
