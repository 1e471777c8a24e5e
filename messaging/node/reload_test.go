// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package node

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/conf"
	"github.com/quorate/quorate/messaging/engine"
)

// A filed node is an engine with sockets and files that can be reloaded.
type filed struct {
	*realNode
	source  Source
	logging chan conf.Logging
}

func startFiled(t *testing.T, id int, text string, key byte) *filed {
	t.Helper()
	f := &filed{source: source(t, t.TempDir(), fmt.Sprintf("node%d", id), text, key), logging: make(chan conf.Logging, 8)}
	f.source.Logging = func(l conf.Logging) { f.logging <- l }
	c, err := Load(f.source)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := Build(f.source, c)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Read = NewReader(f.source, c, &cfg).Read
	e, err := engine.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- e.Run(ctx) }()
	f.realNode = &realNode{Engine: e, stop: func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}}
	t.Cleanup(f.stop)
	return f
}

func (f *filed) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(f.source.ConfPath, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (f *filed) key(t *testing.T, key string) string {
	t.Helper()
	es, err := f.Bus(1).Cmap(t.Context(), key)
	if err != nil || len(es) == 0 || es[0].Key != key {
		t.Fatalf("key %s: %v, %v", key, es, err)
	}
	return es[0].Value
}

func TestReloadOfRealFiles(t *testing.T) {
	old := confText(36, 2, "")
	a, b := startFiled(t, 1, old, 1), startFiled(t, 2, old, 1)
	await(t, a.realNode, 2)
	await(t, b.realNode, 2)
	next := confText(36, 3, " token: 2500\n netmtu: 1300\n")

	// One node has a file that is broken at line 4.
	a.write(t, next)
	b.write(t, strings.Replace(next, "transport: udpu", "transport: tcp", 1))
	_, err := a.Bus(1).Reload(t.Context())
	want := "node 2: parser error: " + b.source.ConfPath + ":4: Invalid transport type"
	if !errors.Is(err, messaging.ErrRefused) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	// One node was forgotten.
	b.write(t, old)
	_, err = a.Bus(1).Reload(t.Context())
	want = "node 2: " + b.source.ConfPath + ": nodelist.node.2.name is not set here, node3 on node 1"
	if !errors.Is(err, messaging.ErrRefused) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	// One node's key was forgotten.
	b.write(t, next)
	if err := os.WriteFile(a.source.KeyPath, bytes.Repeat([]byte{7}, 256), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = b.Bus(1).Reload(t.Context())
	if want = ": authkey is "; !errors.Is(err, messaging.ErrRefused) || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %s", err, want)
	}
	if got := a.key(t, "runtime.config.totem.token") + " " + b.key(t, "runtime.config.totem.token"); got != "1000 1000" {
		t.Errorf("after three refusals the timeouts are %s", got)
	}

	if err := os.WriteFile(b.source.KeyPath, bytes.Repeat([]byte{7}, 256), 0o600); err != nil {
		t.Fatal(err)
	}
	w, err := a.Bus(1).WatchCmap(t.Context(), "runtime.config.totem.token")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	report, err := b.Bus(1).Reload(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Join(append(report.Changed, report.Kept...), "\n")
	for _, want := range []string{"nodelist.node.2.nodeid: (unset) → 3", "totem.token: (unset) → 2500", "authkey: changed", "totem.netmtu: (unset) → 1300"} {
		if !strings.Contains(got, want) {
			t.Errorf("the report is\n%s\nand lacks %s", got, want)
		}
	}
	if len(report.Kept) != 1 {
		t.Errorf("kept %q", report.Kept)
	}
	// token 2500 and 125 for the third node.
	cs, err := w.Next(t.Context())
	if err != nil || cs[0] != (messaging.CmapChange{Event: messaging.CmapModified, Entry: messaging.CmapEntry{Key: "runtime.config.totem.token", Type: "u32", Value: "2625"}}) {
		t.Errorf("%+v, %v", cs, err)
	}
	if l := <-a.logging; l.Timestamp != "hires" {
		t.Errorf("logging %+v", l)
	}
	c := startFiled(t, 3, next, 7)
	await(t, c.realNode, 3)
	await(t, a.realNode, 3)
}
