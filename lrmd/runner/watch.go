// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package runner

import (
	"context"
	"sync"

	"github.com/quorate/quorate/lrmd"
)

// A watch is one watcher's bounded queue.
type watch struct {
	e       *Executor
	snap    lrmd.Snapshot
	results chan lrmd.Result
	once    sync.Once
	err     error // why it ended; set before results is closed
}

// Snapshot implements [lrmd.Watch].
func (w *watch) Snapshot() lrmd.Snapshot { return w.snap }

// Next implements [lrmd.Watch].
func (w *watch) Next(ctx context.Context) (lrmd.Result, error) {
	select {
	case r, ok := <-w.results:
		if !ok {
			return lrmd.Result{}, w.err
		}
		return r, nil
	case <-ctx.Done():
		return lrmd.Result{}, ctx.Err()
	}
}

// Close implements [lrmd.Watch].
func (w *watch) Close() error {
	err := w.e.do(context.Background(), func() {
		delete(w.e.watches, w)
		w.end(lrmd.ErrClosed)
	})
	if err != nil {
		return nil //nolint:nilerr // the executor is gone, and with it the watch
	}
	return nil
}

// offer is called by the owner. It tells whether the watcher keeps up.
func (w *watch) offer(r lrmd.Result) bool {
	select {
	case w.results <- r:
		return true
	default:
		w.end(lrmd.ErrCutOff)
		return false
	}
}

// end is called by the owner, the only sender.
func (w *watch) end(err error) {
	w.once.Do(func() {
		w.err = err
		close(w.results)
	})
}
