// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"errors"
	"sync"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/patch"
	"github.com/quorate/quorate/crmd/core"
	"github.com/quorate/quorate/crmd/wire"
	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/messaging"
)

// groupHandle is the present membership, shared by the workers.
type groupHandle struct {
	mu sync.Mutex
	g  messaging.Group // guarded by mu
}

func (h *groupHandle) get() messaging.Group {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.g
}

func (h *groupHandle) set(g messaging.Group) {
	h.mu.Lock()
	h.g = g
	h.mu.Unlock()
}

// joinGroup joins the controllers' group and delivers its events until it ends.
func (e *Engine) joinGroup(ctx context.Context) {
	var g messaging.Group
	for attempt := 0; ; attempt++ {
		var err error
		if g, err = e.cfg.Bus.Join(ctx, wire.Group); err == nil {
			break
		}
		if attempt == 0 {
			e.cfg.Log.Warn("messaging does not answer", "error", err.Error())
		}
		if !e.pause(ctx, attempt) {
			return
		}
	}
	e.sends.clear() // messages of a former membership
	e.group.set(g)
	self := g.Self()
	e.post(func(now core.Time) { e.core.GroupJoined(now, self) })
	for {
		ev, err := g.Next(ctx)
		if err != nil {
			if ctx.Err() != nil || e.leaving.Load() {
				return
			}
			e.cfg.Log.Warn("group lost", "error", err.Error())
			e.group.set(nil)
			e.post(func(now core.Time) { e.core.GroupLost(now) })
			return
		}
		e.deliver(ev)
	}
}

func (e *Engine) deliver(ev messaging.Event) {
	switch ev := ev.(type) {
	case *messaging.ConfigChange:
		e.post(func(now core.Time) { e.core.ConfigChange(now, ev) })
	case *messaging.Message:
		m, err := wire.Decode(ev.Body)
		if err != nil {
			e.cfg.Log.Warn("message dropped", "from", ev.From.Node, "error", err.Error())
			return
		}
		e.post(func(now core.Time) { e.core.Message(now, ev.From, m) })
	}
}

// sender multicasts messages in order. What cannot be sent is lost with the
// membership: the group's end tells the core.
func (e *Engine) sender(ctx context.Context) {
	for {
		m, ok := e.sends.pop(ctx)
		if !ok {
			return
		}
		g := e.group.get()
		if g == nil {
			continue
		}
		body, err := wire.Encode(m)
		if err == nil {
			err = g.Multicast(ctx, body)
		}
		if err != nil && ctx.Err() == nil {
			e.cfg.Log.Warn("message not sent", "error", err.Error())
		}
	}
}

// watchQuorum follows the quorum view.
func (e *Engine) watchQuorum(ctx context.Context) {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		w, err := e.cfg.Bus.WatchQuorum(ctx)
		for err == nil {
			var v messaging.QuorumView
			if v, err = w.Next(ctx); err == nil {
				attempt = 0
				e.post(func(now core.Time) { e.core.Quorum(now, v) })
			}
		}
		if w != nil {
			_ = w.Close()
		}
		if !e.pause(ctx, attempt) {
			return
		}
	}
}

// watchCIB follows the document. The tree is handed to the core with each
// change; it is changed only in the core's goroutine.
func (e *Engine) watchCIB(ctx context.Context) {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		again, cancel := context.WithCancel(ctx)
		w, err := e.cfg.Store.Watch(again)
		for err == nil {
			var ch cib.Change
			if ch, err = w.Next(again); err == nil {
				err = e.change(ch, cancel)
				attempt = 0
			}
		}
		cancel()
		if w != nil {
			_ = w.Close()
		}
		if ctx.Err() != nil {
			return
		}
		e.cfg.Log.Warn("cib not watched", "error", err.Error())
		e.post(func(now core.Time) { e.core.CIBLost(now) })
		if !e.pause(ctx, attempt) {
			return
		}
	}
}

func (e *Engine) change(ch cib.Change, again context.CancelFunc) error {
	if ch.Snapshot != nil {
		root, err := document.Parse(ch.Snapshot)
		if err != nil {
			return err
		}
		e.post(func(now core.Time) {
			e.core.CIBSnapshot(now, root, ch.Version)
		})
		return nil
	}
	diff, err := document.Parse(ch.Patchset)
	if err != nil {
		return err
	}
	e.post(func(now core.Time) { e.apply(now, ch.Version, diff, again) })
	return nil
}

// apply brings the core's document forward. A patchset that does not fit means
// that the watch must begin anew.
func (e *Engine) apply(now core.Time, v cib.Version, diff *etree.Element, again context.CancelFunc) {
	root := e.core.Document()
	if root == nil {
		return
	}
	next, err := patch.Apply(root, diff)
	if errors.Is(err, patch.ErrOld) {
		return // the snapshot has it already
	}
	if err != nil {
		e.core.CIBLost(now)
		e.cfg.Log.Error("patchset does not fit", "version", v.String(), "error", err.Error())
		again()
		return
	}
	e.core.CIBChanged(now, next, v, diff)
}

// writer changes the CIB, one request after the other. While cibd does not
// answer it tries again: what a node knows of its resources must not be lost.
func (e *Engine) writer(ctx context.Context) {
	for {
		eff, ok := e.writes.pop(ctx)
		if !ok {
			return
		}
		for attempt := 0; ; attempt++ {
			t, v, err := e.write(ctx, eff)
			if transient(err) {
				if attempt == 0 {
					e.cfg.Log.Warn("cib does not answer", "error", err.Error())
				}
				if e.pause(ctx, attempt) {
					continue
				}
				return
			}
			e.post(func(now core.Time) { e.core.WriteDone(now, t, v, err) })
			break
		}
	}
}

func (e *Engine) write(ctx context.Context, eff core.Effect) (core.Token, cib.Version, error) {
	switch x := eff.(type) {
	case core.Write:
		res, err := e.cfg.Store.Do(ctx, x.Req)
		return x.Token, res.Version, err
	case core.Attr:
		err := e.cfg.Store.SetAttr(ctx, x.Up)
		if err != nil {
			return x.Token, cib.Version{}, err
		}
		// The answer does not say which document shows the attribute: the present
		// one of this node does.
		res, err := e.cfg.Store.Do(ctx, cib.Request{Op: cib.OpQuery, NoChildren: true})
		if err != nil {
			return x.Token, cib.Version{}, nil //nolint:nilerr // the attribute is set
		}
		return x.Token, res.Version, nil
	}
	return 0, cib.Version{}, nil
}

// transient tells whether an error is of the connection, not an answer.
func transient(err error) bool {
	return errors.Is(err, ipc.ErrUnavailable) || errors.Is(err, cib.ErrClosed) || errors.Is(err, lrmd.ErrClosed) ||
		errors.Is(err, context.DeadlineExceeded)
}

// watchExecutor follows the executor's results.
func (e *Engine) watchExecutor(ctx context.Context) {
	for attempt := 0; ctx.Err() == nil; attempt++ {
		w, err := e.cfg.Exec.Watch(ctx)
		if err == nil {
			attempt = 0
			snap := w.Snapshot()
			e.post(func(now core.Time) { e.core.LRMSnapshot(now, snap) })
		}
		for err == nil {
			var res lrmd.Result
			if res, err = w.Next(ctx); err == nil {
				e.post(func(now core.Time) { e.core.LRMResult(now, res) })
			}
		}
		if w != nil {
			_ = w.Close()
		}
		if ctx.Err() != nil {
			return
		}
		if attempt == 0 {
			e.cfg.Log.Warn("executor does not answer", "error", err.Error())
			e.post(func(now core.Time) { e.core.LRMLost(now) })
		}
		if !e.pause(ctx, attempt) {
			return
		}
	}
}
