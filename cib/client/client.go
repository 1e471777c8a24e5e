// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client

import (
	"context"
	"fmt"

	"google.golang.org/grpc"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/server/wire"
	"github.com/quorate/quorate/internal/ipc"
	cibv1 "github.com/quorate/quorate/proto/cib/v1"
)

// A Client implements [cib.Store] over a socket.
type Client struct {
	conn *grpc.ClientConn
	api  cibv1.StoreClient
	errs ipc.ErrorTable
}

var _ cib.Store = (*Client)(nil)

// Dial returns a client for the daemon behind the socket; it does not wait for
// the daemon.
func Dial(path string) (*Client, error) {
	conn, err := ipc.Dial(path)
	if err != nil {
		return nil, fmt.Errorf("client: dial cibd: %w", err)
	}
	return &Client{conn: conn, api: cibv1.NewStoreClient(conn), errs: wire.Errors()}, nil
}

// Do implements [cib.Store].
func (c *Client) Do(ctx context.Context, req cib.Request) (cib.Result, error) {
	if len(req.Data) > cib.MaxRequest {
		return cib.Result{}, &cib.Error{Code: cib.CodeDataErr, Op: req.Op, Msg: fmt.Sprintf(
			"Request of %d bytes exceeds the limit of %d", len(req.Data), cib.MaxRequest)}
	}
	resp, err := c.api.Do(ctx, wire.FromRequest(req))
	if err != nil {
		return cib.Result{}, c.errs.FromStatus(err)
	}
	if r := resp.GetRefusal(); r != nil {
		return cib.Result{}, wire.ToError(r)
	}
	return wire.ToResult(resp.GetResult()), nil
}

// SetAttr implements [cib.Store].
func (c *Client) SetAttr(ctx context.Context, up cib.AttrUpdate) error {
	if len(up.Value) > cib.MaxRequest {
		return &cib.Error{Code: cib.CodeDataErr, Op: cib.OpModify, Msg: fmt.Sprintf(
			"Value of %d bytes exceeds the limit of %d", len(up.Value), cib.MaxRequest)}
	}
	resp, err := c.api.SetAttr(ctx, wire.FromUpdate(up))
	if err != nil {
		return c.errs.FromStatus(err)
	}
	if r := resp.GetRefusal(); r != nil {
		return wire.ToError(r)
	}
	return nil
}

// Attrs implements [cib.Store].
func (c *Client) Attrs(ctx context.Context, name, node string) ([]cib.Attr, error) {
	resp, err := c.api.Attrs(ctx, &cibv1.AttrsRequest{Name: name, Node: node})
	if err != nil {
		return nil, c.errs.FromStatus(err)
	}
	list := make([]cib.Attr, 0, len(resp.GetAttrs()))
	for _, a := range resp.GetAttrs() {
		list = append(list, cib.Attr{Node: a.GetNode(), Name: a.GetName(), Value: a.GetValue()})
	}
	return list, nil
}

// Watch implements [cib.Store].
func (c *Client) Watch(ctx context.Context) (cib.Watch, error) {
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stream, err := c.api.Watch(life, &cibv1.WatchRequest{})
	if err != nil {
		cancel()
		return nil, c.errs.FromStatus(err)
	}
	w := &watch{errs: c.errs, cancel: cancel, changes: make(chan received), done: make(chan struct{})}
	go w.receive(life, stream)
	return w, nil
}

// Close implements [cib.Store]; it leaves the daemon alone.
func (c *Client) Close() error { return c.conn.Close() }

// received is what came over a stream.
type received struct {
	change cib.Change
	err    error
}

// watch reads a stream in a goroutine of its own, so that Next may be given
// another context each time.
type watch struct {
	errs    ipc.ErrorTable
	cancel  context.CancelFunc
	changes chan received
	done    chan struct{}
}

func (w *watch) receive(ctx context.Context, stream grpc.ServerStreamingClient[cibv1.WatchResponse]) {
	defer close(w.done)
	for {
		msg, err := stream.Recv()
		r := received{err: w.errs.FromStatus(err)}
		if err == nil {
			r.change = wire.ToChange(msg)
		}
		for {
			select {
			case w.changes <- r:
			case <-ctx.Done():
				return
			}
			if r.err == nil {
				break // an error is given again and again
			}
		}
	}
}

// Next implements [cib.Watch].
func (w *watch) Next(ctx context.Context) (cib.Change, error) {
	select {
	case r := <-w.changes:
		return r.change, r.err
	case <-w.done:
		return cib.Change{}, cib.ErrClosed
	case <-ctx.Done():
		return cib.Change{}, ctx.Err()
	}
}

// Close implements [cib.Watch].
func (w *watch) Close() error {
	w.cancel()
	<-w.done
	return nil
}
