// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package peertools

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sync/errgroup"

	"github.com/quorate/quorate/test/e2e/lab"
)

func TestMain(m *testing.M) {
	lab.Reap()
	os.Exit(m.Run())
}

// nodes is the size of the ring.
const nodes = 3

// patience bounds one command, in seconds; some of them run until they are stopped.
const patience = "2"

// maxText bounds what is kept of what a command prints.
const maxText = 16 << 10

// A step is one line of the table.
type step struct {
	line    int
	command string
	differs string // why the answers differ, "" where they may not
	stop    []int  // nodes whose daemon stops, instead of a command
}

// readTable reads testdata/commands. A line is a command, or "stop N…" after an @,
// or "differs REASON | COMMAND" after one.
func readTable(t *testing.T) []step {
	t.Helper()
	b, err := os.ReadFile("testdata/commands")
	if err != nil {
		t.Fatal(err)
	}
	var out []step
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		line = strings.TrimSpace(line)
		s := step{line: n, command: line}
		switch word, rest, _ := strings.Cut(line, " "); word {
		case "", "#":
			continue
		case "@stop":
			for w := range strings.FieldsSeq(rest) {
				var id int
				if _, err := fmt.Sscan(w, &id); err != nil {
					t.Fatalf("line %d: %v", n, err)
				}
				s.stop = append(s.stop, id)
			}
		case "@differs":
			var ok bool
			if s.differs, s.command, ok = strings.Cut(rest, " | "); !ok {
				t.Fatalf("line %d: no command", n)
			}
		}
		out = append(out, s)
	}
	return out
}

// A stack is whose tools are run.
type stack struct{ name, image, unit string }

// run forms a ring and takes each step on its first node; it gives what each
// command answered.
func (s stack) run(t *testing.T, table []step) []string {
	t.Helper()
	ctx := t.Context()
	l, err := lab.Start(ctx, lab.Options{Nodes: nodes, Image: s.image, Log: t.Logf})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Down() }()
	conf := strings.Replace(lab.CorosyncConf(nodes), "transport: udpu", "transport: knet", 1)
	key := string(lab.NewKey())
	var g errgroup.Group
	for _, n := range l.Nodes() {
		if err := errors.Join(n.WriteFile("/etc/corosync/corosync.conf", 0o644, conf), n.WriteFile("/etc/corosync/authkey", 0o400, key)); err != nil {
			t.Fatal(err)
		}
		g.Go(func() error { return n.Exec(ctx, "systemctl", "start", s.unit).Err() })
	}
	if err := g.Wait(); err != nil {
		t.Fatal(err)
	}
	first := l.Node(1)
	for path, text := range files {
		if err := first.WriteFile(path, 0o644, text); err != nil {
			t.Fatal(err)
		}
	}
	members := nodes
	settled := func() {
		t.Helper()
		lab.Until(t, 30*time.Second, fmt.Sprintf("%d members", members), func() error {
			out := first.Exec(ctx, "corosync-quorumtool", "-s")
			if members > 0 && !strings.Contains(out.Stdout, fmt.Sprintf("Nodes:            %d", members)) || members == 0 && out.Code != 1 {
				return errors.New(out.String())
			}
			// Links of nodes that went may be up for a moment longer.
			out = first.Exec(ctx, "corosync-cfgtool", "-s")
			if members > 0 && strings.Count(out.Stdout, ":\tconnected\n") != members-1 {
				return errors.New(out.String())
			}
			return nil
		})
	}
	settled()
	answers := make([]string, len(table))
	for i, st := range table {
		if st.stop == nil {
			r := first.Exec(ctx, "timeout", patience, "sh", "-c", st.command)
			answers[i] = normal(r)
			continue
		}
		for _, id := range st.stop {
			if err := l.Node(id).Exec(ctx, "systemctl", "stop", s.unit).Err(); err != nil {
				t.Fatal(err)
			}
		}
		members -= len(st.stop)
		settled()
	}
	return answers
}

// files are what commands of the table read.
var files = map[string]string{
	"/load1": "my.a u8 1\nmy.b str hello there you\n# comment\n\n^my.nosuch\naaa.x u32 7\naaa.y i8 -1\n",
	"/load2": "^my.a\n^^aaa.\nmy.c str\nmy.d u8 1\n",
	"/bad1":  "totem {\n\tversion: 2\n\tfoo bar\n}\n",
	"/bad2":  "totem {\n\tversion: 3\n\ttransport: udpu\n}\nnodelist {\n\tnode {\n\t\tring0_addr: 198.51.100.11\n\t\tnodeid: 1\n\t}\n}\n",
}

// What differs from run to run, or by what an answer is about.
var volatile = []struct{ re, with string }{
	{`(?m)^Date: .*`, "Date: NOW"},
	{`(?m)^Ring ID: .*`, "Ring ID: SOME"},
	{`mtu: [0-9]+`, "mtu: SOME"},
	{`[A-Z][a-z]{2} +[0-9]+ [0-9:]{5} `, "TIME "}, // of ls
}

func normal(r lab.Result) string {
	text := fmt.Sprintf("%s\n-- stderr\n%s\n-- exit %d", r.Stdout[:min(len(r.Stdout), maxText)], r.Stderr[:min(len(r.Stderr), maxText)], r.Code)
	for _, v := range volatile {
		text = regexp.MustCompile(v.re).ReplaceAllString(text, v.with)
	}
	return text
}

func TestToolsAnswerAsCorosyncs(t *testing.T) {
	image := os.Getenv("BENCH_PEER")
	if image == "" || os.Getenv("PEER_TOOLS") == "" {
		t.Skip("$PEER_TOOLS is not set, or $BENCH_PEER names no corosync")
	}
	if why := lab.Missing(); why != "" {
		t.Skip(why)
	}
	table := readTable(t)
	theirs := stack{"corosync", image, "corosync.service"}.run(t, table)
	ours := stack{"quorate", "", "quorate-messagingd.service"}.run(t, table)
	same := 0
	for i, st := range table {
		switch d := cmp.Diff(theirs[i], ours[i]); {
		case d == "" && st.differs == "":
			same++
		case d == "":
			t.Errorf("line %d: %s: the answers are the same, and are said to differ: %s", st.line, st.command, st.differs)
		case st.differs == "":
			t.Errorf("line %d: %s (- corosync, + ours)\n%s", st.line, st.command, d)
		}
	}
	t.Logf("%d of %d commands answer alike", same, len(table))
}
