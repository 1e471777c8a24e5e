// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package server

import (
	"context"
	"fmt"
	"log/slog"

	"google.golang.org/grpc"

	"github.com/quorate/quorate/internal/ipc"
	transitionv1 "github.com/quorate/quorate/proto/transition/v1"
	"github.com/quorate/quorate/transition"
	"github.com/quorate/quorate/transition/graph"
	"github.com/quorate/quorate/transition/server/wire"
)

// Methods says who may call what: carrying graphs out is the controller's.
func Methods() ipc.MethodTable {
	return ipc.MethodTable{transitionv1.Engine_Run_FullMethodName: ipc.AccessAdmin}
}

// New returns a gRPC server for the engine.
func New(e transition.Engine, log *slog.Logger) *ipc.Server {
	s := ipc.NewServer(Methods(), wire.Errors(), log)
	transitionv1.RegisterEngineServer(s, &service{e: e})
	return s
}

type service struct {
	transitionv1.UnimplementedEngineServer
	e transition.Engine
}

type stream = grpc.BidiStreamingServer[transitionv1.RunRequest, transitionv1.RunResponse]

// Run serves one run: this goroutine sends the steps, another one reads what the
// caller tells.
func (s *service) Run(st stream) error {
	first, err := st.Recv()
	if err != nil {
		return err
	}
	begin := first.GetBegin()
	if begin == nil {
		return fmt.Errorf("%w: a run starts with begin", transition.ErrInvalid)
	}
	g, err := graph.Parse(begin.GetGraph())
	if err != nil {
		return fmt.Errorf("%w: %w", transition.ErrInvalid, err)
	}
	ctx, cancel := context.WithCancel(st.Context())
	defer cancel()
	run, err := s.e.Begin(ctx, g, wire.ToOptions(begin))
	if err != nil {
		return err
	}
	if err := st.Send(&transitionv1.RunResponse{Kind: &transitionv1.RunResponse_Begun{Begun: true}}); err != nil {
		return err
	}
	go listen(ctx, cancel, st, run)
	for {
		step, err := run.Next(ctx)
		if err != nil {
			return err
		}
		done, err := send(st, step)
		if done || err != nil {
			return err
		}
	}
}

func send(st stream, step transition.Step) (done bool, err error) {
	resp := &transitionv1.RunResponse{}
	switch x := step.(type) {
	case *transition.Fire:
		resp.Kind = &transitionv1.RunResponse_Fire{Fire: int32(x.Action.ID)} //nolint:gosec // an id of the graph, bounded
	case *transition.Timeout:
		resp.Kind = &transitionv1.RunResponse_Timeout{Timeout: int32(x.Action.ID)} //nolint:gosec // an id of the graph, bounded
	case *transition.Done:
		resp.Kind = &transitionv1.RunResponse_Done{Done: wire.FromDone(x)}
		done = true
	}
	return done, st.Send(resp)
}

// listen passes on what the caller tells. When the caller goes away the run is
// aborted: nothing is to be fired that nobody carries out.
func listen(ctx context.Context, cancel context.CancelFunc, st stream, run transition.Run) {
	defer cancel()
	for {
		req, err := st.Recv()
		if err != nil {
			_ = run.Abort(ctx, transition.Abort{
				Priority: transition.Infinity, Follow: transition.FollowWait, Why: "the controller went away",
			})
			return
		}
		switch k := req.GetKind().(type) {
		case *transitionv1.RunRequest_Confirm:
			err = run.Confirm(ctx, wire.ToConfirm(k.Confirm))
		case *transitionv1.RunRequest_Abort:
			err = run.Abort(ctx, wire.ToAbort(k.Abort))
		default:
			err = fmt.Errorf("%w: one begin for each run", transition.ErrInvalid)
		}
		if err != nil {
			return
		}
	}
}
