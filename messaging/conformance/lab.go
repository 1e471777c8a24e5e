// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package conformance

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/auth"
	"github.com/quorate/quorate/messaging/engine"
	"github.com/quorate/quorate/messaging/link"
	"github.com/quorate/quorate/messaging/quorum"
	"github.com/quorate/quorate/messaging/totem"
	"github.com/quorate/quorate/messaging/transport"
	"github.com/quorate/quorate/messaging/transport/memnet"
)

// memRing is a ring store in memory, which outlives an engine.
type memRing struct {
	mu  sync.Mutex
	seq uint64
}

func (m *memRing) Load() (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.seq, nil
}

func (m *memRing) Save(seq uint64) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seq = seq
	return nil
}

// A Lab runs engines on a network within the process.
type Lab struct {
	t     testing.TB
	Hub   *memnet.Hub
	rings map[messaging.NodeID]*memRing
	Nodes map[messaging.NodeID]*Node
	Count int
	// Tune may change a node's configuration before it starts.
	Tune func(*engine.Config)
	Log  *slog.Logger

	second func(messaging.NodeID) netip.Addr
}

// A Node is a running engine of a lab.
type Node struct {
	*engine.Engine
	cancel context.CancelFunc
	ended  chan error
	Bus    *engine.Bus
}

// TwoLinks gives each node a second address on the network.
func (l *Lab) TwoLinks(addr func(messaging.NodeID) netip.Addr) { l.second = addr }

// NewLab makes a lab of count nodes, none of which runs.
func NewLab(t testing.TB, count int) *Lab {
	return &Lab{t: t, Hub: memnet.NewHub(), rings: map[messaging.NodeID]*memRing{}, Nodes: map[messaging.NodeID]*Node{}, Count: count, Log: slog.New(slog.DiscardHandler)}
}

// AddrOf is the address of a node of the lab.
func AddrOf(id messaging.NodeID) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 9, byte(id)}) }

// TestKey makes a key from one byte.
func TestKey(t testing.TB, fill byte) auth.Key {
	t.Helper()
	k, err := auth.NewKey(bytes.Repeat([]byte{fill}, auth.DefaultKey), "lab")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Config is the default configuration of one node of the lab.
func (l *Lab) Config(id messaging.NodeID) engine.Config {
	tc := totem.DefaultConfig(id, l.Count)
	tc.HoldForSync = true
	cfg := engine.Config{
		Self: id, Name: fmt.Sprintf("node%d", id), ClusterName: "lab", Transport: "udpu", Version: "test",
		Links: []engine.Link{{Number: 0, Local: AddrOf(id), Port: 5405}},
		Totem: tc, Link: link.DefaultConfig(tc.Token), Quorum: quorum.Config{Self: id, Votes: 1, ExpectedVotes: uint32(l.Count)},
		Key: TestKey(l.t, 1), Rand: rand.Reader, StrictSource: true,
		Clock: clock.Runtime(), Log: l.Log.With("self", id),
		Wire: func(h transport.Handler) (transport.Wire, error) {
			if l.second != nil {
				return l.Hub.Attach(h, AddrOf(id), l.second(id)), nil
			}
			return l.Hub.Attach(h, AddrOf(id)), nil
		},
	}
	if l.rings[id] == nil {
		l.rings[id] = &memRing{}
	}
	cfg.Ring = l.rings[id]
	for n := messaging.NodeID(1); n <= messaging.NodeID(l.Count); n++ {
		cfg.Nodes = append(cfg.Nodes, engine.Node{ID: n, Name: fmt.Sprintf("node%d", n), Votes: 1, Addrs: map[int]netip.Addr{0: AddrOf(n)}})
	}
	if l.Tune != nil {
		l.Tune(&cfg)
	}
	return cfg
}

// Start runs a node.
func (l *Lab) Start(id messaging.NodeID) *Node {
	l.t.Helper()
	e, err := engine.New(l.Config(id))
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &Node{Engine: e, cancel: cancel, ended: make(chan error, 1), Bus: e.Bus(uint32(id) * 100)}
	go func() { n.ended <- e.Run(ctx) }()
	l.Nodes[id] = n
	return n
}

// StartAll runs all nodes.
func (l *Lab) StartAll() {
	for id := messaging.NodeID(1); id <= messaging.NodeID(l.Count); id++ {
		l.Start(id)
	}
}

// Stop ends a node in order and waits for it.
func (l *Lab) Stop(id messaging.NodeID) {
	l.t.Helper()
	n := l.Nodes[id]
	n.cancel()
	if err := <-n.ended; err != nil {
		l.t.Errorf("node %d: %v", id, err)
	}
	delete(l.Nodes, id)
}

// StopAll ends all nodes in order.
func (l *Lab) StopAll() {
	for id := messaging.NodeID(1); id <= messaging.NodeID(l.Count); id++ {
		if l.Nodes[id] != nil {
			l.Stop(id)
		}
	}
}

// Kill makes a node silent, as a power loss would, and ends it unheard.
func (l *Lab) Kill(id messaging.NodeID) {
	dead := AddrOf(id)
	l.Hub.SetDrop(func(src, dst netip.Addr) bool { return src == dead || dst == dead })
	l.Stop(id)
}

// Await waits until a node's view has these members and that quorum; it tells
// how long it took.
func (l *Lab) Await(id messaging.NodeID, quorate bool, members ...messaging.NodeID) time.Duration {
	l.t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	w, err := l.Nodes[id].Bus.WatchQuorum(ctx)
	if err != nil {
		l.t.Fatal(err)
	}
	defer w.Close()
	for {
		v, err := w.Next(ctx)
		if err != nil {
			l.t.Fatalf("node %d never saw members %v quorate %v: %v; last %+v", id, members, quorate, err, v)
		}
		var have []messaging.NodeID
		for _, n := range v.Nodes {
			if n.Member {
				have = append(have, n.ID)
			}
		}
		if v.Quorate == quorate && fmt.Sprint(have) == fmt.Sprint(members) {
			return time.Since(begin)
		}
	}
}

// Read takes events of a group until f is content.
func Read(t testing.TB, g messaging.Group, f func(messaging.Event) bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	for {
		ev, err := g.Next(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if f(ev) {
			return
		}
	}
}

// Members is the number of members that a change tells, or -1.
func Members(ev messaging.Event) int {
	if cc, ok := ev.(*messaging.ConfigChange); ok {
		return len(cc.Members)
	}
	return -1
}
