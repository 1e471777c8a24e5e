// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/lrmd/server/wire"
	lrmdv1 "github.com/quorate/quorate/proto/lrmd/v1"
)

// A Client implements [lrmd.Executor] over a socket.
type Client struct {
	conn *grpc.ClientConn
	api  lrmdv1.ExecutorClient
	errs ipc.ErrorTable
}

var _ lrmd.Executor = (*Client)(nil)

// Dial returns a client for the daemon behind the socket; it does not wait for
// the daemon.
func Dial(path string) (*Client, error) {
	conn, err := ipc.Dial(path)
	if err != nil {
		return nil, fmt.Errorf("client: dial lrmd: %w", err)
	}
	return &Client{conn: conn, api: lrmdv1.NewExecutorClient(conn), errs: wire.Errors()}, nil
}

// Execute implements [lrmd.Executor].
func (c *Client) Execute(ctx context.Context, op lrmd.Op) (int, error) {
	resp, err := c.api.Execute(ctx, &lrmdv1.ExecuteRequest{Op: wire.FromOp(op)})
	return int(resp.GetCallId()), c.errs.FromStatus(err)
}

// Cancel implements [lrmd.Executor].
func (c *Client) Cancel(ctx context.Context, resource, action string, interval time.Duration) (bool, error) {
	resp, err := c.api.Cancel(ctx, &lrmdv1.CancelRequest{Resource: resource, Action: action, Interval: durationpb.New(interval)})
	return resp.GetKnown(), c.errs.FromStatus(err)
}

// Forget implements [lrmd.Executor].
func (c *Client) Forget(ctx context.Context, resource string) error {
	_, err := c.api.Forget(ctx, &lrmdv1.ForgetRequest{Resource: resource})
	return c.errs.FromStatus(err)
}

// Metadata implements [lrmd.Executor].
func (c *Client) Metadata(ctx context.Context, a lrmd.Agent) (string, error) {
	resp, err := c.api.Metadata(ctx, &lrmdv1.MetadataRequest{Agent: wire.FromAgent(a)})
	return resp.GetXml(), c.errs.FromStatus(err)
}

// Agents implements [lrmd.Executor].
func (c *Client) Agents(ctx context.Context, class, provider string) ([]string, error) {
	resp, err := c.api.Agents(ctx, &lrmdv1.AgentsRequest{Class: class, Provider: provider})
	return resp.GetNames(), c.errs.FromStatus(err)
}

// Providers implements [lrmd.Executor].
func (c *Client) Providers(ctx context.Context, typ string) ([]string, error) {
	resp, err := c.api.Providers(ctx, &lrmdv1.ProvidersRequest{Type: typ})
	return resp.GetNames(), c.errs.FromStatus(err)
}

// Classes implements [lrmd.Executor].
func (c *Client) Classes(ctx context.Context) ([]string, error) {
	resp, err := c.api.Classes(ctx, &lrmdv1.ClassesRequest{})
	return resp.GetNames(), c.errs.FromStatus(err)
}

// Close implements [lrmd.Executor]; it leaves the daemon alone.
func (c *Client) Close() error { return c.conn.Close() }
