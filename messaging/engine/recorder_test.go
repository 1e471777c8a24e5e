// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/conformance"
	"github.com/quorate/quorate/messaging/engine"
	"github.com/quorate/quorate/messaging/recorder"
	"github.com/quorate/quorate/messaging/recorder/ring"
	"github.com/quorate/quorate/messaging/totem"
)

func readDump(t *testing.T, path string) *recorder.Recording {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rec, err := recorder.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return rec
}

// Each node of a running cluster writes down what it went through, among it a
// death, and every recording can be played again.
func TestWhatADaemonWentThroughCanBeReplayed(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := conformance.NewLab(t, 3)
		l.Tune = func(c *engine.Config) {
			c.Recorder, c.DumpDir = 64<<10, filepath.Join(dir, fmt.Sprint(c.Self))
			if err := os.MkdirAll(c.DumpDir, 0o700); err != nil {
				t.Fatal(err)
			}
		}
		l.StartAll()
		defer l.StopAll()
		l.Await(1, true, 1, 2, 3)
		g, err := l.Nodes[2].Bus.Join(t.Context(), "g")
		if err != nil {
			t.Fatal(err)
		}
		for i := range 300 {
			if err := g.Multicast(t.Context(), fmt.Appendf(nil, "message %d", i)); err != nil {
				t.Fatal(err)
			}
		}
		l.Kill(3)
		l.Await(1, true, 1, 2)
		<-time.After(10 * time.Second)
		for id := messaging.NodeID(1); id <= 2; id++ {
			path, err := l.Nodes[id].Bus.Dump(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			rec := readDump(t, path)
			suspected, sent := false, 0
			rep, err := ring.Replay(rec, func(p ring.Played) {
				switch ev := p.Event.(type) {
				case *totem.SuspectDown:
					suspected = suspected || ev.Nodes[0] == 3
				case *totem.Submit:
					sent++
				}
			})
			if err != nil {
				t.Errorf("node %d: %v", id, err)
				continue
			}
			if rec.Header.Node != uint32(id) || rec.Header.Why != "asked for" || rep.Core.Digest() == 0 {
				t.Errorf("node %d: header %+v", id, rec.Header)
			}
			if !suspected || id == 2 && sent < 300 {
				t.Errorf("node %d: the death is in it: %v, %d messages", id, suspected, sent)
			}
			if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
				t.Errorf("others may read %v, %v", st, err)
			}
		}
	})
}

func TestTheNewestRecordingsAreKept(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := conformance.NewLab(t, 1)
		l.Tune = func(c *engine.Config) { c.DumpDir = dir }
		l.StartAll()
		defer l.StopAll()
		l.Await(1, true, 1)
		last := ""
		for range 12 {
			<-time.After(time.Second)
			if err := l.Nodes[1].Bus.SetCmap(t.Context(), messaging.CmapEntry{Key: "runtime.blackbox.dump_flight_data", Type: "str", Value: "yes"}); err != nil {
				t.Fatal(err)
			}
			now, err := os.Readlink(filepath.Join(dir, "fdata"))
			if err != nil || now == last {
				t.Fatalf("fdata points at %q, %v", now, err)
			}
			last = now
		}
		files, err := filepath.Glob(filepath.Join(dir, "fdata-*"))
		if err != nil || len(files) != 8 || filepath.Base(files[7]) != last {
			t.Errorf("%d recordings are kept, the last is %s: %v", len(files), last, files)
		}
	})
}

func TestADaemonWithoutARecorderSaysSo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := conformance.NewLab(t, 1)
		l.Tune = func(c *engine.Config) { c.Recorder = -1; c.DumpDir = t.TempDir() }
		l.StartAll()
		defer l.StopAll()
		l.Await(1, true, 1)
		if _, err := l.Nodes[1].Bus.Dump(t.Context()); !errors.Is(err, messaging.ErrInvalid) {
			t.Errorf("got %v", err)
		}
	})
}

// brokenRing cannot store ring numbers.
type brokenRing struct{}

var errDisk = errors.New("disk is gone")

func (b *brokenRing) Load() (uint64, error) { return 0, nil }

func (b *brokenRing) Save(uint64) error { return errDisk }

// An engine that ends in trouble writes down how it came to it.
func TestTroubleIsRecorded(t *testing.T) {
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := conformance.NewLab(t, 1)
		l.Tune = func(c *engine.Config) { c.DumpDir, c.Ring = dir, &brokenRing{} }
		e, err := engine.New(l.Config(1))
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Run(context.Background()); !errors.Is(err, errDisk) {
			t.Fatalf("got %v", err)
		}
	})
	if rec := readDump(t, filepath.Join(dir, "fdata")); !strings.Contains(rec.Header.Why, errDisk.Error()) {
		t.Errorf("why: %q", rec.Header.Why)
	}
}
