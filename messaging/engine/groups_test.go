// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine_test

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/conformance"
)

const manyGroups = 5000

// joinMany makes a node a member of many groups.
func joinMany(t testing.TB, l *conformance.Lab, id messaging.NodeID) []messaging.Group {
	t.Helper()
	out := make([]messaging.Group, manyGroups)
	for i := range out {
		g, err := l.Nodes[id].Bus.Join(t.Context(), fmt.Sprintf("group %d", i))
		if err != nil {
			t.Fatal(err)
		}
		out[i] = g
	}
	return out
}

// one expects exactly one event of each group, which f judges.
func one(t testing.TB, groups []messaging.Group, f func(messaging.Event) bool) {
	t.Helper()
	for i, g := range groups {
		ev, err := g.Next(t.Context())
		if err != nil || !f(ev) {
			t.Fatalf("group %d: %+v, %v", i, ev, err)
		}
	}
}

// changed tells whether an event is a change to so many members, by one that
// came or went for that reason.
func changed(ev messaging.Event, members int, joined, left messaging.Reason) bool {
	cc, ok := ev.(*messaging.ConfigChange)
	if !ok || len(cc.Members) != members {
		return false
	}
	reason := func(cs []messaging.MemberChange) messaging.Reason {
		if len(cs) == 1 {
			return cs[0].Reason
		}
		return messaging.Reason(len(cs)) * 100
	}
	return reason(cc.Joined) == joined && reason(cc.Left) == left
}

// TestFiveThousandGroups: joins, messages, the death of a node and its return in
// 5,000 groups of three members, with one change of each group for each.
func TestFiveThousandGroups(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := conformance.NewLab(t, 3)
		l.StartAll()
		defer l.StopAll()
		for id := messaging.NodeID(1); id <= 3; id++ {
			l.Await(id, true, 1, 2, 3)
		}
		groups := map[messaging.NodeID][]messaging.Group{}
		for id := messaging.NodeID(1); id <= 3; id++ {
			groups[id] = joinMany(t, l, id)
			for before := messaging.NodeID(1); before <= id; before++ {
				one(t, groups[before], func(ev messaging.Event) bool { return changed(ev, int(id), messaging.ReasonJoin, 0) })
			}
		}
		for i, g := range groups[2] {
			if err := g.Multicast(t.Context(), fmt.Appendf(nil, "%d", i)); err != nil {
				t.Fatal(err)
			}
		}
		for id := messaging.NodeID(1); id <= 3; id++ {
			n := 0
			one(t, groups[id], func(ev messaging.Event) bool {
				m, ok := ev.(*messaging.Message)
				n++
				return ok && m.From.Node == 2 && string(m.Body) == fmt.Sprint(n-1)
			})
		}
		begin := time.Now()
		l.Kill(3)
		for id := messaging.NodeID(1); id <= 2; id++ {
			one(t, groups[id], func(ev messaging.Event) bool { return changed(ev, 2, 0, messaging.ReasonNodeDown) })
		}
		if took := time.Since(begin); took > 2*time.Second {
			t.Errorf("the death is known to all groups after %s", took)
		}
		l.Hub.SetDrop(nil)
		l.Start(3)
		l.Await(3, true, 1, 2, 3)
		back := joinMany(t, l, 3)
		for id := messaging.NodeID(1); id <= 2; id++ {
			one(t, groups[id], func(ev messaging.Event) bool { return changed(ev, 3, messaging.ReasonJoin, 0) })
		}
		one(t, back, func(ev messaging.Event) bool { return changed(ev, 3, messaging.ReasonJoin, 0) })
		// Parted and met again: gone and come for the reason of the node.
		cut := conformance.AddrOf(3)
		l.Hub.SetDrop(func(src, dst netip.Addr) bool { return (src == cut) != (dst == cut) })
		l.Await(3, false, 3)
		l.Await(1, true, 1, 2)
		one(t, back, func(ev messaging.Event) bool {
			cc, ok := ev.(*messaging.ConfigChange)
			return ok && len(cc.Members) == 1 && len(cc.Left) == 2 && cc.Left[0].Reason == messaging.ReasonNodeDown
		})
		l.Hub.SetDrop(nil)
		l.Await(1, true, 1, 2, 3)
		one(t, groups[1], func(ev messaging.Event) bool { return changed(ev, 2, 0, messaging.ReasonNodeDown) })
		one(t, groups[1], func(ev messaging.Event) bool { return changed(ev, 3, messaging.ReasonNodeUp, 0) })
	})
}

// TestSlowReaderIsCutOffAndNobodyWaitsForIt: of two members on another node one
// does not read. The sender and the other member are not held up for a moment,
// and the group is told that the sleeper's process is gone.
func TestSlowReaderIsCutOffAndNobodyWaitsForIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := conformance.NewLab(t, 2)
		l.StartAll()
		defer l.StopAll()
		l.Await(1, true, 1, 2)
		l.Await(2, true, 1, 2)
		join := func(id messaging.NodeID) messaging.Group {
			g, err := l.Nodes[id].Bus.Join(t.Context(), "g")
			if err != nil {
				t.Fatal(err)
			}
			return g
		}
		sender, reader, sleeper := join(1), join(2), join(2)
		conformance.Read(t, sender, func(ev messaging.Event) bool { return conformance.Members(ev) == 3 })
		conformance.Read(t, reader, func(ev messaging.Event) bool { return conformance.Members(ev) == 3 })
		const count = 150_000 // more than a queue holds
		var wg sync.WaitGroup
		wg.Go(func() {
			for n := range count {
				if err := sender.Multicast(t.Context(), fmt.Appendf(nil, "%d", n)); err != nil {
					t.Error(err)
					return
				}
			}
		})
		follow := func(g messaging.Group, who string) {
			next, gone := 0, false
			for next < count || !gone {
				ev, err := g.Next(t.Context())
				if err != nil {
					t.Errorf("%s: %v", who, err)
					return
				}
				switch ev := ev.(type) {
				case *messaging.Message:
					if string(ev.Body) != fmt.Sprint(next) {
						t.Errorf("%s: message %q, want %d", who, ev.Body, next)
						return
					}
					next++
				case *messaging.ConfigChange:
					gone = changed(ev, 2, 0, messaging.ReasonProcDown) && ev.Left[0].Member == sleeper.Self()
					if !gone || next == 0 || next == count {
						t.Errorf("%s: after %d messages %+v", who, next, ev)
					}
				}
			}
		}
		begin := time.Now()
		wg.Go(func() { follow(sender, "sender") })
		wg.Go(func() { follow(reader, "reader") })
		wg.Wait()
		t.Logf("%d messages in %s of the bubble's time", count, time.Since(begin))
		if _, err := sleeper.Next(t.Context()); !errors.Is(err, messaging.ErrCutOff) {
			t.Errorf("the sleeper wakes with %v", err)
		}
		if err := sleeper.Multicast(t.Context(), []byte("x")); !errors.Is(err, messaging.ErrCutOff) {
			t.Errorf("the sleeper sends: %v", err)
		}
		join(2) // anew
		conformance.Read(t, sender, func(ev messaging.Event) bool { return changed(ev, 3, messaging.ReasonJoin, 0) })
	})
}

// BenchmarkManyGroups measures joins, and messages spread over 5,000 groups, of
// one node on a network within the process.
func BenchmarkManyGroups(b *testing.B) {
	l := conformance.NewLab(b, 1)
	l.StartAll()
	defer l.StopAll()
	l.Await(1, true, 1)
	begin := time.Now()
	groups := joinMany(b, l, 1)
	one(b, groups, func(ev messaging.Event) bool { return conformance.Members(ev) == 1 })
	joins := manyGroups / time.Since(begin).Seconds()
	body := make([]byte, 100)
	b.ResetTimer()
	for n := 0; n < b.N; n += manyGroups {
		part := groups[:min(manyGroups, b.N-n)]
		for _, g := range part {
			if err := g.Multicast(b.Context(), body); err != nil {
				b.Fatal(err)
			}
		}
		one(b, part, func(ev messaging.Event) bool { _, ok := ev.(*messaging.Message); return ok })
	}
	b.ReportMetric(joins, "joins/s")
}
