// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"sync"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/operation"
	"github.com/quorate/quorate/cib/patch"
	"github.com/quorate/quorate/cib/replica"
)

// maxWatchBytes bounds the text that waits for one watch.
const maxWatchBytes = 128 << 20

// watchers are the running watches.
type watchers struct {
	mu     sync.Mutex
	list   map[*watcher]struct{} // guarded by mu
	closed error                 // guarded by mu
}

// watcher is one watch.
type watcher struct {
	all    *watchers
	mu     sync.Mutex
	queue  []cib.Change // guarded by mu
	bytes  int          // guarded by mu
	broken error        // guarded by mu; given once the queue is empty
	more   chan struct{}
}

func (ws *watchers) add(first cib.Change) *watcher {
	w := &watcher{all: ws, queue: []cib.Change{first}, bytes: len(first.Snapshot), more: make(chan struct{}, 1)}
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if ws.list == nil {
		ws.list = map[*watcher]struct{}{}
	}
	w.broken = ws.closed
	ws.list[w] = struct{}{}
	return w
}

func (ws *watchers) count() int {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	return len(ws.list)
}

func (ws *watchers) close(err error) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	ws.closed = err
	for w := range ws.list {
		w.stop(err)
	}
}

// publish gives a change to all watches. It never waits.
func (ws *watchers) publish(p *replica.Publish, limit int) {
	ws.mu.Lock()
	defer ws.mu.Unlock()
	if len(ws.list) == 0 {
		return
	}
	ch := cib.Change{Version: operation.VersionOf(p.New), Client: p.Client}
	if p.Whole {
		ch.Snapshot = document.Format(p.New)
	} else if diff := patch.Make(p.Old, p.New); diff != nil {
		ch.Patchset = document.Format(diff)
	}
	for w := range ws.list {
		w.put(ch, limit)
	}
}

func (w *watcher) put(ch cib.Change, limit int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case w.broken != nil:
		return
	case len(w.queue) >= limit || w.bytes > maxWatchBytes:
		w.broken = cib.ErrCutOff
		w.queue, w.bytes = nil, 0
	default:
		w.queue = append(w.queue, ch)
		w.bytes += len(ch.Patchset) + len(ch.Snapshot)
	}
	w.wake()
}

func (w *watcher) wake() {
	select {
	case w.more <- struct{}{}:
	default:
	}
}

func (w *watcher) stop(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken == nil {
		w.broken = err
	}
	w.wake()
}

// Next implements cib.Watch.
func (w *watcher) Next(ctx context.Context) (cib.Change, error) {
	for {
		w.mu.Lock()
		if len(w.queue) > 0 {
			ch := w.queue[0]
			w.queue = w.queue[1:]
			w.bytes -= len(ch.Patchset) + len(ch.Snapshot)
			w.mu.Unlock()
			return ch, nil
		}
		err := w.broken
		w.mu.Unlock()
		if err != nil {
			return cib.Change{}, err
		}
		select {
		case <-w.more:
		case <-ctx.Done():
			return cib.Change{}, ctx.Err()
		}
	}
}

// Close implements cib.Watch.
func (w *watcher) Close() error {
	w.all.mu.Lock()
	delete(w.all.list, w)
	w.all.mu.Unlock()
	w.stop(cib.ErrClosed)
	return nil
}
