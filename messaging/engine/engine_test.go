// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/conformance"
	"github.com/quorate/quorate/messaging/engine"
)

func TestThreeNodesFormOrderAndSurviveADeath(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := conformance.NewLab(t, 3)
		l.StartAll()
		defer l.StopAll()
		for id := messaging.NodeID(1); id <= 3; id++ {
			t.Logf("node %d: membership after %s", id, l.Await(id, true, 1, 2, 3))
		}
		ctx := context.Background()
		var groups []messaging.Group
		for id := messaging.NodeID(1); id <= 3; id++ {
			g, err := l.Nodes[id].Bus.Join(ctx, "crmd")
			if err != nil {
				t.Fatal(err)
			}
			groups = append(groups, g)
		}
		for _, g := range groups {
			conformance.Read(t, g, func(ev messaging.Event) bool { return conformance.Members(ev) == 3 })
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
				conformance.Read(t, g, func(ev messaging.Event) bool {
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
		l.Kill(3)
		took := l.Await(1, true, 1, 2)
		t.Logf("death noticed after %s", took)
		if took > 1400*time.Millisecond {
			t.Errorf("death noticed after %s, want at most 1.4s", took)
		}
		conformance.Read(t, groups[0], func(ev messaging.Event) bool {
			cc, ok := ev.(*messaging.ConfigChange)
			return ok && len(cc.Members) == 2 && len(cc.Left) == 1 && cc.Left[0].Reason == messaging.ReasonNodeDown
		})
	})
}

func TestCleanLeaveIsSeenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := conformance.NewLab(t, 3)
		l.StartAll()
		defer l.StopAll()
		for id := messaging.NodeID(1); id <= 3; id++ {
			l.Await(id, true, 1, 2, 3)
		}
		l.Stop(2)
		if took := l.Await(1, true, 1, 3); took > 100*time.Millisecond {
			t.Errorf("leave seen after %s", took)
		}
	})
}

func TestPartitionAndHeal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := conformance.NewLab(t, 3)
		l.StartAll()
		defer l.StopAll()
		l.Await(1, true, 1, 2, 3)
		l.Await(3, true, 1, 2, 3)
		cut := conformance.AddrOf(3)
		l.Hub.SetDrop(func(src, dst netip.Addr) bool { return (src == cut) != (dst == cut) })
		l.Await(1, true, 1, 2)
		l.Await(3, false, 3)
		l.Hub.SetDrop(nil)
		took := l.Await(3, true, 1, 2, 3)
		t.Logf("healed after %s", took)
		l.Await(1, true, 1, 2, 3)
		if took > 3*time.Second {
			t.Errorf("healed after %s", took)
		}
	})
}

func TestWrongKeyStaysOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var text bytes.Buffer
		l := conformance.NewLab(t, 3)
		l.Log = slog.New(slog.NewTextHandler(&lockedWriter{mu: &mu, w: &text}, nil))
		l.Tune = func(c *engine.Config) {
			if c.Self == 3 {
				c.Key = conformance.TestKey(t, 2)
			}
		}
		l.StartAll()
		defer l.StopAll()
		l.Await(1, true, 1, 2)
		l.Await(3, false, 3)
		<-time.After(5 * time.Second) // of the bubble's time
		l.Await(1, true, 1, 2)
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

func TestBusConformsInProcess(t *testing.T) {
	l := conformance.NewLab(t, 2)
	l.StartAll()
	t.Cleanup(l.StopAll)
	l.Await(1, true, 1, 2)
	l.Await(2, true, 1, 2)
	conformance.Run(t, func(t *testing.T, node messaging.NodeID) conformance.Bus {
		b := l.Nodes[node].Engine.Bus(4711)
		t.Cleanup(func() { _ = b.Close() })
		return b
	})
}

// TestReaderThatDoesNotReadIsCutOff: the others go on, and the group sees it go.
func TestReaderThatDoesNotReadIsCutOff(t *testing.T) {
	l := conformance.NewLab(t, 1)
	l.StartAll()
	t.Cleanup(l.StopAll)
	l.Await(1, true, 1)
	ctx := t.Context()
	sender, err := l.Nodes[1].Bus.Join(ctx, "g")
	if err != nil {
		t.Fatal(err)
	}
	sleeper, err := l.Nodes[1].Bus.Join(ctx, "g")
	if err != nil {
		t.Fatal(err)
	}
	conformance.Read(t, sender, func(ev messaging.Event) bool { return conformance.Members(ev) == 2 })
	body := make([]byte, 8<<20)
	cut := make(chan struct{})
	go func() {
		defer close(cut)
		conformance.Read(t, sender, func(ev messaging.Event) bool {
			cc, ok := ev.(*messaging.ConfigChange)
			return ok && len(cc.Left) == 1 && cc.Left[0] == messaging.MemberChange{Member: sleeper.Self(), Reason: messaging.ReasonProcDown}
		})
	}()
	for sent := 0; ; sent++ {
		select {
		case <-cut:
			if _, err := sleeper.Next(ctx); !errors.Is(err, messaging.ErrCutOff) && !errors.Is(err, messaging.ErrClosed) {
				t.Errorf("the sleeper wakes with %v", err)
			}
			return
		default:
		}
		if sent > 200 {
			t.Fatal("nobody was cut off")
		}
		if err := sender.Multicast(ctx, body); err != nil {
			t.Fatal(err)
		}
	}
}

// TestOneOfTwoLinksMayDie: the membership stays, traffic takes the other link.
func TestOneOfTwoLinksMayDie(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := conformance.NewLab(t, 2)
		l.Tune = func(c *engine.Config) {
			c.Links = append(c.Links, engine.Link{Number: 1, Local: second(c.Self), Port: 5406})
			for i := range c.Nodes {
				c.Nodes[i].Addrs[1] = second(c.Nodes[i].ID)
			}
		}
		l.TwoLinks(second)
		l.StartAll()
		defer l.StopAll()
		l.Await(1, true, 1, 2)
		l.Await(2, true, 1, 2)
		first := conformance.AddrOf(2)
		l.Hub.SetDrop(func(src, dst netip.Addr) bool { return src == first || dst == first })
		g, err := l.Nodes[1].Bus.Join(t.Context(), "g")
		if err != nil {
			t.Fatal(err)
		}
		<-time.After(3 * time.Second) // of the bubble's time
		if err := g.Multicast(t.Context(), []byte("x")); err != nil {
			t.Fatal(err)
		}
		conformance.Read(t, g, func(ev messaging.Event) bool { _, ok := ev.(*messaging.Message); return ok })
		l.Await(1, true, 1, 2)
		s, err := l.Nodes[1].Bus.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Links) != 2 || s.Links[0].Connected || !s.Links[1].Connected {
			t.Errorf("links %+v", s.Links)
		}
		es, err := l.Nodes[1].Bus.Cmap(t.Context(), "stats.srp.operational_entered")
		if err != nil || len(es) != 1 || es[0].Value > "2" {
			t.Errorf("rings formed: %v, %v", es, err)
		}
	})
}

func second(id messaging.NodeID) netip.Addr { return netip.AddrFrom4([4]byte{127, 0, 10, byte(id)}) }

func TestRestartedNodeComesBackWithANewRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := conformance.NewLab(t, 2)
		l.StartAll()
		defer l.StopAll()
		l.Await(1, true, 1, 2)
		g, err := l.Nodes[1].Bus.Join(t.Context(), "g")
		if err != nil {
			t.Fatal(err)
		}
		old, err := l.Nodes[2].Bus.Join(t.Context(), "g")
		if err != nil {
			t.Fatal(err)
		}
		conformance.Read(t, g, func(ev messaging.Event) bool { return conformance.Members(ev) == 2 })
		l.Kill(2)
		l.Hub.SetDrop(nil)
		l.Start(2) // before its death is noticed
		l.Await(2, true, 1, 2)
		fresh, err := l.Nodes[2].Bus.Join(t.Context(), "g")
		if err != nil {
			t.Fatal(err)
		}
		gone := false
		conformance.Read(t, g, func(ev messaging.Event) bool {
			cc, ok := ev.(*messaging.ConfigChange)
			if !ok {
				return false
			}
			for _, c := range cc.Left {
				gone = gone || c.Member == old.Self() && c.Reason == messaging.ReasonNodeDown
			}
			return len(cc.Members) == 2 && cc.Members[1] == fresh.Self()
		})
		if !gone {
			t.Error("the old member of the restarted node never left")
		}
		if fresh.Self() == old.Self() {
			t.Error("a member id was used twice")
		}
	})
}

// TestNodesWithoutANodelistLearnTheirNames: any node with the key may come, and
// says what it is called.
func TestNodesWithoutANodelistLearnTheirNames(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := conformance.NewLab(t, 2)
		l.Tune = func(c *engine.Config) {
			c.Nodes = nil
			c.Links[0].Group = true
		}
		l.StartAll()
		defer l.StopAll()
		l.Await(1, true, 1, 2)
		s, err := l.Nodes[1].Bus.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(s.View.Nodes) != 2 || s.View.Nodes[1].Name != "node2" || s.View.Nodes[1].Addr != conformance.AddrOf(2).String() {
			t.Errorf("nodes %+v", s.View.Nodes)
		}
	})
}

func TestMetricsDescribeTheNode(t *testing.T) {
	l := conformance.NewLab(t, 2)
	l.StartAll()
	t.Cleanup(l.StopAll)
	l.Await(1, true, 1, 2)
	reg := prometheus.NewPedanticRegistry()
	if err := reg.Register(l.Nodes[1].Collector()); err != nil {
		t.Fatal(err)
	}
	fams, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range fams {
		m := f.GetMetric()[0]
		got[f.GetName()] = m.GetGauge().GetValue() + m.GetCounter().GetValue()
	}
	for name, want := range map[string]float64{"quorate_ring_members": 2, "quorate_quorum_quorate": 1, "quorate_link_up": 1, "quorate_messaging_packets_refused_total": 0} {
		if v, ok := got[name]; !ok || v != want {
			t.Errorf("%s is %v (%v), want %v", name, v, ok, want)
		}
	}
	if len(got) != 34 {
		t.Errorf("%d metrics, want one for each description", len(got))
	}
}
