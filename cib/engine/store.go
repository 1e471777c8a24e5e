// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/attrs"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/operation"
	"github.com/quorate/quorate/cib/replica"
)

// Do implements cib.Store.
func (e *Engine) Do(ctx context.Context, req cib.Request) (cib.Result, error) {
	begin := e.clk.Now()
	res, err := e.do(ctx, req)
	e.met.request(req.Op, err, e.clk.Now()-begin)
	return res, err
}

func (e *Engine) do(ctx context.Context, req cib.Request) (cib.Result, error) {
	if e.ctx.Err() != nil {
		return cib.Result{}, cib.ErrClosed
	}
	p := e.present.Load()
	if req.Op == cib.OpQuery {
		if req.XPath == "" && !req.NoChildren && (req.Section == "" || req.Section == "all" || req.Section == "cib") {
			return cib.Result{Output: p.text(), Version: p.version}, nil
		}
		return operation.Query(p.root, req)
	}
	if len(req.Data) > cib.MaxRequest {
		return cib.Result{}, &cib.Error{Code: cib.CodeDataErr, Op: req.Op, Msg: fmt.Sprintf(
			"Request of %d bytes exceeds the limit of %d", len(req.Data), cib.MaxRequest)}
	}
	if err := e.room(req, p); err != nil {
		return cib.Result{}, err
	}
	ctx, cancel := e.patient(ctx)
	defer cancel()
	_, name := e.self(ctx)
	meta := operation.Meta{
		Node: name, Client: req.Client, User: req.User,
		Written: e.clk.Wall().Format(operation.WrittenLayout), KeepStatus: true,
	}
	if req.DryRun {
		out, err := operation.Apply(p.root, req, meta)
		return out.Result, err
	}
	return e.submit(ctx, req.Op, len(req.Data), &replica.Write{Req: req, Meta: meta})
}

// room refuses a change of the configuration that could not be stored.
func (e *Engine) room(req cib.Request, p *present) error {
	if e.store == nil || req.Section == "status" {
		return nil
	}
	if err := e.store.Room(len(p.text()) + len(req.Data)); err != nil {
		if !e.noRoom.Swap(true) {
			e.cfg.Log.Warn("changes are refused, they could not be stored", "folder", e.cfg.Dir, "err", err)
		}
		return &cib.Error{Code: cib.CodeError, Op: req.Op, Msg: "Change is refused, it could not be stored: " + err.Error()}
	}
	if e.noRoom.Swap(false) {
		e.cfg.Log.Info("changes can be stored again", "folder", e.cfg.Dir)
	}
	return nil
}

// patient gives a deadline to a write that has none.
func (e *Engine) patient(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, e.cfg.Timeout)
}

// submit sends one write and waits for its answer.
func (e *Engine) submit(ctx context.Context, op cib.Op, size int, ev replica.Event) (cib.Result, error) {
	select {
	case e.slots <- struct{}{}:
		defer func() { <-e.slots }()
	case <-ctx.Done():
		return cib.Result{}, e.expired(ctx, op)
	case <-e.ctx.Done():
		return cib.Result{}, cib.ErrClosed
	}
	if e.bytes.Add(int64(size)) > maxInBytes {
		e.bytes.Add(int64(-size))
		return cib.Result{}, &cib.Error{Code: cib.CodeTimeout, Op: op, Msg: "Too many large changes at a time, try again"}
	}
	defer e.bytes.Add(int64(-size))
	c := &call{ev: ev, reply: make(chan replica.Answer, 1)}
	if err := e.post(ctx, c); err != nil {
		if errors.Is(err, cib.ErrClosed) {
			return cib.Result{}, err
		}
		return cib.Result{}, e.expired(ctx, op)
	}
	select {
	case a := <-c.reply:
		var ce *cib.Error
		if errors.As(a.Err, &ce) && ce.Op == "" {
			ce.Op = op
		}
		return a.Result, a.Err
	case <-ctx.Done():
		_ = e.post(e.ctx, func() { // only the end of the engine prevents it
			delete(e.calls, c.id)
			e.act(e.core.Step(&replica.GiveUp{ID: c.id}))
		})
		return cib.Result{}, e.expired(ctx, op)
	case <-e.ctx.Done():
		return cib.Result{}, cib.ErrClosed
	}
}

// expired tells why a write was not answered in time.
func (e *Engine) expired(ctx context.Context, op cib.Op) error {
	if errors.Is(ctx.Err(), context.Canceled) {
		return ctx.Err()
	}
	msg := "Timer expired: the change was not confirmed in time, whether it is in effect is not known"
	if e.met.mode() == replica.ModeAlone {
		msg = "Timer expired: this node is not connected to the cluster (is messagingd running?), the change was not made"
	}
	return &cib.Error{Code: cib.CodeTimeout, Op: op, Msg: msg}
}

// SetAttr implements cib.Store.
func (e *Engine) SetAttr(ctx context.Context, up cib.AttrUpdate) error {
	const op = cib.OpModify
	ctx, cancel := e.patient(ctx)
	defer cancel()
	id, name := e.self(ctx)
	p := e.present.Load()
	if up.Node == "" {
		up.Node = name
	}
	nodeID := attrs.NodeID(p.root, up.Node)
	if nodeID == "" && up.Node == name && id != 0 {
		nodeID = strconv.FormatUint(uint64(id), 10)
	}
	if nodeID == "" {
		nodeID = e.askID(ctx, up.Node)
	}
	if nodeID == "" || up.Node == "" {
		return &cib.Error{Code: cib.CodeNoSuch, Op: op, Msg: fmt.Sprintf("Node %q is not known to the cluster", up.Node)}
	}
	if up.Permanent {
		return e.permanent(ctx, up, nodeID)
	}
	begin := e.clk.Now()
	_, err := e.submit(ctx, op, len(up.Value), &replica.SetAttr{Up: attrs.Update{AttrUpdate: up, NodeID: nodeID}})
	e.met.request(opAttribute, err, e.clk.Now()-begin)
	return err
}

// askID asks the messaging layer for the id of a node that the document does
// not know yet.
func (e *Engine) askID(ctx context.Context, name string) string {
	st, err := e.cfg.Bus.Status(ctx)
	if err != nil {
		return ""
	}
	for _, n := range st.View.Nodes {
		if n.Name == name {
			return strconv.FormatUint(uint64(n.ID), 10)
		}
	}
	return ""
}

func (e *Engine) permanent(ctx context.Context, up cib.AttrUpdate, nodeID string) error {
	p := e.present.Load()
	place := attrs.Place{Scope: attrs.ScopeNodes, NodeID: nodeID, NodeName: up.Node, Set: up.Set, Name: up.Name}
	if up.Delete {
		for _, nv := range attrs.Find(p.root, place) {
			_, err := e.Do(ctx, cib.Request{
				Op: cib.OpDelete, Section: "nodes", User: up.User, Client: "attrd",
				Data: document.Compact(document.New("nvpair", "id", document.ID(nv), "name", up.Name)),
			})
			if err != nil {
				return err
			}
		}
		return nil
	}
	section, data := place.Update(p.root, up.Value)
	_, err := e.Do(ctx, cib.Request{
		Op: cib.OpModify, Section: section, CanCreate: true, User: up.User, Client: "attrd", Data: document.Compact(data),
	})
	return err
}

// Attrs implements cib.Store.
func (e *Engine) Attrs(ctx context.Context, name, node string) ([]cib.Attr, error) {
	list := make(chan []cib.Attr, 1)
	if err := e.post(ctx, func() { list <- e.core.Attrs(name, node) }); err != nil {
		return nil, err
	}
	select {
	case l := <-list:
		return l, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-e.ctx.Done():
		return nil, cib.ErrClosed
	}
}

// Watch implements cib.Store.
func (e *Engine) Watch(ctx context.Context) (cib.Watch, error) {
	made := make(chan *watcher, 1)
	err := e.post(ctx, func() {
		p := e.present.Load()
		made <- e.watch.add(cib.Change{Version: p.version, Snapshot: p.text()})
	})
	if err != nil {
		return nil, err
	}
	select {
	case w := <-made:
		return w, nil
	case <-e.ctx.Done():
		return nil, cib.ErrClosed
	}
}
