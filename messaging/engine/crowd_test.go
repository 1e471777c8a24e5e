// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/conformance"
)

// TestWhoReadsIsNotCutOffByItsOwnMessages: a member that sends faster than it reads
// is slowed down, one that does not read at all is not waited for.
func TestWhoReadsIsNotCutOffByItsOwnMessages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := conformance.NewLab(t, 1)
		l.StartAll()
		defer l.StopAll()
		l.Await(1, true, 1)
		g, err := l.Nodes[1].Bus.Join(t.Context(), "crowd")
		if err != nil {
			t.Fatal(err)
		}
		const messages = 150_000 // more than a queue takes
		go func() {
			for range messages {
				if err := g.Multicast(t.Context(), []byte("x")); err != nil {
					t.Error(err)
					return
				}
			}
		}()
		for n := 0; n < messages; {
			ev, err := g.Next(t.Context())
			if err != nil {
				t.Fatalf("after %d messages: %v", n, err)
			}
			if _, ok := ev.(*messaging.Message); ok {
				if n++; n%1000 == 0 {
					time.Sleep(10 * time.Millisecond) // the bubble's clock
				}
			}
		}
		// All but those of the queue and of what the ring has not taken wait.
		start := time.Now()
		for range 6000 {
			if err := g.Multicast(t.Context(), []byte("x")); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took < 250*time.Second || took > 420*time.Second {
			t.Errorf("6000 messages that nobody read took %v", took)
		}
	})
}
