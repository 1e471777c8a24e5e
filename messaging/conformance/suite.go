// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/quorate/quorate/messaging"
)

// A Bus is a bus with its administration.
type Bus interface {
	messaging.Bus
	messaging.Admin
}

// Run checks a form of the bus. open gives a new client of node 1 or 2 of a
// quorate cluster of these two.
func Run(t *testing.T, open func(t *testing.T, node messaging.NodeID) Bus) {
	for _, c := range []struct {
		name string
		run  func(*testing.T, func(*testing.T, messaging.NodeID) Bus)
	}{
		{"first event is the change that contains the caller", firstEvent},
		{"messages and changes are one order at all members", oneOrder},
		{"a message of the largest size passes", largest},
		{"leave and close have their reasons", reasons},
		{"bad arguments are refused", badArguments},
		{"quorum watch gives the present view first", watchQuorum},
		{"expected votes change on all nodes", expectedVotes},
		{"status and map describe the node", status},
		{"contexts end calls", contexts},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open) })
	}
}

func join(t *testing.T, b Bus, group string) messaging.Group {
	t.Helper()
	g, err := b.Join(t.Context(), group)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func firstEvent(t *testing.T, open func(*testing.T, messaging.NodeID) Bus) {
	g := join(t, open(t, 1), "first")
	ev, err := g.Next(t.Context())
	cc, ok := ev.(*messaging.ConfigChange)
	if err != nil || !ok {
		t.Fatalf("first event %v, %v", ev, err)
	}
	if len(cc.Members) != 1 || cc.Members[0] != g.Self() || len(cc.Joined) != 1 || cc.Joined[0] != (messaging.MemberChange{Member: g.Self(), Reason: messaging.ReasonJoin}) {
		t.Errorf("first change %+v of %v", cc, g.Self())
	}
	if cc.Ring.Rep != 1 || cc.Ring.Seq == 0 {
		t.Errorf("ring %v", cc.Ring)
	}
}

func oneOrder(t *testing.T, open func(*testing.T, messaging.NodeID) Bus) {
	const each = 300
	gs := []messaging.Group{join(t, open(t, 1), "order"), join(t, open(t, 1), "order"), join(t, open(t, 2), "order")}
	for _, g := range gs {
		Read(t, g, func(ev messaging.Event) bool { return Members(ev) == len(gs) })
	}
	var wg sync.WaitGroup
	logs := make([]strings.Builder, len(gs))
	for i, g := range gs {
		wg.Go(func() {
			for n := range each {
				if err := g.Multicast(t.Context(), fmt.Appendf(nil, "%d.%d", i, n)); err != nil {
					t.Error(err)
					return
				}
			}
		})
		wg.Go(func() {
			n := 0
			Read(t, g, func(ev messaging.Event) bool {
				if m, ok := ev.(*messaging.Message); ok {
					fmt.Fprintf(&logs[i], "%v %s\n", m.From, m.Body)
					n++
				}
				return n == each*len(gs)
			})
		})
	}
	wg.Wait()
	for i := range logs {
		if logs[i].String() != logs[0].String() {
			t.Errorf("members 0 and %d saw different orders", i)
		}
		last := -1
		for line := range strings.Lines(logs[0].String()) {
			var node, client, from, n int
			if _, err := fmt.Sscanf(line, "{%d %d} %d.%d", &node, &client, &from, &n); err == nil && from == i {
				if n != last+1 {
					t.Fatalf("sender %d: %d after %d", i, n, last)
				}
				last = n
			}
		}
	}
}

func largest(t *testing.T, open func(*testing.T, messaging.NodeID) Bus) {
	a, b := join(t, open(t, 1), "large"), join(t, open(t, 2), "large")
	Read(t, a, func(ev messaging.Event) bool { return Members(ev) == 2 })
	Read(t, b, func(ev messaging.Event) bool { return Members(ev) == 2 })
	size := messaging.MaxMessage
	if testing.Short() {
		size = 3 << 20
	}
	body := bytes.Repeat([]byte("0123456789abcde"), size/15+1)[:size]
	if err := a.Multicast(t.Context(), body); err != nil {
		t.Fatal(err)
	}
	for _, g := range []messaging.Group{a, b} {
		Read(t, g, func(ev messaging.Event) bool {
			m, ok := ev.(*messaging.Message)
			if ok && !bytes.Equal(m.Body, body) {
				t.Fatalf("%d bytes came of %d", len(m.Body), len(body))
			}
			return ok
		})
	}
	if err := a.Multicast(t.Context(), make([]byte, messaging.MaxMessage+1)); !errors.Is(err, messaging.ErrTooBig) {
		t.Errorf("too big a message: %v", err)
	}
}

func reasons(t *testing.T, open func(*testing.T, messaging.NodeID) Bus) {
	seer := join(t, open(t, 1), "reasons")
	leaver := join(t, open(t, 2), "reasons")
	closing := open(t, 2)
	closer := join(t, closing, "reasons")
	Read(t, seer, func(ev messaging.Event) bool { return Members(ev) == 3 })
	if err := leaver.Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	wantLeft(t, seer, leaver.Self(), messaging.ReasonLeave)
	if err := closing.Close(); err != nil {
		t.Fatal(err)
	}
	wantLeft(t, seer, closer.Self(), messaging.ReasonProcDown)
	for _, g := range []messaging.Group{leaver, closer} {
		for {
			_, err := g.Next(t.Context())
			if errors.Is(err, messaging.ErrClosed) {
				break
			}
			if err != nil {
				t.Fatalf("next after the end: %v", err)
			}
		}
		if err := g.Multicast(t.Context(), []byte("x")); !errors.Is(err, messaging.ErrClosed) {
			t.Errorf("multicast after the end: %v", err)
		}
	}
}

func wantLeft(t *testing.T, g messaging.Group, who messaging.MemberID, why messaging.Reason) {
	t.Helper()
	Read(t, g, func(ev messaging.Event) bool {
		cc, ok := ev.(*messaging.ConfigChange)
		if !ok || len(cc.Left) == 0 {
			return false
		}
		if cc.Left[0] != (messaging.MemberChange{Member: who, Reason: why}) {
			t.Errorf("left %+v, want %v for reason %d", cc.Left, who, why)
		}
		return true
	})
}

func badArguments(t *testing.T, open func(*testing.T, messaging.NodeID) Bus) {
	b := open(t, 1)
	for _, name := range []string{"", strings.Repeat("x", 129)} {
		if _, err := b.Join(t.Context(), name); !errors.Is(err, messaging.ErrInvalid) {
			t.Errorf("join a group with a name of %d bytes: %v", len(name), err)
		}
	}
	if err := b.SetExpectedVotes(t.Context(), 1); !errors.Is(err, messaging.ErrInvalid) {
		t.Errorf("expected votes below those present: %v", err)
	}
	if err := b.SetCmap(t.Context(), messaging.CmapEntry{Key: "a b", Type: "str"}); !errors.Is(err, messaging.ErrInvalid) {
		t.Errorf("set a bad key: %v", err)
	}
}

func watchQuorum(t *testing.T, open func(*testing.T, messaging.NodeID) Bus) {
	w, err := open(t, 2).WatchQuorum(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	v, err := w.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !v.Quorate || v.Self != 2 || v.TotalVotes != 2 || v.Quorum != 2 || len(v.Nodes) != 2 || v.Nodes[0].Name != "node1" || !v.Nodes[1].Member {
		t.Errorf("view %+v", v)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func expectedVotes(t *testing.T, open func(*testing.T, messaging.NodeID) Bus) {
	a, b := open(t, 1), open(t, 2)
	w, err := b.WatchQuorum(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for _, votes := range []uint32{3, 2} {
		if err := a.SetExpectedVotes(t.Context(), votes); err != nil {
			t.Fatal(err)
		}
		for {
			v, err := w.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if v.ExpectedVotes == votes {
				break
			}
		}
	}
}

func status(t *testing.T, open func(*testing.T, messaging.NodeID) Bus) {
	b := open(t, 1)
	s, err := b.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if s.Self != 1 || s.Name != "node1" || s.State != "operational" || len(s.Links) != 1 || s.Links[0].Peer != 2 || !s.Links[0].Connected {
		t.Errorf("status %+v", s)
	}
	es, err := b.Cmap(t.Context(), "runtime.members.2.status")
	if err != nil || len(es) != 1 || es[0] != (messaging.CmapEntry{Key: "runtime.members.2.status", Type: "str", Value: "joined"}) {
		t.Errorf("map: %v, %v", es, err)
	}
	if es, err = b.Cmap(t.Context(), "stats.srp."); err != nil || len(es) < 5 {
		t.Errorf("statistics: %v, %v", es, err)
	}
	g := join(t, b, "listed")
	Read(t, g, func(ev messaging.Event) bool { return Members(ev) == 1 })
	gs, err := b.Groups(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, info := range gs {
		found = found || info.Name == "listed" && len(info.Members) == 1 && info.Members[0].ID == g.Self() && info.Members[0].PID != 0
	}
	if !found {
		t.Errorf("groups %+v", gs)
	}
}

func contexts(t *testing.T, open func(*testing.T, messaging.NodeID) Bus) {
	b := open(t, 1)
	g := join(t, b, "contexts")
	Read(t, g, func(ev messaging.Event) bool { return Members(ev) == 1 })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := g.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("next: %v", err)
	}
	w, err := b.WatchQuorum(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	if _, err := w.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Next(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("watch: %v", err)
	}
	// The group is unharmed.
	if err := g.Multicast(t.Context(), []byte("x")); err != nil {
		t.Fatal(err)
	}
	Read(t, g, func(ev messaging.Event) bool { _, ok := ev.(*messaging.Message); return ok })
}
