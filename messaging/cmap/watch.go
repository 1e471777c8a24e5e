// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cmap

import (
	"context"
	"slices"
	"strings"
	"sync"

	"github.com/quorate/quorate/messaging"
)

// Bounds of watches.
const (
	maxWatches = 1024
	// maxPending is how many changes may wait for one reader beside those that it
	// began with; one that falls behind further is cut off.
	maxPending = maxEntries
)

// A Watch is a running watch of keys. It gives the keys as they are, each as one
// that was added, then each change, in the order in which they happened.
type Watch struct {
	m       *Map
	prefix  string
	mu      sync.Mutex
	pending []messaging.CmapChange // guarded by mu
	err     error                  // guarded by mu; why it ended
	signal  chan struct{}          // has room for one
}

// Watch begins a watch of the keys that begin with prefix.
func (m *Map) Watch(prefix string) (*Watch, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.watches) >= maxWatches {
		return nil, ErrFull
	}
	w := &Watch{m: m, prefix: prefix, signal: make(chan struct{}, 1)}
	w.signal <- struct{}{}
	for _, e := range m.prefixLocked(prefix) {
		w.pending = append(w.pending, messaging.CmapChange{Event: messaging.CmapAdded, Entry: e})
	}
	m.watches = append(m.watches, w)
	return w, nil
}

// tellLocked hands a change to those who watch the key. The caller holds m.mu,
// so that all watches see the changes in one order.
func (m *Map) tellLocked(ev messaging.CmapEvent, e messaging.CmapEntry) {
	for _, w := range m.watches {
		if strings.HasPrefix(e.Key, w.prefix) {
			w.push(messaging.CmapChange{Event: ev, Entry: e})
		}
	}
}

func (w *Watch) push(c messaging.CmapChange) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	if len(w.pending) >= 2*maxPending {
		w.err, w.pending = messaging.ErrCutOff, nil
	} else {
		w.pending = append(w.pending, c)
	}
	w.wakeLocked()
}

func (w *Watch) wakeLocked() {
	select {
	case w.signal <- struct{}{}:
	default:
	}
}

// Next gives what happened since the last call, waiting for it. The first call
// gives the present keys, without waiting, even if there are none.
func (w *Watch) Next(ctx context.Context) ([]messaging.CmapChange, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-w.signal:
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		w.wakeLocked() // for the next call
		return nil, w.err
	}
	out := w.pending
	w.pending = nil
	return out, nil
}

// Close ends the watch; a call of Next that waits ends with
// [messaging.ErrClosed].
func (w *Watch) Close() error {
	w.m.mu.Lock()
	w.m.watches = slices.DeleteFunc(w.m.watches, func(x *Watch) bool { return x == w })
	w.m.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err == nil {
		w.err, w.pending = messaging.ErrClosed, nil
	}
	w.wakeLocked()
	return nil
}

// Replace makes the keys below the prefixes be these: a key that stays as it is
// counts as no change.
func (m *Map) Replace(prefixes []string, es []messaging.CmapEntry) error {
	for _, e := range es {
		if err := check(e); err != nil {
			return err
		}
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	want := map[string]bool{}
	for _, e := range es {
		want[e.Key] = true
	}
	for _, p := range prefixes {
		for _, e := range m.prefixLocked(p) {
			if !want[e.Key] {
				m.deleteLocked(e.Key)
			}
		}
	}
	for _, e := range es {
		if err := m.setLocked(e); err != nil {
			return err
		}
	}
	return nil
}
