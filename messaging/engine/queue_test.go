// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"bytes"
	"context"
	"testing"
	"testing/synctest"

	"github.com/quorate/quorate/messaging"
)

// A reader that lags keeps its messages, not the batches of packets that they
// came in.
func TestMessagesThatWaitLongKeepNoBatches(t *testing.T) {
	q := newEventQueue()
	var batches [][]byte
	for range 3 * longQueue {
		batch := bytes.Repeat([]byte{'.'}, 100)
		batches = append(batches, batch)
		if !q.push(&messaging.Message{Body: batch[40:50]}) {
			t.Fatal("the queue is full")
		}
	}
	for _, b := range batches {
		clear(b) // shows in a body that lies in it
	}
	kept := 0
	evs, err := q.batch(t.Context(), len(batches), 1<<30)
	for _, ev := range evs {
		if m, ok := ev.(*messaging.Message); !ok || m.Body[0] == 0 {
			kept++
		}
	}
	if err != nil || len(evs) != len(batches) || kept > longQueue {
		t.Errorf("%d of %d events lie in their batches, %v", kept, len(evs), err)
	}
}

// What a step delivers wakes its reader once, and all of it is there then.
func TestAReaderIsWokenOnceForAStep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := newEventQueue()
		got := make(chan int, 10)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			for {
				evs, err := q.batch(ctx, 100, 1<<20)
				if err != nil {
					return
				}
				got <- len(evs)
			}
		}()
		synctest.Wait()
		for range 5 {
			q.push(&messaging.Message{Body: []byte("x")})
		}
		synctest.Wait()
		if len(got) != 0 {
			t.Error("it reads before it is woken")
		}
		q.wake()
		synctest.Wait()
		if n := <-got; n != 5 {
			t.Errorf("it has %d events at once", n)
		}
		cancel()
		synctest.Wait()
	})
}
