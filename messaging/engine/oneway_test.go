// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine_test

import (
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/conformance"
)

// One direction between two nodes stops working, though both reach the third.
// The two of lower ids stay quorate together, and nothing moves any more; when
// the direction works again all are one ring.
func TestAOneWayCutEndsInOneQuorateRing(t *testing.T) {
	for _, cut := range [][2]messaging.NodeID{{1, 3}, {3, 1}} {
		synctest.Test(t, func(t *testing.T) {
			l := conformance.NewLab(t, 3)
			l.StartAll()
			defer l.StopAll()
			for id := messaging.NodeID(1); id <= 3; id++ {
				l.Await(id, true, 1, 2, 3)
			}
			from, to := conformance.AddrOf(cut[0]), conformance.AddrOf(cut[1])
			l.Hub.SetDrop(func(src, dst netip.Addr) bool { return src == from && dst == to })
			<-time.After(10 * time.Second)
			l.Await(1, true, 1, 2)
			l.Await(2, true, 1, 2)
			l.Await(3, false, 3)
			before, err := l.Nodes[1].Bus.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			<-time.After(2 * time.Minute)
			l.Await(1, true, 1, 2)
			after, err := l.Nodes[1].Bus.Status(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if before.View.Ring != after.View.Ring {
				t.Errorf("cut %v: the ring went from %v to %v meanwhile", cut, before.View.Ring, after.View.Ring)
			}
			l.Hub.SetDrop(nil)
			if took := l.Await(3, true, 1, 2, 3); took > 2*time.Second {
				t.Errorf("cut %v: healed after %v", cut, took)
			}
		})
	}
}
