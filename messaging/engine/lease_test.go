// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine_test

import (
	"context"
	"net/netip"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/conformance"
	"github.com/quorate/quorate/messaging/engine"
	"github.com/quorate/quorate/messaging/quorum"
)

// moments notes when a node's view changed.
type moments struct {
	mu  sync.Mutex
	all []moment // guarded by mu
}

type moment struct {
	at      time.Time
	quorate bool
	members int
}

func watchViews(ctx context.Context, n *conformance.Node) *moments {
	m := &moments{}
	w, err := n.Bus.WatchQuorum(ctx)
	if err != nil {
		return m
	}
	go func() {
		for {
			v, err := w.Next(ctx)
			if err != nil {
				return
			}
			count := 0
			for _, x := range v.Nodes {
				if x.Member {
					count++
				}
			}
			m.mu.Lock()
			m.all = append(m.all, moment{time.Now(), v.Quorate, count})
			m.mu.Unlock()
		}
	}()
	return m
}

// first finds the first moment from a time on that is so.
func (m *moments) first(from time.Time, so func(moment) bool) (moment, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.IndexFunc(m.all, func(x moment) bool { return !x.at.Before(from) && so(x) })
	if i < 0 {
		return moment{}, false
	}
	return m.all[i], true
}

// cutOff parts node 3 of three from the others and tells when it lost quorum and
// when the others had a view without it.
func cutOff(t *testing.T, lease time.Duration) (lost, acted time.Duration) {
	t.Helper()
	l := conformance.NewLab(t, 3)
	l.Tune = func(c *engine.Config) { c.Lease = lease }
	l.StartAll()
	defer l.StopAll()
	for id := messaging.NodeID(1); id <= 3; id++ {
		l.Await(id, true, 1, 2, 3)
	}
	time.Sleep(3 * time.Second) // the bubble's clock: the ring is idle
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	one, three := watchViews(ctx, l.Nodes[1]), watchViews(ctx, l.Nodes[3])
	synctest.Wait()
	cut := time.Now()
	alone := conformance.AddrOf(3)
	l.Hub.SetDrop(func(src, dst netip.Addr) bool { return (src == alone) != (dst == alone) })
	l.Await(3, false, 3)
	l.Await(1, true, 1, 2)
	synctest.Wait()
	x, ok := three.first(cut.Add(1), func(m moment) bool { return !m.quorate })
	y, there := one.first(cut.Add(1), func(m moment) bool { return m.quorate && m.members == 2 })
	if !ok || !there {
		t.Fatalf("node 3: %+v, node 1: %+v", three.all, one.all)
	}
	return x.at.Sub(cut), y.at.Sub(cut)
}

// TestWithALeaseTheLostNodeStopsBeforeTheOthersAct: the hole between a partition
// and the loss of quorum is closed.
func TestWithALeaseTheLostNodeStopsBeforeTheOthersAct(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, lease := range []time.Duration{700 * time.Millisecond, 1200 * time.Millisecond, 3 * time.Second} {
			lost, acted := cutOff(t, lease)
			t.Logf("lease %v: node 3 lost quorum after %v, the others acted after %v", lease, lost, acted)
			if lost > acted {
				t.Errorf("lease %v: node 3 was quorate until %v after the cut, the others acted from %v on", lease, lost, acted)
			}
		}
	})
}

// An idle ring keeps its lease, and a node that comes and goes in good order does
// not wait for it.
func TestALeaseDoesNotDisturb(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := conformance.NewLab(t, 3)
		l.Tune = func(c *engine.Config) { c.Lease = 900 * time.Millisecond }
		l.StartAll()
		defer l.StopAll()
		for id := messaging.NodeID(1); id <= 3; id++ {
			l.Await(id, true, 1, 2, 3)
		}
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		m := watchViews(ctx, l.Nodes[1])
		time.Sleep(time.Minute) // the bubble's clock
		if x, bad := m.first(time.Time{}, func(m moment) bool { return !m.quorate }); bad {
			t.Errorf("an idle ring lost its lease: %+v", x)
		}
		l.Stop(3)
		if d := l.Await(1, true, 1, 2); d > 200*time.Millisecond {
			t.Errorf("a leave in good order took %v", d)
		}
	})
}

// asked is a device that keeps what it is asked and answers when it is told to.
type asked struct {
	views chan engine.ArbiterView
	poll  chan engine.Poll
}

func (a *asked) Observe(v engine.ArbiterView)   { a.views <- v }
func (a *asked) Entries() []messaging.CmapEntry { return nil }
func (a *asked) Run(ctx context.Context, poll engine.Poll) error {
	a.poll <- poll
	<-ctx.Done()
	return nil
}

// TestAChangeWaitsForTheDeviceWhereItDecides: the survivor of two nodes sees
// nothing of the change until the device has spoken, or was silent for too long.
func TestAChangeWaitsForTheDeviceWhereItDecides(t *testing.T) {
	for _, tc := range []struct {
		name    string
		answers bool
		cast    bool
		want    bool
	}{{"yes", true, true, true}, {"no", true, false, false}, {"silence", false, false, false}} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				devices := map[messaging.NodeID]*asked{}
				l := conformance.NewLab(t, 2)
				l.Tune = func(c *engine.Config) {
					d := &asked{make(chan engine.ArbiterView, 1000), make(chan engine.Poll, 1)}
					devices[c.Self] = d
					c.Quorum.Device = quorum.Device{Name: "Qdevice", Votes: 1}
					c.Quorum.ExpectedVotes = 3
					c.Device = engine.DeviceConfig{Arbiter: d, Timeout: time.Hour, SyncTimeout: 20 * time.Second}
				}
				l.StartAll()
				defer l.StopAll()
				l.Await(1, true, 1, 2)
				ctx := context.Background()
				poll := <-devices[1].poll
				s, err := l.Nodes[1].Bus.Status(ctx)
				if err != nil {
					t.Fatal(err)
				}
				if err := poll(ctx, s.View.Ring, true); err != nil {
					t.Fatal(err)
				}
				m := watchViews(ctx, l.Nodes[1])
				synctest.Wait()
				cut := time.Now()
				l.Hub.SetDrop(func(src, dst netip.Addr) bool { return src != dst })
				time.Sleep(10 * time.Second) // the bubble's clock: long after the ring has changed
				if x, ok := m.first(cut.Add(1), func(moment) bool { return true }); ok {
					t.Fatalf("the change shows before the device has spoken: %+v", x)
				}
				var ring messaging.RingID
				for len(devices[1].views) > 0 {
					ring = (<-devices[1].views).Ring
				}
				if tc.answers {
					if err := poll(ctx, ring, tc.cast); err != nil {
						t.Fatal(err)
					}
				}
				d := l.Await(1, tc.want, 1)
				if tc.answers && d > time.Second || !tc.answers && d < 5*time.Second {
					t.Errorf("it took %v", d)
				}
			})
		})
	}
}

// stuck is a device that keeps the engine's turn, as a machine that does not
// run it would.
type stuck struct{ hold chan chan struct{} }

func (s *stuck) Entries() []messaging.CmapEntry               { return nil }
func (s *stuck) Run(ctx context.Context, _ engine.Poll) error { <-ctx.Done(); return nil }
func (s *stuck) Observe(engine.ArbiterView) {
	select {
	case until := <-s.hold:
		<-until
	default:
	}
}

// A daemon that was stopped does not call itself quorate when it is asked before
// it has noticed.
func TestAStoppedDaemonIsNotQuorateWhenItWakes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &stuck{make(chan chan struct{}, 1)}
		l := conformance.NewLab(t, 2)
		l.Tune = func(c *engine.Config) {
			c.Lease = 900 * time.Millisecond
			c.Quorum.ExpectedVotes = 2
			if c.Self == 1 {
				c.Device = engine.DeviceConfig{Arbiter: s, Timeout: time.Hour, SyncTimeout: time.Second}
			}
		}
		l.StartAll()
		defer l.StopAll()
		l.Await(1, true, 1, 2)
		now := func() bool {
			w, err := l.Nodes[1].Bus.WatchQuorum(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = w.Close() }()
			v, err := w.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return v.Quorate
		}
		until := make(chan struct{})
		s.hold <- until
		go func() { _ = l.Nodes[1].Bus.SetExpectedVotes(t.Context(), 2) }() // makes it observe
		time.Sleep(500 * time.Millisecond)                                  // the bubble's clock
		if !now() {
			t.Error("not quorate within the lease")
		}
		time.Sleep(time.Second)
		if now() {
			t.Error("quorate after the lease, though nobody renewed it")
		}
		close(until)
		l.Await(1, true, 1, 2)
	})
}
