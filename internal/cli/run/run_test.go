// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package run

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"github.com/google/go-cmp/cmp"

	"github.com/quorate/quorate/internal/cli"
)

// The test program stands in for the daemons: each says that it starts, that it
// is ready, and on SIGTERM that it stops.
func TestMain(m *testing.M) {
	if os.Getenv("RUN_TEST_DAEMON") == "" {
		os.Exit(m.Run())
	}
	term := make(chan os.Signal, 1)
	signal.Notify(term, syscall.SIGTERM)
	note("start")
	dieOnce(os.Getenv("RUN_TEST_DIES"))
	_, _ = sd.SdNotify(false, sd.SdNotifyReady)
	<-term
	note("stop")
}

// note appends a line to a file that all stand-ins share: what comes through
// their pipes may be overtaken by the next one's.
func note(word string) {
	f, err := os.OpenFile(os.Getenv("RUN_TEST_NOTES"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		fmt.Println(err)
		os.Exit(4)
	}
	fmt.Fprintf(f, "%s: %s\n", filepath.Base(os.Args[0]), word)
	_ = f.Close()
}

// dieOnce ends the daemon that is named at its first start.
func dieOnce(name string) {
	me := filepath.Base(os.Args[0])
	mark := filepath.Join(filepath.Dir(os.Args[0]), me+".died")
	if _, err := os.Stat(mark); me == name && err != nil {
		_ = os.WriteFile(mark, nil, 0o600)
		os.Exit(3)
	}
}

// runNode runs a node of stand-ins until all are started, then stops it, and
// returns what was printed, what the stand-ins noted, and the exit code.
func runNode(t *testing.T, args ...string) (lines, notes []string, code int) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "notes")
	t.Setenv("RUN_TEST_NOTES", file)
	t.Setenv("RUN_TEST_DAEMON", "1")
	dir := t.TempDir()
	for _, d := range order {
		if err := os.Symlink(os.Args[0], filepath.Join(dir, d.name)); err != nil {
			t.Fatal(err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, w := io.Pipe()
	var out bytes.Buffer
	ended := make(chan int, 1)
	go func() {
		ended <- runTool(ctx, &cli.IO{Stdout: &out, Stderr: w}, append([]string{"--libexec", dir, "--root", t.TempDir()}, args...))
		w.Close()
	}()
	sc := bufio.NewScanner(r)
	for sc.Scan() {
		name, text, _ := strings.Cut(sc.Text(), "|")
		lines = append(lines, strings.TrimSpace(name)+":"+text)
		if strings.Contains(text, "all daemons are started") {
			cancel()
		}
	}
	code = <-ended
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return lines, strings.Split(strings.TrimSpace(string(text)), "\n"), code
}

// said picks the daemons that noted a word, in order.
func said(lines []string, word string) []string {
	var names []string
	for _, l := range lines {
		if name, ok := strings.CutSuffix(l, ": "+word); ok {
			names = append(names, name)
		}
	}
	return names
}

func TestDaemonsStartInOrderAndStopInReverse(t *testing.T) {
	_, notes, code := runNode(t)
	if code != 0 {
		t.Errorf("code %d", code)
	}
	up := []string{"messagingd", "cibd", "lrmd", "pengined", "transitiond", "crmd"}
	if d := cmp.Diff(up, said(notes, "start")); d != "" {
		t.Error(d)
	}
	down := []string{"crmd", "transitiond", "pengined", "lrmd", "cibd", "messagingd"}
	if d := cmp.Diff(down, said(notes, "stop")); d != "" {
		t.Error(d)
	}
}

func TestDeadDaemonIsStartedAgain(t *testing.T) {
	t.Setenv("RUN_TEST_DIES", "cibd")
	lines, notes, code := runNode(t, "--only", "messagingd,cibd")
	if code != 0 {
		t.Errorf("code %d", code)
	}
	if d := cmp.Diff([]string{"messagingd", "cibd", "cibd"}, said(notes, "start")); d != "" {
		t.Error(d)
	}
	if !slices.Contains(lines, "cibd: ended (exit status 3): starting again in 100ms") {
		t.Errorf("the death is not told in %q", lines)
	}
}

func TestMissingDaemonsAreNamed(t *testing.T) {
	var stderr bytes.Buffer
	code := runTool(t.Context(), &cli.IO{Stdout: io.Discard, Stderr: &stderr}, []string{"--libexec", t.TempDir()})
	if code != 5 || !strings.Contains(stderr.String(), "no messagingd in") {
		t.Errorf("code %d: %s", code, &stderr)
	}
}

func TestMetricsPortsFollowTheBase(t *testing.T) {
	if got, err := nextPort("127.0.0.1:9664", 3); err != nil || got != "127.0.0.1:9667" {
		t.Errorf("got %q, %v", got, err)
	}
	if _, err := nextPort("9664", 0); err == nil {
		t.Error("an address without host was accepted")
	}
}

func TestLinesStayWhole(t *testing.T) {
	var buf bytes.Buffer
	w := newPrefixer(&buf).writer("cibd")
	for _, part := range []string{"one", " line\ntwo", "\nrest"} {
		fmt.Fprint(w, part)
	}
	w.flush()
	want := "cibd        | one line\ncibd        | two\ncibd        | rest\n"
	if d := cmp.Diff(want, buf.String()); d != "" {
		t.Error(d)
	}
}
