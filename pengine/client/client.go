// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client

import (
	"context"
	"fmt"

	"google.golang.org/grpc"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/pengine"
	"github.com/quorate/quorate/pengine/server"
	penginev1 "github.com/quorate/quorate/proto/pengine/v1"
)

// A Client implements [pengine.Engine] over a socket.
type Client struct {
	conn *grpc.ClientConn
	api  penginev1.EngineClient
	errs ipc.ErrorTable
}

var _ pengine.Engine = (*Client)(nil)

// Dial returns a client for the daemon behind the socket; it does not wait for
// the daemon.
func Dial(path string) (*Client, error) {
	conn, err := ipc.Dial(path)
	if err != nil {
		return nil, fmt.Errorf("client: dial pengined: %w", err)
	}
	return &Client{conn: conn, api: penginev1.NewEngineClient(conn), errs: server.Errors()}, nil
}

// Compute implements [pengine.Engine].
func (c *Client) Compute(ctx context.Context, req pengine.Request) (pengine.Reply, error) {
	r, err := c.api.Compute(ctx, &penginev1.ComputeRequest{Cib: req.CIB, Now: timestamppb.New(req.Now), Reference: req.Reference})
	if err != nil {
		return pengine.Reply{}, c.errs.FromStatus(err)
	}
	out := pengine.Reply{
		Graph: r.GetGraph(), InputFile: r.GetInputFile(), Actions: int(r.GetActions()), Warnings: r.GetWarnings(), Errors: r.GetErrors(),
		FenceNodes: r.GetFenceNodes(), Elapsed: r.GetElapsed().AsDuration(),
	}
	if t := r.GetRecheckBy(); t != nil {
		out.RecheckBy = t.AsTime()
	}
	return out, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }
