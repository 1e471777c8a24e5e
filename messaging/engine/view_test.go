// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"crypto/rand"
	"log/slog"
	"net/netip"
	"slices"
	"testing"

	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/auth"
	"github.com/quorate/quorate/messaging/cpg"
	"github.com/quorate/quorate/messaging/link"
	"github.com/quorate/quorate/messaging/quorum"
	"github.com/quorate/quorate/messaging/totem"
	"github.com/quorate/quorate/messaging/transport"
)

type noRings struct{}

func (noRings) Load() (uint64, error) { return 0, nil }
func (noRings) Save(uint64) error     { return nil }

// A ring that is left before its votes were counted is not named with the members
// of the one before: a view of ring 8 of nodes 1 and 3 must not say "ring 8, node 1
// alone" at node 1 and "ring 8, node 3 alone" at node 3.
func TestAViewNamesTheRingThatItsVotesAreOf(t *testing.T) {
	key, err := auth.NewKey(make([]byte, 128), "view")
	if err != nil {
		t.Fatal(err)
	}
	tc := totem.DefaultConfig(1, 3)
	nodes := []Node{}
	for id := range messaging.NodeID(3) {
		nodes = append(nodes, Node{ID: id + 1, Votes: 1, Addrs: map[int]netip.Addr{0: netip.AddrFrom4([4]byte{127, 0, 0, byte(id + 1)})}})
	}
	e, err := New(Config{
		Self: 1, Nodes: nodes, Links: []Link{{Local: nodes[0].Addrs[0]}}, Totem: tc, Link: link.DefaultConfig(tc.Token),
		Quorum: quorum.Config{Self: 1, Votes: 1, ExpectedVotes: 3}, Key: key, Rand: rand.Reader, Clock: clock.Boottime(), Ring: noRings{},
		Wire: func(transport.Handler) (transport.Wire, error) { return nil, nil }, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	words := func(members ...messaging.NodeID) map[messaging.NodeID][]byte {
		out := map[messaging.NodeID][]byte{}
		for _, id := range members {
			if out[id], err = encodeExtra(extra{Info: quorum.Info{Votes: 1, Expected: 3}}); err != nil {
				t.Fatal(err)
			}
		}
		return out
	}
	view := func(when string, ring uint64, members ...messaging.NodeID) {
		t.Helper()
		v, _, _ := e.views.get()
		var got []messaging.NodeID
		for _, n := range v.Nodes {
			if n.Member {
				got = append(got, n.ID)
			}
		}
		if v.Ring.Seq != ring || !slices.Equal(got, members) {
			t.Errorf("%s: the view is of ring %v with %v, want ring %d with %v", when, v.Ring, got, ring, members)
		}
	}
	four, eight := messaging.RingID{Rep: 1, Seq: 4}, messaging.RingID{Rep: 1, Seq: 8}
	e.ring, e.ringSet = four, []messaging.NodeID{1}
	e.synced(&cpg.Synced{Ring: four, Members: e.ringSet, Extras: words(1)})
	view("alone", 4, 1)
	e.ring, e.ringSet = eight, []messaging.NodeID{1, 3}
	e.confChange(&totem.ConfChange{Kind: totem.Transitional, Ring: eight, Members: []messaging.NodeID{1, 3}})
	view("a ring whose votes were never counted ends", 4, 1)
	e.synced(&cpg.Synced{Ring: eight, Members: e.ringSet, Extras: words(1, 3)})
	view("its votes are counted", 8, 1, 3)
}
