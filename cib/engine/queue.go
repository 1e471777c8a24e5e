// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"sync"
)

// queue hands items over without ever holding up the giver. What it holds is
// bounded by what the givers may have under way.
type queue[T any] struct {
	mu    sync.Mutex
	items []T // guarded by mu
	more  chan struct{}
}

func (q *queue[T]) init() { q.more = make(chan struct{}, 1) }

func (q *queue[T]) put(item T) {
	q.mu.Lock()
	q.items = append(q.items, item)
	q.mu.Unlock()
	select {
	case q.more <- struct{}{}:
	default:
	}
}

// take waits for items and takes all of them.
func (q *queue[T]) take(ctx context.Context) ([]T, bool) {
	for {
		q.mu.Lock()
		items := q.items
		q.items = nil
		q.mu.Unlock()
		if len(items) > 0 {
			return items, true
		}
		select {
		case <-q.more:
		case <-ctx.Done():
			return nil, false
		}
	}
}

func (q *queue[T]) clear() {
	q.mu.Lock()
	q.items = nil
	q.mu.Unlock()
}

// latest holds the newest of the items that were put.
type latest[T any] struct {
	c chan T
}

func (l *latest[T]) init() { l.c = make(chan T, 1) }

// put is for one goroutine.
func (l *latest[T]) put(item T) {
	select {
	case <-l.c:
	default:
	}
	l.c <- item
}

func (l *latest[T]) take(ctx context.Context) (item T, ok bool) {
	select {
	case item = <-l.c:
		return item, true
	case <-ctx.Done():
		return item, false
	}
}
