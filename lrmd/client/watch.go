// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client

import (
	"context"
	"errors"
	"sync"

	"google.golang.org/grpc"

	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/lrmd/server/wire"
	lrmdv1 "github.com/quorate/quorate/proto/lrmd/v1"
)

// maxResults bounds what was received and not yet read.
const maxResults = 1024

type watch struct {
	c       *Client
	stop    context.CancelFunc
	snap    lrmd.Snapshot
	results chan lrmd.Result
	once    sync.Once
	closed  chan struct{}
	err     error // set before results is closed
}

// Watch implements [lrmd.Executor]. The watch lives until it is closed; ctx is
// for its beginning.
func (c *Client) Watch(ctx context.Context) (lrmd.Watch, error) {
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(ctx, stop)
	stream, err := c.api.Watch(life, &lrmdv1.WatchRequest{})
	if err != nil {
		stop()
		return nil, c.errs.FromStatus(err)
	}
	first, err := stream.Recv()
	if err != nil {
		stop()
		return nil, c.errs.FromStatus(err)
	}
	if !unhook() {
		stop()
		return nil, ctx.Err()
	}
	if first.GetSnapshot() == nil {
		stop()
		return nil, errors.New("client: watch begins without a snapshot")
	}
	w := &watch{
		c: c, stop: stop, snap: wire.ToSnapshot(first.GetSnapshot()),
		results: make(chan lrmd.Result, maxResults), closed: make(chan struct{}),
	}
	go w.receive(stream)
	return w, nil
}

func (w *watch) receive(stream grpc.ServerStreamingClient[lrmdv1.WatchResponse]) {
	defer close(w.results)
	for {
		resp, err := stream.Recv()
		if err != nil {
			w.err = w.c.errs.FromStatus(err)
			return
		}
		if resp.GetResult() == nil {
			continue
		}
		select {
		case w.results <- wire.ToResult(resp.GetResult()):
		case <-w.closed:
			w.err = lrmd.ErrClosed
			return
		}
	}
}

// Snapshot implements [lrmd.Watch].
func (w *watch) Snapshot() lrmd.Snapshot { return w.snap }

// Next implements [lrmd.Watch].
func (w *watch) Next(ctx context.Context) (lrmd.Result, error) {
	select {
	case <-w.closed:
		return lrmd.Result{}, lrmd.ErrClosed
	default:
	}
	select {
	case r, ok := <-w.results:
		if !ok {
			return lrmd.Result{}, w.err
		}
		return r, nil
	case <-w.closed:
		return lrmd.Result{}, lrmd.ErrClosed
	case <-ctx.Done():
		return lrmd.Result{}, ctx.Err()
	}
}

// Close implements [lrmd.Watch].
func (w *watch) Close() error {
	w.once.Do(func() {
		close(w.closed)
		w.stop()
	})
	return nil
}
