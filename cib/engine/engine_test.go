// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/cibtest"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/messaging"
)

// logTo makes a logger whose text a test can read.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func start(t testing.TB, bus messaging.Bus, dir string, log *logBuffer) *Engine {
	t.Helper()
	if log == nil {
		log = &logBuffer{}
	}
	e, err := Open(Config{
		Bus: bus, Dir: dir, Clock: clock.Runtime(), Log: slog.New(slog.NewTextHandler(log, nil)),
		Metrics: prometheus.NewRegistry(), Timeout: 10 * time.Second, WatchQueue: 64,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = e.Close() })
	return e
}

func TestStore(t *testing.T) {
	cibtest.RunStore(t, func(t *testing.T) cib.Store {
		return start(t, cibtest.NewNet().Bus(1, "node1"), t.TempDir(), nil)
	})
}

func create(ctx context.Context, s cib.Store, id string) error {
	_, err := s.Do(ctx, cib.Request{
		Op: cib.OpCreate, Section: "resources",
		Data: []byte(fmt.Sprintf(`<primitive id=%q class="lsb" type="x"/>`, id)),
	})
	return err
}

func text(t testing.TB, s cib.Store) string {
	t.Helper()
	res, err := s.Do(context.Background(), cib.Request{Op: cib.OpQuery})
	if err != nil {
		t.Fatal(err)
	}
	return string(res.Output)
}

func TestThreeNodesHaveOneDocumentThroughKillPartitionAndMerge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := cibtest.NewNet()
		var es []*Engine
		dirs := []string{t.TempDir(), t.TempDir(), t.TempDir()}
		logs := []*logBuffer{{}, {}, {}}
		for i := range 3 {
			es = append(es, start(t, net.Bus(messaging.NodeID(i+1), fmt.Sprint("node", i+1)), dirs[i], logs[i]))
		}
		ctx := t.Context()
		for i, e := range es {
			if err := create(ctx, e, fmt.Sprint("a", i)); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		same := func(when string) {
			t.Helper()
			synctest.Wait()
			for i, e := range es {
				if got, want := text(t, e), text(t, es[0]); got != want {
					t.Fatalf("%s: node %d has\n%s\nnode 1 has\n%s", when, i+1, got, want)
				}
			}
		}
		same("at first")

		// A partition: both sides write, the side with more changes wins.
		net.Split([]messaging.NodeID{1}, []messaging.NodeID{2, 3})
		synctest.Wait()
		if err := create(ctx, es[0], "lost"); err != nil {
			t.Fatal(err)
		}
		for _, id := range []string{"kept1", "kept2"} {
			if err := create(ctx, es[1], id); err != nil {
				t.Fatal(err)
			}
		}
		net.Heal()
		same("after the merge")
		if doc := text(t, es[0]); strings.Contains(doc, "lost") || !strings.Contains(doc, "kept2") {
			t.Errorf("after the merge:\n%s", doc)
		}
		if log := logs[0].String(); !strings.Contains(log, "configuration changes of this partition are lost") || !strings.Contains(log, `id=\"lost\"`) &&
			!strings.Contains(log, `id=\\\"lost\\\"`) {
			t.Errorf("the loss is not told:\n%s", log)
		}

		// A node dies; the others go on; it comes back with its old disk.
		net.Kill(3)
		if err := es[2].Close(); err != nil {
			t.Fatal(err)
		}
		if err := create(ctx, es[0], "meanwhile"); err != nil {
			t.Fatal(err)
		}
		net.Start(3)
		es[2] = start(t, net.Bus(3, "node3"), dirs[2], logs[2])
		synctest.Wait()
		same("after the return")
		if !strings.Contains(text(t, es[2]), "meanwhile") {
			t.Error("the node that came back misses a write")
		}
		for _, e := range es {
			_ = e.Close()
		}
	})
}

func TestAWriteSurvivesARestart(t *testing.T) {
	dir := t.TempDir()
	e := start(t, cibtest.NewNet().Bus(1, "node1"), dir, nil)
	if err := create(t.Context(), e, "a"); err != nil {
		t.Fatal(err)
	}
	if err := e.SetAttr(t.Context(), cib.AttrUpdate{Node: "node1", Name: "x", Value: "1"}); err != nil {
		t.Fatal(err)
	}
	_ = e.Close()
	e = start(t, cibtest.NewNet().Bus(1, "node1"), dir, nil)
	doc := text(t, e)
	if !strings.Contains(doc, `<primitive id="a"`) || strings.Contains(doc, "status-1-x") {
		t.Errorf("after a restart:\n%s", doc)
	}
}

func TestWithoutARingQueriesAreAnsweredAndWritesWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net := cibtest.NewNet()
		bus := net.Bus(1, "node1")
		net.Kill(1)
		e := start(t, bus, t.TempDir(), nil)
		if !strings.Contains(text(t, e), "<cib ") {
			t.Error("no document")
		}
		err := create(t.Context(), e, "a")
		var ce *cib.Error
		if !errors.As(err, &ce) || ce.Code != cib.CodeTimeout || !strings.Contains(ce.Msg, "not connected to the cluster") {
			t.Errorf("%v", err)
		}
		got := make(chan error, 1)
		go func() { got <- create(t.Context(), e, "b") }()
		synctest.Wait()
		net.Start(1)
		if err := <-got; err != nil {
			t.Errorf("a write that waited for the ring: %v", err)
		}
		if doc := text(t, e); strings.Contains(doc, `"a"`) || !strings.Contains(doc, `"b"`) {
			t.Errorf("%s", doc)
		}
		_ = e.Close()
	})
}

func TestADiskThatCannotBeWrittenRefusesChangesAndRecovers(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "cib")
	log := &logBuffer{}
	e := start(t, cibtest.NewNet().Bus(1, "node1"), dir, log)
	if err := create(t.Context(), e, "a"); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".gone"); err != nil {
		t.Fatal(err)
	}
	before := text(t, e)
	err := create(t.Context(), e, "b")
	var ce *cib.Error
	if !errors.As(err, &ce) || !strings.Contains(ce.Msg, "refused") {
		t.Errorf("%v", err)
	}
	if text(t, e) != before {
		t.Error("a refused change is in effect")
	}
	if err := e.SetAttr(t.Context(), cib.AttrUpdate{Node: "node1", Name: "x", Value: "1"}); err != nil {
		t.Errorf("status needs no disk: %v", err)
	}
	if err := os.Rename(dir+".gone", dir); err != nil {
		t.Fatal(err)
	}
	if err := create(t.Context(), e, "b"); err != nil {
		t.Errorf("after the disk came back: %v", err)
	}
	for _, want := range []string{"changes are refused", "changes can be stored again"} {
		if n := strings.Count(log.String(), want); n != 1 {
			t.Errorf("the log says %d times %q", n, want)
		}
	}
}

func TestASlowWatchIsCutOff(t *testing.T) {
	e := start(t, cibtest.NewNet().Bus(1, "node1"), "", nil)
	w, err := e.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		if err := create(t.Context(), e, fmt.Sprint("p", i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.Next(t.Context()); !errors.Is(err, cib.ErrCutOff) {
		t.Errorf("%v, want ErrCutOff", err)
	}
}

func TestCloseEndsWatchesAndWrites(t *testing.T) {
	e := start(t, cibtest.NewNet().Bus(1, "node1"), "", nil)
	w, err := e.Watch(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := e.Check(t.Context()); err != nil {
		t.Error(err)
	}
	_ = e.Close()
	if _, err := w.Next(t.Context()); !errors.Is(err, cib.ErrClosed) {
		t.Errorf("watch: %v", err)
	}
	if err := create(t.Context(), e, "x"); !errors.Is(err, cib.ErrClosed) {
		t.Errorf("write: %v", err)
	}
}

func BenchmarkWriteOneNode(b *testing.B) {
	e := start(b, cibtest.NewNet().Bus(1, "node1"), b.TempDir(), nil)
	for i := 0; b.Loop(); i++ {
		if _, err := e.Do(b.Context(), cib.Request{Op: cib.OpModify, Section: "crm_config", CanCreate: true, Data: fmt.Appendf(nil,
			`<cluster_property_set id="o"><nvpair id="o-x" name="x" value="%d"/></cluster_property_set>`, i)}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWriteManyClients(b *testing.B) {
	e := start(b, cibtest.NewNet().Bus(1, "node1"), b.TempDir(), nil)
	b.SetParallelism(16)
	b.RunParallel(func(pb *testing.PB) {
		for i := 0; pb.Next(); i++ {
			if _, err := e.Do(b.Context(), cib.Request{Op: cib.OpModify, Section: "crm_config", CanCreate: true, Data: fmt.Appendf(nil,
				`<cluster_property_set id="o"><nvpair id="o-x" name="x" value="%p-%d"/></cluster_property_set>`, pb, i)}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkQuery100KB(b *testing.B) {
	e := start(b, cibtest.NewNet().Bus(1, "node1"), "", nil)
	res := document.New("resources")
	for i := range 1500 {
		document.Add(res, "primitive", "id", fmt.Sprint("rsc", i), "class", "ocf", "provider", "heartbeat", "type", "IPaddr2")
	}
	if _, err := e.Do(b.Context(), cib.Request{Op: cib.OpReplace, Section: "resources", Data: document.Format(res)}); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := e.Do(b.Context(), cib.Request{Op: cib.OpQuery}); err != nil {
			b.Fatal(err)
		}
	}
}
