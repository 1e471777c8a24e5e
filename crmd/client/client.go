// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client

import (
	"context"
	"time"

	"google.golang.org/grpc"

	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/crmd/server/wire"
	"github.com/quorate/quorate/internal/ipc"
	crmdv1 "github.com/quorate/quorate/proto/crmd/v1"
)

// A Client is a connection to crmd.
type Client struct {
	conn *grpc.ClientConn
	svc  crmdv1.ControllerClient
	errs ipc.ErrorTable
}

// Dial prepares a connection to the daemon's socket; it connects when used.
func Dial(path string) (*Client, error) {
	conn, err := ipc.Dial(path)
	if err != nil {
		return nil, err
	}
	return &Client{conn: conn, svc: crmdv1.NewControllerClient(conn), errs: wire.Errors()}, nil
}

// Close ends the connection.
func (c *Client) Close() error { return c.conn.Close() }

// Status implements [crmd.Controller].
func (c *Client) Status(ctx context.Context) (crmd.Status, error) {
	resp, err := c.svc.Status(ctx, &crmdv1.StatusRequest{})
	return wire.ToStatus(resp), c.errs.FromStatus(err)
}

// NodeStatus implements [crmd.Controller].
func (c *Client) NodeStatus(ctx context.Context, node string) (crmd.Status, error) {
	resp, err := c.svc.NodeStatus(ctx, &crmdv1.NodeStatusRequest{Node: node})
	return wire.ToStatus(resp.GetStatus()), c.errs.FromStatus(err)
}

// Peers implements [crmd.Controller].
func (c *Client) Peers(ctx context.Context) ([]crmd.Peer, error) {
	resp, err := c.svc.Peers(ctx, &crmdv1.PeersRequest{})
	return wire.ToPeers(resp), c.errs.FromStatus(err)
}

// Fence implements [crmd.Controller].
func (c *Client) Fence(ctx context.Context, node, action string, timeout, delay time.Duration) error {
	_, err := c.svc.Fence(ctx, &crmdv1.FenceRequest{
		Node: node, Action: action, Timeout: wire.Duration(timeout), Delay: wire.Duration(delay),
	})
	return c.errs.FromStatus(err)
}

// ConfirmFenced implements [crmd.Controller].
func (c *Client) ConfirmFenced(ctx context.Context, node string) error {
	_, err := c.svc.ConfirmFenced(ctx, &crmdv1.ConfirmFencedRequest{Node: node})
	return c.errs.FromStatus(err)
}

// FenceHistory implements [crmd.Controller].
func (c *Client) FenceHistory(ctx context.Context, node string) ([]crmd.FenceEvent, error) {
	resp, err := c.svc.FenceHistory(ctx, &crmdv1.FenceHistoryRequest{Node: node})
	return wire.ToEvents(resp), c.errs.FromStatus(err)
}

// FenceDevices implements [crmd.Controller].
func (c *Client) FenceDevices(ctx context.Context, node string) ([]string, error) {
	resp, err := c.svc.FenceDevices(ctx, &crmdv1.FenceDevicesRequest{Node: node})
	return resp.GetDevices(), c.errs.FromStatus(err)
}

// Cleanup implements [crmd.Controller].
func (c *Client) Cleanup(ctx context.Context, req crmd.CleanupRequest) error {
	_, err := c.svc.Cleanup(ctx, wire.FromCleanup(req))
	return c.errs.FromStatus(err)
}

// Fail implements [crmd.Controller].
func (c *Client) Fail(ctx context.Context, resource, node string) error {
	_, err := c.svc.Fail(ctx, &crmdv1.FailRequest{Resource: resource, Node: node})
	return c.errs.FromStatus(err)
}

// RemoveNode implements [crmd.Controller].
func (c *Client) RemoveNode(ctx context.Context, node string) error {
	_, err := c.svc.RemoveNode(ctx, &crmdv1.RemoveNodeRequest{Node: node})
	return c.errs.FromStatus(err)
}

// RequestShutdown implements [crmd.Controller].
func (c *Client) RequestShutdown(ctx context.Context) error {
	_, err := c.svc.RequestShutdown(ctx, &crmdv1.RequestShutdownRequest{})
	return c.errs.FromStatus(err)
}

// AgentMetadata implements [crmd.Controller].
func (c *Client) AgentMetadata(ctx context.Context, class, provider, typ string) (string, error) {
	resp, err := c.svc.AgentMetadata(ctx, &crmdv1.AgentMetadataRequest{Class: class, Provider: provider, Type: typ})
	return resp.GetMetadata(), c.errs.FromStatus(err)
}
