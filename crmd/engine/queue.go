// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"sync"
)

// A queue is a bounded first-in first-out list between the loop, which never
// waits, and one worker.
type queue[T any] struct {
	mu   sync.Mutex
	list []T           // guarded by mu
	wake chan struct{} // has a token when list is not empty
}

func newQueue[T any]() *queue[T] { return &queue[T]{wake: make(chan struct{}, 1)} }

// push appends; it tells whether there was room.
func (q *queue[T]) push(x T) bool {
	q.mu.Lock()
	ok := len(q.list) < maxQueued
	if ok {
		q.list = append(q.list, x)
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return ok
}

// pop waits for the next; ok is false when ctx ends.
func (q *queue[T]) pop(ctx context.Context) (x T, ok bool) {
	for {
		q.mu.Lock()
		if len(q.list) > 0 {
			x = q.list[0]
			q.list = q.list[1:]
			q.mu.Unlock()
			return x, true
		}
		q.mu.Unlock()
		select {
		case <-ctx.Done():
			return x, false
		case <-q.wake:
		}
	}
}

// clear drops what waits.
func (q *queue[T]) clear() {
	q.mu.Lock()
	q.list = nil
	q.mu.Unlock()
}

// keyed runs jobs of one key in order and those of different keys side by side.
type keyed struct {
	mu   sync.Mutex
	jobs map[string][]func() // guarded by mu; a key is present while a goroutine serves it
	n    int                 // guarded by mu
}

func newKeyed() *keyed { return &keyed{jobs: map[string][]func(){}} }

func (k *keyed) push(e *Engine, key string, job func()) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.n >= maxQueued {
		return false
	}
	k.n++
	list, served := k.jobs[key]
	k.jobs[key] = append(list, job)
	if !served {
		e.wg.Go(func() { k.serve(key) })
	}
	return true
}

func (k *keyed) serve(key string) {
	for {
		k.mu.Lock()
		list := k.jobs[key]
		if len(list) == 0 {
			delete(k.jobs, key)
			k.mu.Unlock()
			return
		}
		job := list[0]
		k.jobs[key] = list[1:]
		k.n--
		k.mu.Unlock()
		job()
	}
}
