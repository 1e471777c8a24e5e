// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package mutants

import (
	"bytes"
	"context"
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

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/cli/simulate"
	"github.com/quorate/quorate/test/conformance/mutate"
	"github.com/quorate/quorate/test/conformance/view"
)

// A crmSimulate runs with arguments and gives its exit code, negative where it
// crashed.
type crmSimulate func(args []string, out *bytes.Buffer) int

// A hunt looks for differences.
type hunt struct {
	real, ours crmSimulate
	keep, tmp  string
	bases      []*base
	most       int // changes of one state
	rounds     int // states in a row, each made of what came of the one before

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

// A trial is one state that both programs get.
type trial struct {
	*base

	h      *hunt
	seed   uint64
	round  int
	start  []byte // what is changed
	worker int
}

func (t *trial) String() string {
	return fmt.Sprintf("seed %d of %s, round %d", t.seed, t.Name, t.round)
}

// state makes the state, with the changes that are kept.
func (t *trial) state(keep []bool) (*etree.Element, []mutate.Change) {
	root, err := document.Parse(t.start)
	if err != nil {
		panic(err) // it was read before, or written by the real program
	}
	return root, mutate.Mutate(root, t.seed+uint64(t.round)<<roundBits, t.h.most, t.now, keep) //nolint:gosec // few rounds
}

// roundBits sets the seeds of rounds apart.
const roundBits = 40

// try compares the outcomes of one seed, round after round.
func (h *hunt) try(seed uint64, worker int) {
	b := h.bases[seed%uint64(len(h.bases))]
	start := b.text
	for round := range h.rounds {
		t := &trial{base: b, h: h, seed: seed, round: round, start: start, worker: worker}
		if start = t.run(); start == nil {
			return
		}
	}
}

// run compares both programs and gives the state that the real one ended in, nil
// where there is none to go on with.
func (t *trial) run() []byte {
	h := t.h
	root, changes := t.state(nil)
	want, got, wrong := t.compare(root)
	if len(wrong) > 0 && len(differences(want, t.runReal(root))) > 0 {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.varying++
		return nil
	}
	h.count(t, root, changes, want, got, wrong)
	if len(wrong) > 0 {
		t.shrink(changes, want, got, wrong)
	}
	return want.end
}

// count adds one comparison to the figures.
func (h *hunt) count(t *trial, root *etree.Element, changes []mutate.Change, want, got outcome, wrong []string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case want.code == codeInvalid:
		h.refused++
		if got.code != codeInvalid {
			h.lenient++
			h.lines = append(h.lines, fmt.Sprintf("refused by the real one only: %v: %v\n", t, changes))
		}
	case want.crashed():
		h.crashed++
		h.lines = append(h.lines, fmt.Sprintf("crashed: %v: %v\n", t, changes))
		h.save(t.name("crash-", ".xml"), document.Format(root))
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
}

// codeInvalid is the real program's exit code for what its schemas refuse.
const codeInvalid = 78

// An outcome is what one program made of a state.
type outcome struct {
	code  int
	parts map[string][]string
	text  string
	end   []byte // the state after the transition
}

func (o *outcome) crashed() bool { return o.code < 0 || o.code >= 128 }

// compare runs both programs. It finds nothing wrong with states that the real
// one does not take.
func (t *trial) compare(root *etree.Element) (want, got outcome, wrong []string) {
	want = t.runReal(root)
	if want.crashed() {
		return want, got, nil
	}
	got = t.runProgram(t.h.ours, root)
	if want.code == codeInvalid {
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

func (t *trial) runReal(root *etree.Element) outcome { return t.runProgram(t.h.real, root) }

// runProgram gives a state to a program.
func (t *trial) runProgram(p crmSimulate, root *etree.Element) outcome {
	file := func(ext string) string { return filepath.Join(t.h.tmp, strconv.Itoa(t.worker)+ext) }
	for _, ext := range []string{".dot", ".exp", ".end"} {
		_ = os.Remove(file(ext))
	}
	if err := os.WriteFile(file(".xml"), document.Format(root), 0o600); err != nil {
		panic(err)
	}
	args := []string{"-x", file(".xml"), "-S", "-s", "-D", file(".dot"), "-G", file(".exp"), "-O", file(".end")}
	if t.date != "" {
		args = append(args, "-t", t.date)
	}
	var out bytes.Buffer
	code := p(args, &out)
	if strings.Contains(out.String(), fatalAssertion) {
		code = -1
	}
	dot, _ := os.ReadFile(file(".dot"))
	exp, _ := os.ReadFile(file(".exp"))
	end, _ := os.ReadFile(file(".end"))
	summary, scores := view.Split(out.String())
	return outcome{code: code, text: out.String(), end: end, parts: map[string][]string{
		"code": {strconv.Itoa(code)}, "decisions": view.Decisions(summary), "summary": view.Squeeze(summary),
		"dot": view.Set(string(dot)), "exp": view.Graph(string(exp)), "scores": view.Scores(scores),
	}}
}

// program runs the program of a path.
func program(path string) crmSimulate {
	return func(args []string, out *bytes.Buffer) int {
		ctx, cancel := context.WithTimeout(context.Background(), runLimit)
		defer cancel()
		cmd := exec.CommandContext(ctx, path, args...)
		cmd.Env = append(os.Environ(), "TZ=UTC", "LC_ALL=C", "LANGUAGE=C")
		cmd.Stdout, cmd.Stderr = out, out
		err := cmd.Run()
		if exit, ok := errors.AsType[*exec.ExitError](err); ok {
			return exit.ExitCode()
		} else if err != nil {
			return -1
		}
		return 0
	}
}

// ours is our own crm_simulate, in this process.
func ours(args []string, out *bytes.Buffer) (code int) {
	defer func() {
		if p := recover(); p != nil {
			fmt.Fprintf(out, "panic: %v\n%s", p, debug.Stack())
			code = -1
		}
	}()
	stdio := &cli.IO{Stdin: strings.NewReader(""), Stdout: out, Stderr: out, Env: func(string) string { return "" }, Tool: "crm_simulate"}
	return simulate.Tools()[0].Run(context.Background(), stdio, args)
}

// shrink leaves out changes while there is still a difference, and notes what is
// left.
func (t *trial) shrink(changes []mutate.Change, want, got outcome, wrong []string) {
	keep := slices.Repeat([]bool{true}, t.h.most)
	for i := range keep {
		keep[i] = false
		root, less := t.state(keep)
		if len(less) == len(changes) {
			continue
		}
		w, g, d := t.compare(root)
		if len(d) == 0 {
			keep[i] = true
			continue
		}
		changes, want, got, wrong = less, w, g, d
	}
	root, _ := t.state(keep)
	var b bytes.Buffer
	fmt.Fprintf(&b, "%v: %s\n", t, strings.Join(wrong, " "))
	for _, c := range changes {
		fmt.Fprintf(&b, "  change: %s\n", c)
	}
	head := b.String()
	for _, k := range wrong {
		fmt.Fprintf(&b, "  %s\n    %s\n", k, strings.Join(view.Diff(want.parts[k], got.parts[k], diffLines), "\n    "))
	}
	t.h.mu.Lock()
	defer t.h.mu.Unlock()
	t.h.lines = append(t.h.lines, head)
	t.h.save(t.name("", ".xml"), document.Format(root))
	t.h.save(t.name("", ".txt"), b.Bytes())
	t.h.save(t.name("", ".want"), []byte(want.text))
	t.h.save(t.name("", ".got"), []byte(got.text))
}

func (t *trial) name(prefix, ext string) string {
	if t.round > 0 {
		return fmt.Sprintf("%s%d-%d%s", prefix, t.seed, t.round, ext)
	}
	return fmt.Sprintf("%s%d%s", prefix, t.seed, ext)
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
