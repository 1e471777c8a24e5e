// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package server

import (
	"context"
	"log/slog"

	"google.golang.org/grpc"

	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/lrmd/server/wire"
	lrmdv1 "github.com/quorate/quorate/proto/lrmd/v1"
)

// Methods says who may call what. Running programs as root, and seeing their
// parameters, is for root alone.
func Methods() ipc.MethodTable {
	return ipc.MethodTable{
		lrmdv1.Executor_Execute_FullMethodName:   ipc.AccessAdmin,
		lrmdv1.Executor_Cancel_FullMethodName:    ipc.AccessAdmin,
		lrmdv1.Executor_Forget_FullMethodName:    ipc.AccessAdmin,
		lrmdv1.Executor_Watch_FullMethodName:     ipc.AccessAdmin,
		lrmdv1.Executor_Metadata_FullMethodName:  ipc.AccessRead,
		lrmdv1.Executor_Agents_FullMethodName:    ipc.AccessRead,
		lrmdv1.Executor_Providers_FullMethodName: ipc.AccessRead,
		lrmdv1.Executor_Classes_FullMethodName:   ipc.AccessRead,
	}
}

// New returns a gRPC server for the executor.
func New(e lrmd.Executor, log *slog.Logger) *ipc.Server {
	s := ipc.NewServer(Methods(), wire.Errors(), log)
	lrmdv1.RegisterExecutorServer(s, &service{e: e})
	return s
}

type service struct {
	lrmdv1.UnimplementedExecutorServer
	e lrmd.Executor
}

func (s *service) Execute(ctx context.Context, req *lrmdv1.ExecuteRequest) (*lrmdv1.ExecuteResponse, error) {
	call, err := s.e.Execute(ctx, wire.ToOp(req.GetOp()))
	if err != nil {
		return nil, err
	}
	return &lrmdv1.ExecuteResponse{CallId: int64(call)}, nil
}

func (s *service) Cancel(ctx context.Context, req *lrmdv1.CancelRequest) (*lrmdv1.CancelResponse, error) {
	known, err := s.e.Cancel(ctx, req.GetResource(), req.GetAction(), req.GetInterval().AsDuration())
	if err != nil {
		return nil, err
	}
	return &lrmdv1.CancelResponse{Known: known}, nil
}

func (s *service) Forget(ctx context.Context, req *lrmdv1.ForgetRequest) (*lrmdv1.ForgetResponse, error) {
	return &lrmdv1.ForgetResponse{}, s.e.Forget(ctx, req.GetResource())
}

func (s *service) Watch(_ *lrmdv1.WatchRequest, stream grpc.ServerStreamingServer[lrmdv1.WatchResponse]) error {
	ctx := stream.Context()
	w, err := s.e.Watch(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	first := &lrmdv1.WatchResponse_Snapshot{Snapshot: wire.FromSnapshot(w.Snapshot())}
	if err := stream.Send(&lrmdv1.WatchResponse{Event: first}); err != nil {
		return err
	}
	for {
		r, err := w.Next(ctx)
		if err != nil {
			return err
		}
		next := &lrmdv1.WatchResponse_Result{Result: wire.FromResult(r)}
		if err := stream.Send(&lrmdv1.WatchResponse{Event: next}); err != nil {
			return err
		}
	}
}

func (s *service) Metadata(ctx context.Context, req *lrmdv1.MetadataRequest) (*lrmdv1.MetadataResponse, error) {
	text, err := s.e.Metadata(ctx, wire.ToAgent(req.GetAgent()))
	if err != nil {
		return nil, err
	}
	return &lrmdv1.MetadataResponse{Xml: text}, nil
}

func (s *service) Agents(ctx context.Context, req *lrmdv1.AgentsRequest) (*lrmdv1.NamesResponse, error) {
	return names(s.e.Agents(ctx, req.GetClass(), req.GetProvider()))
}

func (s *service) Providers(ctx context.Context, req *lrmdv1.ProvidersRequest) (*lrmdv1.NamesResponse, error) {
	return names(s.e.Providers(ctx, req.GetType()))
}

func (s *service) Classes(ctx context.Context, _ *lrmdv1.ClassesRequest) (*lrmdv1.NamesResponse, error) {
	return names(s.e.Classes(ctx))
}

func names(list []string, err error) (*lrmdv1.NamesResponse, error) {
	if err != nil {
		return nil, err
	}
	return &lrmdv1.NamesResponse{Names: list}, nil
}
