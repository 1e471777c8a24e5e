// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/auth"
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

// A lab runs engines on a network within the process.
type lab struct {
	t     testing.TB
	hub   *memnet.Hub
	rings map[messaging.NodeID]*memRing
	nodes map[messaging.NodeID]*labNode
	count int
	tune  func(*Config)
	log   *slog.Logger
}

type labNode struct {
	*Engine
	cancel context.CancelFunc
	ended  chan error
	bus    *Bus
}

func newLab(t testing.TB, count int) *lab {
	return &lab{t: t, hub: memnet.NewHub(), rings: map[messaging.NodeID]*memRing{}, nodes: map[messaging.NodeID]*labNode{}, count: count, log: slog.New(slog.DiscardHandler)}
}

func addrOf(id messaging.NodeID) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 9, byte(id)}) }

func testKey(t testing.TB, fill byte) auth.Key {
	t.Helper()
	k, err := auth.NewKey(bytes.Repeat([]byte{fill}, auth.DefaultKey), "lab")
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// config is the default configuration of one node of the lab.
func (l *lab) config(id messaging.NodeID) Config {
	tc := totem.DefaultConfig(id, l.count)
	tc.HoldForSync = true
	cfg := Config{
		Self: id, Name: fmt.Sprintf("node%d", id), ClusterName: "lab", Transport: "udpu", Version: "test",
		Links: []Link{{Number: 0, Local: addrOf(id), Port: 5405}},
		Totem: tc, Link: link.DefaultConfig(tc.Token), Quorum: quorum.Config{Self: id, Votes: 1, ExpectedVotes: uint32(l.count)},
		Key: testKey(l.t, 1), Rand: rand.Reader, StrictSource: true,
		Clock: clock.Runtime(), Log: l.log.With("self", id),
		Wire: func(h transport.Handler) (transport.Wire, error) { return l.hub.Attach(addrOf(id), h), nil },
	}
	if l.rings[id] == nil {
		l.rings[id] = &memRing{}
	}
	cfg.Ring = l.rings[id]
	for n := messaging.NodeID(1); n <= messaging.NodeID(l.count); n++ {
		cfg.Nodes = append(cfg.Nodes, Node{ID: n, Name: fmt.Sprintf("node%d", n), Votes: 1, Addrs: map[int]netip.Addr{0: addrOf(n)}})
	}
	if l.tune != nil {
		l.tune(&cfg)
	}
	return cfg
}

func (l *lab) start(id messaging.NodeID) *labNode {
	l.t.Helper()
	e, err := New(l.config(id))
	if err != nil {
		l.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	n := &labNode{Engine: e, cancel: cancel, ended: make(chan error, 1), bus: e.Bus(uint32(id) * 100)}
	go func() { n.ended <- e.Run(ctx) }()
	l.nodes[id] = n
	return n
}

func (l *lab) startAll() {
	for id := messaging.NodeID(1); id <= messaging.NodeID(l.count); id++ {
		l.start(id)
	}
}

// stop ends a node in order and waits for it.
func (l *lab) stop(id messaging.NodeID) {
	l.t.Helper()
	n := l.nodes[id]
	n.cancel()
	if err := <-n.ended; err != nil {
		l.t.Errorf("node %d: %v", id, err)
	}
	delete(l.nodes, id)
}

func (l *lab) stopAll() {
	for id := messaging.NodeID(1); id <= messaging.NodeID(l.count); id++ {
		if l.nodes[id] != nil {
			l.stop(id)
		}
	}
}

// kill makes a node silent, as a power loss would, and ends it unheard.
func (l *lab) kill(id messaging.NodeID) {
	dead := addrOf(id)
	l.hub.SetDrop(func(src, dst netip.Addr) bool { return src == dead || dst == dead })
	l.stop(id)
}

// await waits until a node's view has these members and that quorum; it tells
// how long it took.
func (l *lab) await(id messaging.NodeID, quorate bool, members ...messaging.NodeID) time.Duration {
	l.t.Helper()
	begin := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	w, err := l.nodes[id].bus.WatchQuorum(ctx)
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

// read takes events of a group until f is content.
func read(t testing.TB, g messaging.Group, f func(messaging.Event) bool) {
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

func members(ev messaging.Event) int {
	if cc, ok := ev.(*messaging.ConfigChange); ok {
		return len(cc.Members)
	}
	return -1
}

func TestThreeNodesFormOrderAndSurviveADeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 3)
		l.startAll()
		defer l.stopAll()
		for id := messaging.NodeID(1); id <= 3; id++ {
			t.Logf("node %d: membership after %s", id, l.await(id, true, 1, 2, 3))
		}
		ctx := context.Background()
		var groups []messaging.Group
		for id := messaging.NodeID(1); id <= 3; id++ {
			g, err := l.nodes[id].bus.Join(ctx, "crmd")
			if err != nil {
				t.Fatal(err)
			}
			groups = append(groups, g)
		}
		for _, g := range groups {
			read(t, g, func(ev messaging.Event) bool { return members(ev) == 3 })
		}
		const each = 200
		var wg sync.WaitGroup
		for i, g := range groups {
			wg.Go(func() {
				for n := range each {
					if err := g.Multicast(ctx, fmt.Appendf(nil, "%d:%d", i, n)); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		var logs [3][]string
		for i, g := range groups {
			wg.Go(func() {
				read(t, g, func(ev messaging.Event) bool {
					if m, ok := ev.(*messaging.Message); ok {
						logs[i] = append(logs[i], string(m.Body))
					}
					return len(logs[i]) == 3*each
				})
			})
		}
		wg.Wait()
		for i := 1; i < 3; i++ {
			if fmt.Sprint(logs[i]) != fmt.Sprint(logs[0]) {
				t.Fatalf("orders of nodes 1 and %d differ", i+1)
			}
		}
		l.kill(3)
		took := l.await(1, true, 1, 2)
		t.Logf("death noticed after %s", took)
		if took > 1200*time.Millisecond {
			t.Errorf("death noticed after %s, want at most 1.2s", took)
		}
		read(t, groups[0], func(ev messaging.Event) bool {
			cc, ok := ev.(*messaging.ConfigChange)
			return ok && len(cc.Members) == 2 && len(cc.Left) == 1 && cc.Left[0].Reason == messaging.ReasonNodeDown
		})
	})
}

func TestCleanLeaveIsSeenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 3)
		l.startAll()
		defer l.stopAll()
		for id := messaging.NodeID(1); id <= 3; id++ {
			l.await(id, true, 1, 2, 3)
		}
		l.stop(2)
		if took := l.await(1, true, 1, 3); took > 100*time.Millisecond {
			t.Errorf("leave seen after %s", took)
		}
	})
}

func TestPartitionAndHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLab(t, 3)
		l.startAll()
		defer l.stopAll()
		l.await(1, true, 1, 2, 3)
		l.await(3, true, 1, 2, 3)
		cut := addrOf(3)
		l.hub.SetDrop(func(src, dst netip.Addr) bool { return (src == cut) != (dst == cut) })
		l.await(1, true, 1, 2)
		l.await(3, false, 3)
		l.hub.SetDrop(nil)
		took := l.await(3, true, 1, 2, 3)
		t.Logf("healed after %s", took)
		l.await(1, true, 1, 2, 3)
		if took > 3*time.Second {
			t.Errorf("healed after %s", took)
		}
	})
}

func TestWrongKeyStaysOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var text bytes.Buffer
		l := newLab(t, 3)
		l.log = slog.New(slog.NewTextHandler(&lockedWriter{mu: &mu, w: &text}, nil))
		l.tune = func(c *Config) {
			if c.Self == 3 {
				c.Key = testKey(t, 2)
			}
		}
		l.startAll()
		defer l.stopAll()
		l.await(1, true, 1, 2)
		l.await(3, false, 3)
		<-time.After(5 * time.Second) // of the bubble's time
		l.await(1, true, 1, 2)
		mu.Lock()
		defer mu.Unlock()
		if !bytes.Contains(text.Bytes(), []byte("reason=other_cluster")) || !bytes.Contains(text.Bytes(), []byte("authkey")) {
			t.Errorf("the log does not say why:\n%s", text.String())
		}
	})
}

type lockedWriter struct {
	mu *sync.Mutex
	w  *bytes.Buffer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
