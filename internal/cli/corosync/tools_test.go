// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package corosync

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/daemon"
	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/cmap"
	"github.com/quorate/quorate/messaging/conformance"
	"github.com/quorate/quorate/messaging/engine"
	"github.com/quorate/quorate/messaging/server"
)

// serve runs two engines and gives the root of the first.
func serve(t *testing.T, transport string) string {
	t.Helper()
	_, root := serveTuned(t, transport, func(*engine.Config) {})
	return root
}

func serveTuned(t *testing.T, transport string, tune func(*engine.Config)) (*conformance.Lab, string) {
	t.Helper()
	l := conformance.NewLab(t, 2)
	l.Tune = func(c *engine.Config) {
		tune(c)
		c.Transport = transport
		c.Cmap = cmap.New()
		for i, n := range c.Nodes {
			if err := c.Cmap.Set(cmap.Str(fmt.Sprintf("nodelist.node.%d.name", i), n.Name)); err != nil {
				t.Fatal(err)
			}
		}
	}
	l.StartAll()
	t.Cleanup(l.StopAll)
	l.Await(1, true, 1, 2)
	l.Await(2, true, 1, 2)
	root := t.TempDir()
	lis, err := ipc.Listen(daemon.Paths{Root: root}.Socket("messagingd"))
	if err != nil {
		t.Fatal(err)
	}
	g, err := l.Nodes[1].Engine.Bus(4711).Join(t.Context(), "crmd")
	if err != nil {
		t.Fatal(err)
	}
	conformance.Read(t, g, func(ev messaging.Event) bool { return conformance.Members(ev) == 1 })
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	srv := server.New(func(pid uint32) server.Bus { return l.Nodes[1].Engine.Bus(pid) }, slog.New(slog.DiscardHandler))
	go func() { ended <- ipc.Serve(ctx, srv, lis) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l, root
}

// What differs from run to run.
var volatile = []struct{ re, with string }{
	{`Date: .*`, "Date:             NOW"},
	{`(ping_packets|ping_bytes|crypt_byte_overhead|time_since_token_last_received) \(u64\) = [0-9]+`, "$1 (u64) = SOME"},
	{`(packets|bytes) \(u64\) = [1-9][0-9]*`, "$1 (u64) = SOME"},
	{`Ring ID:          1\.[0-9a-f]+`, "Ring ID:          1.SEQ"},
}

// TestTools runs the commands of testdata: "run [down] [udpu]" with one command
// line each.
func TestTools(t *testing.T) {
	up := map[string]string{"knet": serve(t, "knet"), "udpu": serve(t, "udpu")}
	tools := map[string]cli.Tool{}
	for _, tool := range Tools() {
		tools[tool.Name] = tool
	}
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			root := up["knet"]
			if d.HasArg("down") {
				root = t.TempDir()
			} else if d.HasArg("udpu") {
				root = up["udpu"]
			}
			words := strings.Fields(d.Input)
			var out, errs bytes.Buffer
			io := &cli.IO{
				Stdin: strings.NewReader(strings.Repeat("x\n", 3)), Stdout: &out, Stderr: &errs, Env: func(string) string { return "" },
				Paths: daemon.Paths{Root: root}, Tool: words[0],
			}
			code := tools[words[0]].Run(t.Context(), io, words[1:])
			text := out.String()
			if errs.Len() > 0 {
				text += "stderr: " + errs.String()
			}
			text = strings.ReplaceAll(text, root, "ROOT")
			for _, v := range volatile {
				text = regexp.MustCompile(v.re).ReplaceAllString(text, v.with)
			}
			return fmt.Sprintf("%sexit %d\n", text, code)
		})
	})
}

func TestKeygenMakesAKeyThatOnlyTheOwnerReads(t *testing.T) {
	path := filepath.Join(t.TempDir(), "k")
	var out, errs bytes.Buffer
	io := &cli.IO{Stdout: &out, Stderr: &errs, Env: func(string) string { return "" }}
	if code := runKeygen(t.Context(), io, []string{"-l", "-s", "300", "--key-file=" + path}); code != 0 {
		t.Fatalf("exit %d: %s", code, errs.String())
	}
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm() != 0o400 || st.Size() != 300 {
		t.Errorf("%v, %v", st, err)
	}
	want := "Corosync Cluster Engine Authentication key generator.\nGathering 2400 bits for key from /dev/urandom.\nWriting corosync key to " + path + ".\n"
	if out.String() != want {
		t.Errorf("printed %q", out.String())
	}
}

func TestGetopt(t *testing.T) {
	for _, tc := range []struct{ args, want string }{
		{"-sb", "[{s } {b }] [] <nil>"},
		{"-i 0 -s x y", "[{i 0} {s }] [x y] <nil>"},
		{"-i0 -s", "[{i 0} {s }] [] <nil>"},
		{"-z", "[] [] tool: invalid option -- 'z'"},
		{"--no", "[] [] tool: unrecognized option '--no'"},
		{"--force -s", "[{F } {s }] [] <nil>"},
		{"--fo -s -- -b", "[{F } {s }] [-b] <nil>"},
		{"-i", "[] [] tool: option requires an argument -- 'i'"},
	} {
		opts, rest, err := getopt("tool", strings.Fields(tc.args), "i:sbF", map[string]string{"force": "F"})
		if err != nil {
			opts, rest = nil, nil
		}
		if got := fmt.Sprint(opts, rest, err); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.args, got, tc.want)
		}
	}
}

func TestValuesAreReadAsSscanfReadsThem(t *testing.T) {
	for _, tc := range []struct{ typ, word, want string }{
		{"u8", "255", "255 <nil>"},
		{"u8", "256", " 256 is not valid u8 integer"},
		{"u8", "-1", " -1 is not valid u8 integer"},
		{"u8", "12abc", "12 <nil>"},
		{"u8", "abc", " abc is not valid u8 type value"},
		{"u8", "", "  is not valid u8 type value"},
		{"u16", "0x10", "0 <nil>"},
		{"i8", "-128", "-128 <nil>"},
		{"i8", "128", " 128 is not valid i8 integer"},
		{"i64", "-9223372036854775808", "-9223372036854775808 <nil>"},
		{"u32", "4294967296", " 4294967296 is not valid u32 integer"},
		{"u64", "99999999999999999999999", "18446744073709551615 <nil>"},
		{"flt", "1.5x", "1.5 <nil>"},
		{"dbl", "x", " x is not valid dbl type value"},
		{"str", "", " <nil>"},
	} {
		value, err := scanValue(tc.typ, tc.word)
		if got := fmt.Sprint(value, " ", err); got != tc.want {
			t.Errorf("%s %q: %q, want %q", tc.typ, tc.word, got, tc.want)
		}
	}
}
