// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package server

import (
	"context"
	"log/slog"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/pengine"
	penginev1 "github.com/quorate/quorate/proto/pengine/v1"
)

// Methods says who may call what. The CIB may hold secrets; computing it costs
// time.
func Methods() ipc.MethodTable {
	return ipc.MethodTable{penginev1.Engine_Compute_FullMethodName: ipc.AccessWrite}
}

// Errors gives the errors that cross the socket by name.
func Errors() ipc.ErrorTable {
	return ipc.ErrorTable{
		{Err: pengine.ErrBadInput, Code: codes.InvalidArgument, Reason: "BAD_INPUT"},
		{Err: pengine.ErrClosed, Code: codes.Unavailable, Reason: "CLOSED"},
	}
}

// New returns a gRPC server for the engine.
func New(e pengine.Engine, log *slog.Logger) *ipc.Server {
	s := ipc.NewServer(Methods(), Errors(), log)
	penginev1.RegisterEngineServer(s, &service{e: e})
	return s
}

type service struct {
	penginev1.UnimplementedEngineServer
	e pengine.Engine
}

// Compute implements the service.
func (s *service) Compute(ctx context.Context, req *penginev1.ComputeRequest) (*penginev1.ComputeResponse, error) {
	r, err := s.e.Compute(ctx, pengine.Request{CIB: req.GetCib(), Now: timeOf(req.GetNow()), Reference: req.GetReference()})
	if err != nil {
		return nil, err
	}
	out := &penginev1.ComputeResponse{
		Graph: r.Graph, InputFile: r.InputFile, Actions: int32(min(r.Actions, 1<<30)), Warnings: r.Warnings, Errors: r.Errors,
		FenceNodes: r.FenceNodes, Elapsed: durationpb.New(r.Elapsed),
	}
	if !r.RecheckBy.IsZero() {
		out.RecheckBy = timestamppb.New(r.RecheckBy)
	}
	return out, nil
}

// timeOf is the time of the caller in this machine's zone, since rules of the
// CIB mean local time.
func timeOf(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Unix(0, 0)
	}
	return t.AsTime().Local() //nolint:gosmopolitan // see above
}
