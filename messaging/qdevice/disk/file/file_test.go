// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package file

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/conformance"
	"github.com/quorate/quorate/messaging/engine"
	"github.com/quorate/quorate/messaging/qdevice/disk"
	"github.com/quorate/quorate/messaging/qdevice/heuristics"
	"github.com/quorate/quorate/messaging/quorum"
)

// blank makes a disk.
func blank(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "qdisk")
	if err := os.WriteFile(path, make([]byte, disk.Blocks*disk.BlockSize), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A faulty disk fails or hangs while it is told to.
type faulty struct {
	Store
	fails, hangs *atomic.Bool
	ended        <-chan struct{}
}

func (f *faulty) trouble() error {
	for f.hangs.Load() {
		select {
		case <-f.ended:
			return errors.New("the test is over")
		case <-time.After(10 * time.Millisecond):
		}
	}
	if f.fails.Load() {
		return errors.New("input/output error")
	}
	return nil
}

func (f *faulty) Read(b []byte) error {
	if err := f.trouble(); err != nil {
		return err
	}
	return f.Store.Read(b)
}

func (f *faulty) Write(block int, data []byte) error {
	if err := f.trouble(); err != nil {
		return err
	}
	return f.Store.Write(block, data)
}

// A bench is a cluster on one disk, each node with its own path to it.
type bench struct {
	*conformance.Lab
	fails, hangs map[messaging.NodeID]*atomic.Bool
}

const interval = 50 * time.Millisecond

func newBench(t *testing.T, nodes int, votes uint32) *bench {
	t.Helper()
	path := blank(t)
	b := &bench{Lab: conformance.NewLab(t, nodes), fails: map[messaging.NodeID]*atomic.Bool{}, hangs: map[messaging.NodeID]*atomic.Bool{}}
	b.Tune = func(c *engine.Config) {
		id := c.Self
		b.fails[id], b.hangs[id] = &atomic.Bool{}, &atomic.Bool{}
		fails, hangs := b.fails[id], b.hangs[id]
		c.Quorum.Device = quorum.Device{Name: "Qdevice", Votes: votes}
		c.Quorum.ExpectedVotes = uint32(nodes) + votes
		core := disk.Config{Node: uint32(id), Cluster: "lab", Boot: uint64(time.Now().UnixNano()), Interval: interval, Misses: 12}
		for _, n := range c.Nodes {
			core.Nodes = append(core.Nodes, uint32(n.ID))
		}
		d, err := New(Config{
			Core: core, Path: path, Timeout: 3 * time.Second, Checks: &heuristics.Runner{}, Clock: c.Clock, Log: c.Log,
			Open: func() (Store, error) {
				s, _, err := Open(path)
				return &faulty{s, fails, hangs, t.Context().Done()}, err
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		c.Device = engine.DeviceConfig{Arbiter: d, Timeout: 3 * time.Second, SyncTimeout: 10 * time.Second}
	}
	b.StartAll()
	t.Cleanup(b.StopAll)
	return b
}

// votes waits until a node counts so many votes.
func (b *bench) votes(t *testing.T, id messaging.NodeID, total uint32) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	defer cancel()
	w, err := b.Nodes[id].Bus.WatchQuorum(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = w.Close() }()
	for {
		v, err := w.Next(ctx)
		if err != nil {
			t.Fatalf("node %d never had %d votes: %v, last %+v", id, total, err, v)
		}
		if v.TotalVotes == total {
			return
		}
	}
}

func (b *bench) cut() { b.Hub.SetDrop(func(src, dst netip.Addr) bool { return src != dst }) }

func (b *bench) entry(t *testing.T, id messaging.NodeID, key string) string {
	t.Helper()
	list, err := b.Nodes[id].Bus.Cmap(t.Context(), key)
	if err != nil || len(list) != 1 {
		t.Fatalf("%s: %v, %v", key, list, err)
	}
	return list[0].Value
}

func TestOneHalfHasTheDisk(t *testing.T) {
	b := newBench(t, 2, 1)
	b.votes(t, 1, 3)
	b.votes(t, 2, 3)
	leader, other := messaging.NodeID(1), messaging.NodeID(2)
	if b.entry(t, 1, "runtime.qdevice.disk.leader") == "2" {
		leader, other = other, leader
	}
	if text := b.entry(t, 1, "runtime.qdevice.disk.text"); !strings.Contains(text, "State:                  Working\n") {
		t.Errorf("%s", text)
	}
	b.cut()
	b.Await(other, false, other)
	b.Await(leader, true, leader)
	// The leader's path to the disk fails: it has lost the vote before the other
	// gets it.
	b.fails[leader].Store(true)
	b.Await(leader, false, leader)
	b.Await(other, true, other)
}

func TestTheSurvivorGetsTheDisk(t *testing.T) {
	b := newBench(t, 2, 1)
	b.votes(t, 1, 3)
	b.votes(t, 2, 3)
	leader, other := messaging.NodeID(1), messaging.NodeID(2)
	if b.entry(t, 1, "runtime.qdevice.disk.leader") == "2" {
		leader, other = other, leader
	}
	b.Kill(leader)
	b.Await(other, true, other)
}

func TestADiskThatHangsGivesNoVote(t *testing.T) {
	b := newBench(t, 2, 1)
	b.votes(t, 1, 3)
	b.votes(t, 2, 3)
	for _, h := range b.hangs {
		h.Store(true)
	}
	b.votes(t, 1, 2)
	b.votes(t, 2, 2)
	b.Await(1, true, 1, 2) // they are two and need nobody
	for _, h := range b.hangs {
		h.Store(false)
	}
	b.votes(t, 1, 3)
	b.votes(t, 2, 3)
}

func TestOpenRefusesWhatIsNoQuorumDisk(t *testing.T) {
	dir := t.TempDir()
	small := filepath.Join(dir, "small")
	if err := os.WriteFile(small, make([]byte, 4096), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{filepath.Join(dir, "none"): "truncate -s 2M", small: "has 4096 bytes"} {
		if _, _, err := Open(path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	s, _, err := Open(blank(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	block := bytes.Repeat([]byte{7}, disk.BlockSize)
	got := make([]byte, 3*disk.BlockSize)
	if err := errors.Join(s.Write(2, block), s.Read(got)); err != nil || !bytes.Equal(got[2*disk.BlockSize:], block) || got[0] != 0 {
		t.Errorf("written and read back: %v", err)
	}
}
