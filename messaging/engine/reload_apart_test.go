// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine_test

import (
	"errors"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/conformance"
	"github.com/quorate/quorate/messaging/engine"
)

// TestRemovedNodeThatWasCutOffStaysOut: it lives, and its packets have a key and
// an address that were good a moment ago.
func TestRemovedNodeThatWasCutOffStaysOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFileLab(t, three(), 1, 2, 3)
		defer l.StopAll()
		awaitAll(l, 1, 2, 3)
		cut := conformance.AddrOf(3)
		l.Hub.SetDrop(func(src, dst netip.Addr) bool { return (src == cut) != (dst == cut) })
		l.Await(1, true, 1, 2)
		l.Await(2, true, 1, 2)
		f := three()
		f.nodes = f.nodes[:2]
		l.write(f, 1, 2)
		if err := l.reload(1); err != nil {
			t.Fatal(err)
		}
		ring := viewOf(t, l, 1).Ring
		l.Hub.SetDrop(nil)
		<-time.After(2 * engine.Overlap) // of the bubble's time
		l.Await(3, false, 3)
		if v := viewOf(t, l, 1); v.Ring != ring || len(v.Nodes) != 2 {
			t.Errorf("the ring changed from %s to %s, nodes %v", ring, v.Ring, v.Nodes)
		}
	})
}

// TestNodeThatMissedTheDecisionFollows: the decisive vote does not reach a node
// that parts from the others at that moment, for a moment or for so long that
// the others no longer accept the old key.
func TestNodeThatMissedTheDecisionFollows(t *testing.T) {
	for _, away := range []time.Duration{0, 10 * engine.Overlap} {
		t.Run(away.String(), func(t *testing.T) { synctest.Test(t, func(t *testing.T) { missTheDecision(t, away) }) })
	}
}

func missTheDecision(t *testing.T, away time.Duration) {
	l := newFileLab(t, three(), 1, 2, 3)
	defer l.StopAll()
	awaitAll(l, 1, 2, 3)
	f := three()
	f.token, f.key = 3*time.Second, 2
	l.write(f, 1, 2, 3)
	gate := l.gate(2)
	asked := make(chan error, 1)
	go func() { asked <- l.reload(1) }()
	<-time.After(500 * time.Millisecond) // of the bubble's time: all but node 2 have voted
	cut := conformance.AddrOf(3)
	l.Hub.SetDrop(func(src, dst netip.Addr) bool { return (src == cut) != (dst == cut) })
	close(gate)
	l.Await(3, false, 3)
	l.Await(1, true, 1, 2)
	// Without node 3 the decision is put off or taken: both sides agree later
	// on whatever it was.
	if err := <-asked; err != nil && !errors.Is(err, messaging.ErrAgain) {
		t.Fatal(err)
	} else if err != nil {
		if err := l.reload(1); err != nil {
			t.Fatal(err)
		}
	}
	if now := l.get(3, runs); now != "" {
		t.Errorf("node 3 has changed alone: %q", now)
	}
	<-time.After(away) // of the bubble's time
	l.Hub.SetDrop(nil)
	awaitAll(l, 1, 2, 3)
	<-time.After(2 * engine.Overlap) // of the bubble's time
	if now := l.get(3, runs); now != string(f.text()) {
		t.Errorf("node 3 runs %q", now)
	}
	awaitAll(l, 1, 2, 3)
	l.Kill(3)
	if took := l.Await(1, true, 1, 2); took < time.Second {
		t.Errorf("the death is noticed after %s: the new timers do not run", took)
	}
}
