// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/crmd/core"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/messaging"
)

// firstToken is where the tokens of API calls begin, away from the core's own.
const firstToken core.Token = 1 << 40

// call runs one call of the API and waits for its reply.
func (e *Engine) call(ctx context.Context, f func(core.Time, core.Token)) error {
	_, err := e.callValue(ctx, f)
	return err
}

func (e *Engine) callValue(ctx context.Context, f func(core.Time, core.Token)) (any, error) {
	reply := make(chan core.Reply, 1)
	var t core.Token
	if err := e.in(ctx, func(now core.Time) {
		e.tokens++
		t = firstToken + e.tokens
		e.replies[t] = reply
		f(now, t)
	}); err != nil {
		return nil, err
	}
	select {
	case r := <-reply:
		return r.Value, r.Err
	case <-ctx.Done():
		e.post(func(core.Time) {
			delete(e.replies, t)
			e.core.Abandon(t)
		})
		return nil, ctx.Err()
	case <-e.done:
		select {
		case r := <-reply:
			return r.Value, r.Err
		default:
			return nil, crmd.ErrClosed
		}
	}
}

// in runs f in the core's goroutine, without waiting for it.
func (e *Engine) in(ctx context.Context, f func(core.Time)) error {
	select {
	case e.events <- f:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-e.done:
		return crmd.ErrClosed
	}
}

// ask runs f in the core's goroutine and gives its answer.
func ask[T any](ctx context.Context, e *Engine, f func() T) (T, error) {
	ch := make(chan T, 1)
	var none T
	if err := e.in(ctx, func(core.Time) { ch <- f() }); err != nil {
		return none, err
	}
	select {
	case v := <-ch:
		return v, nil
	case <-ctx.Done():
		return none, ctx.Err()
	case <-e.done:
		return none, crmd.ErrClosed
	}
}

// Status implements [crmd.Controller].
func (e *Engine) Status(ctx context.Context) (crmd.Status, error) {
	return ask(ctx, e, e.core.Status)
}

// NodeStatus implements [crmd.Controller].
func (e *Engine) NodeStatus(ctx context.Context, node string) (crmd.Status, error) {
	v, err := e.callValue(ctx, func(now core.Time, t core.Token) { e.core.NodeStatus(now, t, node) })
	st, _ := v.(crmd.Status)
	return st, err
}

// Peers implements [crmd.Controller].
func (e *Engine) Peers(ctx context.Context) ([]crmd.Peer, error) {
	return ask(ctx, e, e.core.Peers)
}

// Fence implements [crmd.Controller].
func (e *Engine) Fence(ctx context.Context, node, action string, timeout, delay time.Duration) error {
	return e.call(ctx, func(now core.Time, t core.Token) { e.core.Fence(now, t, node, action, timeout, delay) })
}

// ConfirmFenced implements [crmd.Controller].
func (e *Engine) ConfirmFenced(ctx context.Context, node string) error {
	return e.call(ctx, func(now core.Time, t core.Token) { e.core.ConfirmFenced(now, t, node) })
}

// FenceHistory implements [crmd.Controller].
func (e *Engine) FenceHistory(ctx context.Context, node string) ([]crmd.FenceEvent, error) {
	return ask(ctx, e, func() []crmd.FenceEvent { return e.core.FenceHistory(node) })
}

// FenceDevices implements [crmd.Controller].
func (e *Engine) FenceDevices(ctx context.Context, node string) ([]string, error) {
	return ask(ctx, e, func() []string { return e.core.FenceDevices(node) })
}

// Cleanup implements [crmd.Controller].
func (e *Engine) Cleanup(ctx context.Context, req crmd.CleanupRequest) error {
	return e.call(ctx, func(now core.Time, t core.Token) { e.core.Cleanup(now, t, req) })
}

// Fail implements [crmd.Controller].
func (e *Engine) Fail(ctx context.Context, resource, node string) error {
	return e.call(ctx, func(now core.Time, t core.Token) { e.core.Fail(now, t, resource, node) })
}

// RemoveNode implements [crmd.Controller].
func (e *Engine) RemoveNode(ctx context.Context, node string) error {
	return e.call(ctx, func(now core.Time, t core.Token) { e.core.RemoveNode(now, t, node) })
}

// RequestShutdown implements [crmd.Controller].
func (e *Engine) RequestShutdown(ctx context.Context) error {
	return e.call(ctx, func(now core.Time, t core.Token) { e.core.RequestShutdown(now, t) })
}

// AgentMetadata implements [crmd.Controller].
func (e *Engine) AgentMetadata(ctx context.Context, class, provider, typ string) (string, error) {
	return e.cfg.Exec.Metadata(ctx, lrmd.Agent{Class: class, Provider: provider, Type: typ})
}

// Snapshot gives a copy of the document and the ring's view, for exporters. The
// document is nil until the CIB was seen.
func (e *Engine) Snapshot(ctx context.Context) (*etree.Element, messaging.QuorumView, error) {
	type pair struct {
		root *etree.Element
		view messaging.QuorumView
	}
	p, err := ask(ctx, e, func() pair {
		p := pair{view: e.core.View()}
		if root := e.core.Document(); root != nil {
			p.root = document.Clone(root)
		}
		return p
	})
	return p.root, p.view, err
}

// Close implements [crmd.Controller]: it ends the controller without draining
// the node, as a crash does.
func (e *Engine) Close() error {
	if e.cancel != nil {
		e.cancel(crmd.ErrClosed)
		<-e.done
	}
	return nil
}
