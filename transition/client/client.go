// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client

import (
	"context"
	"fmt"
	"sync"

	"google.golang.org/grpc"

	"github.com/quorate/quorate/internal/ipc"
	transitionv1 "github.com/quorate/quorate/proto/transition/v1"
	"github.com/quorate/quorate/transition"
	"github.com/quorate/quorate/transition/graph"
	"github.com/quorate/quorate/transition/server/wire"
)

// A Client is a connection to transitiond.
type Client struct {
	conn *grpc.ClientConn
	svc  transitionv1.EngineClient
	errs ipc.ErrorTable
}

// Dial prepares a connection to the daemon's socket; it connects when used.
func Dial(path string) (*Client, error) {
	conn, err := ipc.Dial(path)
	if err != nil {
		return nil, err
	}
	return &Client{conn: conn, svc: transitionv1.NewEngineClient(conn), errs: wire.Errors()}, nil
}

// Close ends the connection and the run that uses it.
func (c *Client) Close() error { return c.conn.Close() }

// Begin implements [transition.Engine].
func (c *Client) Begin(ctx context.Context, g *graph.Graph, opts transition.Options) (transition.Run, error) {
	ctx, cancel := context.WithCancel(ctx)
	st, err := c.svc.Run(ctx)
	if err == nil {
		err = st.Send(&transitionv1.RunRequest{Kind: &transitionv1.RunRequest_Begin{Begin: wire.FromOptions(graph.Marshal(g), opts)}})
	}
	var first *transitionv1.RunResponse
	if err == nil || st != nil {
		first, err = st.Recv() // carries the reason where Send failed
	}
	if err == nil && !first.GetBegun() {
		err = fmt.Errorf("%w: transitiond answered a begin with a step", transition.ErrClosed)
	}
	if err != nil {
		cancel()
		return nil, c.errs.FromStatus(err)
	}
	r := &run{c: c, st: st, cancel: cancel, actions: map[int32]*graph.Action{}, steps: make(chan step, 1), done: ctx.Done()}
	for _, s := range g.Synapses {
		for _, a := range s.Actions {
			r.actions[int32(a.ID)] = a //nolint:gosec // an id of the graph, bounded
		}
	}
	go r.receive()
	return r, nil
}

type run struct {
	c       *Client
	st      grpc.BidiStreamingClient[transitionv1.RunRequest, transitionv1.RunResponse]
	cancel  context.CancelFunc
	done    <-chan struct{}
	actions map[int32]*graph.Action
	steps   chan step

	mu sync.Mutex // guards sending
}

type step struct {
	s   transition.Step
	err error
}

// receive reads the stream until it ends. It is stopped by the context that the
// run was begun with.
func (r *run) receive() {
	defer close(r.steps)
	defer r.cancel()
	for {
		resp, err := r.st.Recv()
		if err != nil {
			r.hand(step{err: fmt.Errorf("%w: %w", transition.ErrClosed, r.c.errs.FromStatus(err))})
			return
		}
		s := r.read(resp)
		if s == nil {
			continue
		}
		if !r.hand(step{s: s}) {
			return
		}
		if _, last := s.(*transition.Done); last {
			return
		}
	}
}

func (r *run) hand(s step) bool {
	select {
	case r.steps <- s:
		return true
	case <-r.done:
		return false
	}
}

func (r *run) read(resp *transitionv1.RunResponse) transition.Step {
	switch k := resp.GetKind().(type) {
	case *transitionv1.RunResponse_Fire:
		if a := r.actions[k.Fire]; a != nil {
			return &transition.Fire{Action: a}
		}
	case *transitionv1.RunResponse_Timeout:
		if a := r.actions[k.Timeout]; a != nil {
			return &transition.Timeout{Action: a}
		}
	case *transitionv1.RunResponse_Done:
		return wire.ToDone(k.Done)
	}
	return nil
}

// Next implements [transition.Run].
func (r *run) Next(ctx context.Context) (transition.Step, error) {
	select {
	case <-ctx.Done():
		return nil, ctx.Err()
	case s, ok := <-r.steps:
		if !ok {
			return nil, transition.ErrClosed
		}
		return s.s, s.err
	}
}

// Confirm implements [transition.Run].
func (r *run) Confirm(_ context.Context, c transition.Confirm) error {
	return r.send(&transitionv1.RunRequest{Kind: &transitionv1.RunRequest_Confirm{Confirm: wire.FromConfirm(c)}})
}

// Abort implements [transition.Run].
func (r *run) Abort(_ context.Context, a transition.Abort) error {
	return r.send(&transitionv1.RunRequest{Kind: &transitionv1.RunRequest_Abort{Abort: wire.FromAbort(a)}})
}

func (r *run) send(req *transitionv1.RunRequest) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err := r.st.Send(req); err != nil {
		return fmt.Errorf("%w: %w", transition.ErrClosed, err)
	}
	return nil
}
