// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package corosync

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/internal/daemon"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/conformance"
	"github.com/quorate/quorate/messaging/engine"
	"github.com/quorate/quorate/messaging/transport"
)

// run runs one tool on the node under root.
func run(t *testing.T, root, line string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	words := strings.Fields(line)
	tool := &cli.IO{
		Stdin: strings.NewReader(""), Stdout: &o, Stderr: &e, Env: func(string) string { return "" },
		Paths: daemon.Paths{Root: root}, Tool: words[0],
	}
	for _, x := range Tools() {
		if x.Name == words[0] {
			code = x.Run(t.Context(), tool, words[1:])
		}
	}
	return o.String(), e.String(), code
}

func TestReloadTellsTheReasonsAndWhatWaitsForARestart(t *testing.T) {
	var broken atomic.Bool
	broken.Store(true)
	_, root := serveTuned(t, "knet", func(c *engine.Config) {
		self, cfg := c.Self, *c
		c.Read = func(context.Context) (*engine.Draft, error) {
			if self == 2 && broken.Load() {
				return nil, errors.New("parser error: /etc/corosync/corosync.conf:14: Missing closing brace\nparser error: /etc/corosync/corosync.conf:20: x")
			}
			d := &engine.Draft{Config: cfg, Publish: func() error { return nil }}
			d.Wire = []transport.LinkConfig{{Bind: netip.AddrPortFrom(conformance.AddrOf(self), 5405)}}
			d.Report.Kept = []string{"totem.netmtu: 1500 → 1400"}
			return d, nil
		}
	})
	out, errs, code := run(t, root, "corosync-cfgtool -R")
	wantOut := "Reloading corosync.conf...\n" +
		"ERROR from reload: node 2: parser error: /etc/corosync/corosync.conf:14: Missing closing brace - see syslog for more information\n" +
		"ERROR from reload: node 2: parser error: /etc/corosync/corosync.conf:20: x - see syslog for more information\n"
	wantErrs := "Nothing was changed on any node: mend corosync.conf where it says so, then reload again\n"
	if out != wantOut || errs != wantErrs || code != 1 {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if out, _, code := run(t, root, "corosync-cmapctl config.reload_status"); out != "config.reload_status (i32) = 2\n" || code != 0 {
		t.Errorf("exit %d\n%s", code, out)
	}
	broken.Store(false)
	out, errs, code = run(t, root, "corosync-cfgtool -R")
	if out != "Reloading corosync.conf...\nDone\n" || errs != "Takes effect after a restart: totem.netmtu: 1500 → 1400\n" || code != 0 {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if _, _, code := run(t, root, "corosync-cmapctl config.reload_error_message"); code != 1 {
		t.Error("there is an error message after a reload that went well")
	}
}

// A lineWriter hands complete lines on.
type lineWriter struct {
	buf   bytes.Buffer
	lines chan string
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.buf.Write(p)
	for {
		line, err := w.buf.ReadString('\n')
		if err != nil {
			w.buf.WriteString(line)
			return len(p), nil
		}
		w.lines <- strings.TrimSuffix(line, "\n")
	}
}

func TestCmapctlTracksKeys(t *testing.T) {
	l, root := serveTuned(t, "knet", func(*engine.Config) {})
	bus := l.Nodes[1].Bus
	set := func(key, typ, value string) {
		t.Helper()
		if err := bus.SetCmap(t.Context(), messaging.CmapEntry{Key: key, Type: typ, Value: value}); err != nil {
			t.Fatal(err)
		}
	}
	set("user.old", "str", "x")
	in, keys := io.Pipe()
	w := &lineWriter{lines: make(chan string, 16)}
	tool := &cli.IO{Stdin: in, Stdout: w, Stderr: io.Discard, Env: func(string) string { return "" }, Paths: daemon.Paths{Root: root}}
	ended := make(chan int, 1)
	go func() { ended <- runCmapctl(t.Context(), tool, []string{"-T", "user."}) }()
	expect := func(want string) {
		t.Helper()
		if got := <-w.lines; got != want {
			t.Fatalf("%q, want %q", got, want)
		}
	}
	expect(`Type "q" to finish`)
	set("user.new", "u8", "1")
	expect("create> user.new (u8) = 1")
	set("user.new", "u8", "2")
	expect("modify> user.new (u8) = 2")
	set("user.new", "u8", "2")
	set("other.new", "u8", "2")
	set("user.old", "", "")
	expect("delete> user.old (str) = x")
	if _, err := io.WriteString(keys, "help\nq\n"); err != nil {
		t.Fatal(err)
	}
	if code := <-ended; code != 0 {
		t.Errorf("exit %d", code)
	}
}

func TestBlackboxShowsAndReplaysTheRecording(t *testing.T) {
	dir := t.TempDir()
	_, root := serveTuned(t, "knet", func(c *engine.Config) {
		if c.Self == 1 {
			c.DumpDir = dir
		}
	})
	out, errs, code := run(t, root, "corosync-blackbox")
	lines := bufio.NewScanner(strings.NewReader(out))
	n := 0
	for lines.Scan() {
		if regexp.MustCompile(`^rec=\[\d+\] \S+ Log Message=.+`).MatchString(lines.Text()) {
			n++
		}
	}
	if code != 0 || n < 10 || !strings.HasPrefix(out, "Recording of node 1, ") || !strings.Contains(out, "Finishing replay: records found [") {
		t.Errorf("exit %d, %d records: %s\n%.500s", code, n, errs, out)
	}
	out, errs, code = run(t, root, "corosync-blackbox -r -f "+filepath.Join(dir, "fdata"))
	if code != 0 || !strings.Contains(out, " events did what was recorded\n") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	// The daemon does not have to live for it.
	state := filepath.Join(root, "var/lib/corosync")
	if err := os.MkdirAll(filepath.Dir(state), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, state); err != nil {
		t.Fatal(err)
	}
	if out, errs, code := run(t, root, "corosync-blackbox -o -r"); code != 0 {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	other := t.TempDir() // where no daemon is
	state = filepath.Join(other, "var/lib/corosync")
	if err := os.MkdirAll(filepath.Dir(state), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(dir, state); err != nil {
		t.Fatal(err)
	}
	out, errs, code = run(t, other, "corosync-blackbox")
	if code != 0 || errs != "Failed to initialize the cmap API. Error CS_ERR_LIBRARY\n" || !strings.HasPrefix(out, "Recording of node 1, ") {
		t.Errorf("without a daemon: exit %d: %s\n%.500s", code, errs, out)
	}
}
