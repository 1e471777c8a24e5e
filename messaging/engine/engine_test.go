// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

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
		if took > 1200*time.Millisecond {
			t.Errorf("death noticed after %s, want at most 1.2s", took)
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
