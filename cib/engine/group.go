// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"os"
	"time"

	"github.com/quorate/quorate/cib/replica"
	"github.com/quorate/quorate/messaging"
)

// readGroup joins the group, hands its events to the owner, and joins again
// when the group is lost.
func (e *Engine) readGroup() {
	wait := firstRetry
	told := -tellEvery
	for e.ctx.Err() == nil {
		began := e.clk.Now()
		err := e.inGroup()
		if e.ctx.Err() != nil {
			return
		}
		now := e.clk.Now()
		if now-began > lastRetry {
			wait, told = firstRetry, -tellEvery
		}
		if now-told >= tellEvery {
			e.cfg.Log.Warn("not connected to the messaging layer", "retry_every", lastRetry, "err", err)
			told = now
		}
		if !e.sleep(wait) {
			return
		}
		wait = min(2*wait, lastRetry)
	}
}

func (e *Engine) sleep(d time.Duration) bool {
	t := e.clk.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C():
		return true
	case <-e.ctx.Done():
		return false
	}
}

func (e *Engine) inGroup() error {
	ctx, cancel := context.WithCancel(e.ctx)
	defer cancel()
	g, err := e.cfg.Bus.Join(ctx, Group)
	if err != nil {
		return err
	}
	e.learnName(ctx, g.Self().Node)
	e.out.clear() // what an earlier membership did not send is lost with it
	if err := e.post(ctx, &replica.Joined{Self: g.Self()}); err != nil {
		return err
	}
	defer func() {
		_ = e.post(e.ctx, &replica.Lost{}) // only the end of the engine prevents it
	}()
	sender := make(chan struct{})
	go func() {
		defer close(sender)
		e.sendAll(ctx, cancel, g)
	}()
	defer func() { cancel(); <-sender }()
	for {
		ev, err := g.Next(ctx)
		if err != nil {
			if e.ctx.Err() != nil {
				// An orderly end: the others need not wait for a failure.
				bye, stop := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
				_ = g.Leave(bye)
				stop()
			}
			return err
		}
		var in replica.Event
		switch ev := ev.(type) {
		case *messaging.ConfigChange:
			in = &replica.View{Change: ev}
		case *messaging.Message:
			in = &replica.Deliver{From: ev.From, Body: ev.Body}
		default:
			continue
		}
		if err := e.post(ctx, in); err != nil {
			return err
		}
	}
}

func (e *Engine) sendAll(ctx context.Context, fail context.CancelFunc, g messaging.Group) {
	for {
		bodies, ok := e.out.take(ctx)
		if !ok {
			return
		}
		for _, b := range bodies {
			if err := g.Multicast(ctx, b); err != nil {
				if ctx.Err() == nil {
					e.cfg.Log.Warn("message not sent", "bytes", len(b), "err", err)
				}
				fail()
				return
			}
		}
	}
}

// learnName finds out how this node is called.
func (e *Engine) learnName(ctx context.Context, id messaging.NodeID) {
	e.mu.Lock()
	e.id = id
	known := e.name != ""
	e.mu.Unlock()
	if known {
		return
	}
	st, err := e.cfg.Bus.Status(ctx)
	name := st.Name
	if err == nil && name == "" {
		name, err = os.Hostname() // as Pacemaker, where corosync.conf names no nodes
	}
	if err != nil {
		e.cfg.Log.Warn("name of this node not known", "node", id, "err", err)
		return
	}
	e.setName(name)
}

func (e *Engine) setName(name string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if name != "" && e.name == "" {
		e.name = name
		close(e.named)
	}
}

// self gives id and name of this node. It waits for the name, which comes with
// the first contact with the messaging layer.
func (e *Engine) self(ctx context.Context) (messaging.NodeID, string) {
	select {
	case <-e.named:
	case <-ctx.Done():
	case <-e.ctx.Done():
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.id, e.name
}
