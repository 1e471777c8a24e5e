// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/quorate/quorate/crmd"
)

// Lazy is a controller that may not be there yet: until messaging has told who
// this node is, it answers that it is starting.
type Lazy struct {
	Node string // this node's name, as far as known
	e    atomic.Pointer[Engine]
}

// Set puts the controller in.
func (l *Lazy) Set(e *Engine) { l.e.Store(e) }

func (l *Lazy) get() (*Engine, error) {
	if e := l.e.Load(); e != nil {
		return e, nil
	}
	return nil, crmd.ErrNoDC
}

// Health tells whether the controller answers, where there is one.
func (l *Lazy) Health(ctx context.Context) error {
	if e := l.e.Load(); e != nil {
		return e.Health(ctx)
	}
	return nil
}

// Status implements [crmd.Controller].
func (l *Lazy) Status(ctx context.Context) (crmd.Status, error) {
	if e := l.e.Load(); e != nil {
		return e.Status(ctx)
	}
	return crmd.Status{Node: l.Node, State: "S_STARTING"}, nil
}

// NodeStatus implements [crmd.Controller].
func (l *Lazy) NodeStatus(ctx context.Context, node string) (crmd.Status, error) {
	e, err := l.get()
	if err != nil {
		return crmd.Status{}, err
	}
	return e.NodeStatus(ctx, node)
}

// Peers implements [crmd.Controller].
func (l *Lazy) Peers(ctx context.Context) ([]crmd.Peer, error) {
	e, err := l.get()
	if err != nil {
		return nil, err
	}
	return e.Peers(ctx)
}

// Fence implements [crmd.Controller].
func (l *Lazy) Fence(ctx context.Context, node, action string, timeout, delay time.Duration) error {
	e, err := l.get()
	if err != nil {
		return err
	}
	return e.Fence(ctx, node, action, timeout, delay)
}

// ConfirmFenced implements [crmd.Controller].
func (l *Lazy) ConfirmFenced(ctx context.Context, node string) error {
	e, err := l.get()
	if err != nil {
		return err
	}
	return e.ConfirmFenced(ctx, node)
}

// FenceHistory implements [crmd.Controller].
func (l *Lazy) FenceHistory(ctx context.Context, node string) ([]crmd.FenceEvent, error) {
	e, err := l.get()
	if err != nil {
		return nil, err
	}
	return e.FenceHistory(ctx, node)
}

// FenceDevices implements [crmd.Controller].
func (l *Lazy) FenceDevices(ctx context.Context, node string) ([]string, error) {
	e, err := l.get()
	if err != nil {
		return nil, err
	}
	return e.FenceDevices(ctx, node)
}

// Cleanup implements [crmd.Controller].
func (l *Lazy) Cleanup(ctx context.Context, req crmd.CleanupRequest) error {
	e, err := l.get()
	if err != nil {
		return err
	}
	return e.Cleanup(ctx, req)
}

// Fail implements [crmd.Controller].
func (l *Lazy) Fail(ctx context.Context, resource, node string) error {
	e, err := l.get()
	if err != nil {
		return err
	}
	return e.Fail(ctx, resource, node)
}

// RemoveNode implements [crmd.Controller].
func (l *Lazy) RemoveNode(ctx context.Context, node string) error {
	e, err := l.get()
	if err != nil {
		return err
	}
	return e.RemoveNode(ctx, node)
}

// RequestShutdown implements [crmd.Controller]. A controller that has not begun
// has nothing to drain.
func (l *Lazy) RequestShutdown(ctx context.Context) error {
	if e := l.e.Load(); e != nil {
		return e.RequestShutdown(ctx)
	}
	return nil
}

// AgentMetadata implements [crmd.Controller].
func (l *Lazy) AgentMetadata(ctx context.Context, class, provider, typ string) (string, error) {
	e, err := l.get()
	if err != nil {
		return "", err
	}
	return e.AgentMetadata(ctx, class, provider, typ)
}

// Close implements [crmd.Controller].
func (l *Lazy) Close() error {
	if e := l.e.Load(); e != nil {
		return e.Close()
	}
	return nil
}
