// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import (
	"fmt"
	"testing"
	"time"

	"github.com/quorate/quorate/messaging/recorder"
	"github.com/quorate/quorate/messaging/recorder/ring"
)

// replay plays again what a node recorded, and wants the same answers and the
// same state.
func (n *node) replay() {
	if n.recorder == nil {
		return
	}
	want := n.core.Digest()
	rec, err := recorder.Parse(n.recorder.Dump(recorder.Header{Core: ring.CoreName, Node: uint32(n.id), Wall: time.Unix(0, 0)}, n.core.AppendState(nil)))
	var rep ring.Report
	if err == nil {
		rep, err = ring.Replay(rec, nil)
	}
	ok := err == nil && rep.Core != nil && rep.Core.Digest() == want
	n.c.check.expect("replay", ok, "node %d life %d: %v", n.id, n.life, err)
}

// What each node of a random run records can be played again, and the replayed
// core is at each step in the state that the recorded one was in.
func TestARunIsReplayedBitForBit(t *testing.T) {
	events, segments := 0, 0
	count := uint64(12)
	if testing.Short() {
		count = 2
	}
	for seed := range count {
		s := newScenario(seed)
		s.record = true
		s.digests = true
		c, _ := s.play()
		for _, n := range c.nodes {
			if n.core == nil {
				continue
			}
			rec, err := recorder.Parse(n.recorder.Dump(recorder.Header{Core: ring.CoreName}, n.core.AppendState(nil)))
			if err != nil {
				t.Fatal(err)
			}
			total := 0
			for _, s := range rec.Segments {
				total += len(s.Records)
			}
			want := n.digests[len(n.digests)-total:]
			i := 0
			rep, err := ring.Replay(rec, func(p ring.Played) {
				if got := p.Core.Digest(); got != want[i] {
					t.Fatalf("seed %d node %d: event %d of the recording (%T at %v) gives state %x, was %x", seed, n.id, i, p.Event, p.At, got, want[i])
				}
				i++
			})
			if err != nil {
				t.Fatal(fmt.Errorf("seed %d node %d: %w", seed, n.id, err))
			}
			events += rep.Events
			segments += rep.Segments
		}
	}
	t.Logf("%d events in %d segments", events, segments)
	if segments < 10 {
		t.Errorf("only %d segments", segments)
	}
}
