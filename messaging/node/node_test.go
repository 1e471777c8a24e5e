// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package node

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/messaging/conf"
	"github.com/quorate/quorate/messaging/engine"
	"github.com/quorate/quorate/messaging/totem"
)

// source makes a node's files under dir.
func source(t testing.TB, dir, name, text string, key byte) Source {
	t.Helper()
	s := Source{
		ConfPath: filepath.Join(dir, "corosync.conf"), KeyPath: filepath.Join(dir, "authkey"), StateDir: filepath.Join(dir, "state"),
		Abs:     func(p string) string { return filepath.Join(dir, p) },
		Machine: conf.Machine{NodeName: name, Hostname: name}, Clock: clock.Boottime(), Log: slog.New(slog.DiscardHandler),
	}
	if err := os.WriteFile(s.ConfPath, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(s.KeyPath, bytes.Repeat([]byte{key}, 256), 0o600); err != nil {
		t.Fatal(err)
	}
	return s
}

// confText lists count nodes on 127.0.<net>.x.
func confText(net, count int, totem string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "totem {\n version: 2\n cluster_name: c\n transport: udpu\n%s}\nnodelist {\n", totem)
	for i := 1; i <= count; i++ {
		fmt.Fprintf(&b, "node {\n ring0_addr: 127.0.%d.%d\n nodeid: %d\n name: node%d\n}\n", net, i, i, i)
	}
	b.WriteString("}\nquorum {\n provider: corosync_votequorum\n}\n")
	return b.String()
}

// A realNode is an engine with sockets.
type realNode struct {
	*engine.Engine
	stop func()
}

func startReal(t testing.TB, net, count, id int, key byte, log *slog.Logger) *realNode {
	t.Helper()
	s := source(t, t.TempDir(), fmt.Sprintf("node%d", id), confText(net, count, ""), key)
	if log != nil {
		s.Log = log
	}
	c, err := Load(s)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := Build(s, c)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	var once sync.Once
	n := &realNode{Engine: e, stop: func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}}
	t.Cleanup(n.stop)
	return n
}

// await waits for a quorate view with so many members.
func await(t testing.TB, n *realNode, members int) time.Duration {
	t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	w, err := n.Bus(1).WatchQuorum(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for {
		v, err := w.Next(ctx)
		if err != nil {
			t.Fatalf("%d members never came: %v", members, err)
		}
		have := 0
		for _, x := range v.Nodes {
			if x.Member {
				have++
			}
		}
		if have == members {
			return time.Since(begin)
		}
	}
}

func TestThreeNodesOnRealSockets(t *testing.T) {
	var nodes []*realNode
	for id := 1; id <= 3; id++ {
		nodes = append(nodes, startReal(t, 31, 3, id, 1, nil))
	}
	for i, n := range nodes {
		t.Logf("node %d has three members after %s", i+1, await(t, n, 3))
	}
	// A stranger with another key on the address of a node that is down.
	nodes[2].stop()
	t.Logf("a clean leave is seen after %s", await(t, nodes[0], 2))
	var mu sync.Mutex
	var text bytes.Buffer
	log := slog.New(slog.NewTextHandler(writerFunc(func(p []byte) (int, error) {
		mu.Lock()
		defer mu.Unlock()
		return text.Write(p)
	}), nil))
	stranger := startReal(t, 31, 3, 3, 2, log)
	await(t, stranger, 1)
	for {
		mu.Lock()
		said := bytes.Contains(text.Bytes(), []byte("authkey or totem.cluster_name differs"))
		mu.Unlock()
		if said {
			break
		}
		if err := stranger.Healthy(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	stranger.stop()
	await(t, nodes[0], 2)
	nodes[2] = startReal(t, 31, 3, 3, 1, nil)
	t.Logf("a node that comes back is in after %s", await(t, nodes[2], 3))
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// Files for knet count frames of up to 64 KiB.
func TestFlowControlOfFilesForKnetIsInFrames(t *testing.T) {
	usual := totem.DefaultConfig(1, 1)
	for _, tc := range []struct {
		transport, lines string
		window, messages int
	}{
		{"knet", "", usual.Window, usual.MaxMessages},
		{"udpu", "", usual.Window, usual.MaxMessages},
		{"knet", " window_size: 50\n max_messages: 20\n", usual.Window, usual.MaxMessages},
		{"knet", " window_size: 4\n max_messages: 2\n", 4 * 65536 / usual.MTU, 2 * 65536 / usual.MTU},
		{"udpu", " window_size: 50\n max_messages: 20\n", 50, 20},
	} {
		s := source(t, t.TempDir(), "node2", strings.Replace(confText(37, 3, tc.lines), "udpu", tc.transport, 1), 1)
		c, err := Load(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := totemConfig(c, 2); got.Window != tc.window || got.MaxMessages != tc.messages {
			t.Errorf("%s with %q: window %d, %d messages; want %d, %d", tc.transport, tc.lines, got.Window, got.MaxMessages, tc.window, tc.messages)
		}
	}
}

func TestBuildAppliesTheFilesTimers(t *testing.T) {
	s := source(t, t.TempDir(), "node2", confText(32, 4, " token: 5000\n consensus: 7000\n join: 60\n window_size: 80\n max_messages: 20\n netmtu: 9000\n token_coefficient: 0\n"), 1)
	c, err := Load(s)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := Build(s, c)
	if err != nil {
		t.Fatal(err)
	}
	if cfg.Self != 2 || cfg.Name != "node2" || len(cfg.Nodes) != 4 || cfg.Quorum.ExpectedVotes != 4 {
		t.Errorf("self %d %q, %d nodes, %d votes", cfg.Self, cfg.Name, len(cfg.Nodes), cfg.Quorum.ExpectedVotes)
	}
	tc := cfg.Totem
	if tc.Token != 5*time.Second || tc.Consensus != 7*time.Second || tc.Join != 60*time.Millisecond || tc.Window != 80 || tc.MaxMessages != 20 || tc.MTU != 8192 {
		t.Errorf("totem %+v", tc)
	}
	if cfg.Link.Limit != 3*time.Second {
		t.Errorf("limit %s, want 60%% of token", cfg.Link.Limit)
	}
	if e, ok := cfg.Cmap.Get("runtime.config.totem.token"); !ok || e.Value != "5000" {
		t.Errorf("map has %v", e)
	}
}

func TestBuildRefusals(t *testing.T) {
	text := confText(33, 2, "")
	for _, tc := range []struct {
		name, text, node, want string
		resolve                map[string]string
	}{
		{name: "not listed", text: text, node: "nodeX", want: `the node name is "nodeX"`},
		{name: "no such name", text: strings.ReplaceAll(text, "127.0.33.2", "far"), node: "node1", want: `ring0_addr "far" of node 2`},
		{
			name: "own name on loopback", text: strings.ReplaceAll(strings.ReplaceAll(text, "127.0.33.1", "near"), "127.0.33.2", "192.0.2.2"), node: "node1",
			resolve: map[string]string{"near": "127.0.1.1"}, want: "the other nodes cannot reach",
		},
		{
			name: "two families", text: strings.ReplaceAll(strings.ReplaceAll(text, "127.0.33.1", "fd00::1"), "127.0.33.2", "192.0.2.2"), node: "node1",
			want: "has no IPv4 address",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s := source(t, t.TempDir(), tc.node, tc.text, 1)
			s.Machine.Resolve = func(name string) ([]netip.Addr, error) {
				if a, ok := tc.resolve[name]; ok {
					return []netip.Addr{netip.MustParseAddr(a)}, nil
				}
				return nil, fmt.Errorf("no such host")
			}
			c, err := Load(s)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Build(s, c); err == nil || !strings.Contains(err.Error(), tc.want) {
				t.Errorf("%v, want %q", err, tc.want)
			}
		})
	}
}

func TestClassicLogWritesCorosyncsForm(t *testing.T) {
	path := filepath.Join(t.TempDir(), "log", "corosync.log")
	wall := func() time.Time { return time.Date(2026, 11, 20, 9, 8, 7, 0, time.UTC) }
	c := NewClassicLog(slog.New(slog.DiscardHandler), wall, "node1.example.org")
	if err := c.OpenFile(path); err != nil {
		t.Fatal(err)
	}
	c.Write(engine.Announcement{Level: "notice", Subsys: "TOTEM", Text: "A new membership (1.5) was formed. Members joined: 2"})
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	want := fmt.Sprintf("Nov 20 09:08:07 [%d] node1 corosync notice  [TOTEM ] A new membership (1.5) was formed. Members joined: 2\n", os.Getpid())
	if err != nil || string(got) != want {
		t.Errorf("%q, %v, want %q", got, err, want)
	}
}

func TestClassicLogHeedsSubsystems(t *testing.T) {
	path := filepath.Join(t.TempDir(), "corosync.log")
	c := NewClassicLog(slog.New(slog.DiscardHandler), time.Now, "node1")
	l := conf.Logging{ToLogfile: true, Logfile: path, Timestamp: "off", LogfilePriority: "warning", Subsys: []conf.Subsys{
		{Name: "QUORUM", ToLogfile: conf.Off}, {Name: "VOTEQ", Debug: conf.On}, {Name: "CFG", LogfilePriority: "err"},
	}}
	if err := c.Configure(l, func(p string) string { return p }); err != nil {
		t.Fatal(err)
	}
	for _, a := range []engine.Announcement{
		{Level: "notice", Subsys: "TOTEM", Text: "no"},
		{Level: "warning", Subsys: "TOTEM", Text: "totem"},
		{Level: "error", Subsys: "QUORUM", Text: "no"},
		{Level: "debug", Subsys: "VOTEQ", Text: "voteq"},
		{Level: "warning", Subsys: "CFG", Text: "no"},
		{Level: "error", Subsys: "CFG", Text: "cfg"},
	} {
		c.Write(a)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(string(b)) {
		got = append(got, strings.Fields(line)[len(strings.Fields(line))-1])
	}
	if want := "totem voteq cfg"; strings.Join(got, " ") != want {
		t.Errorf("%v, want %s:\n%s", got, want, b)
	}
}
