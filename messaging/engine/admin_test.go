// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine_test

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/conformance"
)

func TestKilledNodeEndsAndTheOthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := conformance.NewLab(t, 3)
		l.StartAll()
		defer l.StopAll()
		l.Await(1, true, 1, 2, 3)
		l.Await(2, true, 1, 2, 3)
		if err := l.Nodes[1].Bus.KillNode(t.Context(), 7); !errors.Is(err, messaging.ErrNoNode) {
			t.Errorf("a node that is no member: %v", err)
		}
		if err := l.Nodes[1].Bus.KillNode(t.Context(), 2); err != nil {
			t.Fatal(err)
		}
		<-l.Nodes[2].Done()
		delete(l.Nodes, 2)
		l.Await(1, true, 1, 3)
		l.Await(3, true, 1, 3)
	})
}

func TestKeysThatFollowTheConfigurationAreReadOnly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := conformance.NewLab(t, 1)
		l.StartAll()
		defer l.StopAll()
		l.Await(1, true, 1)
		bus := l.Nodes[1].Bus
		for _, key := range []string{"totem.token", "nodelist.node.0.nodeid", "runtime.votequorum.two_node", "stats.srp.mcast_tx"} {
			if err := bus.SetCmap(t.Context(), messaging.CmapEntry{Key: key, Type: "u32", Value: "1"}); !errors.Is(err, messaging.ErrReadOnly) {
				t.Errorf("%s: %v", key, err)
			}
		}
		if err := bus.SetCmap(t.Context(), messaging.CmapEntry{Key: "user.none"}); !errors.Is(err, messaging.ErrNoKey) {
			t.Error(err)
		}
	})
}
