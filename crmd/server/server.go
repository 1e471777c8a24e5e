// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package server

import (
	"context"
	"log/slog"

	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/crmd/server/wire"
	"github.com/quorate/quorate/internal/ipc"
	crmdv1 "github.com/quorate/quorate/proto/crmd/v1"
)

// Methods says who may call what.
func Methods() ipc.MethodTable {
	return ipc.MethodTable{
		crmdv1.Controller_Status_FullMethodName:          ipc.AccessRead,
		crmdv1.Controller_NodeStatus_FullMethodName:      ipc.AccessRead,
		crmdv1.Controller_Peers_FullMethodName:           ipc.AccessRead,
		crmdv1.Controller_FenceHistory_FullMethodName:    ipc.AccessRead,
		crmdv1.Controller_FenceDevices_FullMethodName:    ipc.AccessRead,
		crmdv1.Controller_AgentMetadata_FullMethodName:   ipc.AccessRead,
		crmdv1.Controller_Fence_FullMethodName:           ipc.AccessWrite,
		crmdv1.Controller_ConfirmFenced_FullMethodName:   ipc.AccessWrite,
		crmdv1.Controller_Cleanup_FullMethodName:         ipc.AccessWrite,
		crmdv1.Controller_Fail_FullMethodName:            ipc.AccessWrite,
		crmdv1.Controller_RemoveNode_FullMethodName:      ipc.AccessWrite,
		crmdv1.Controller_RequestShutdown_FullMethodName: ipc.AccessAdmin,
	}
}

// New returns a gRPC server for the controller.
func New(c crmd.Controller, log *slog.Logger) *ipc.Server {
	s := ipc.NewServer(Methods(), wire.Errors(), log)
	crmdv1.RegisterControllerServer(s, &service{c: c})
	return s
}

type service struct {
	crmdv1.UnimplementedControllerServer
	c crmd.Controller
}

func (s *service) Status(ctx context.Context, _ *crmdv1.StatusRequest) (*crmdv1.StatusResponse, error) {
	st, err := s.c.Status(ctx)
	return wire.FromStatus(st), err
}

func (s *service) NodeStatus(ctx context.Context, r *crmdv1.NodeStatusRequest) (*crmdv1.NodeStatusResponse, error) {
	st, err := s.c.NodeStatus(ctx, r.GetNode())
	return &crmdv1.NodeStatusResponse{Status: wire.FromStatus(st)}, err
}

func (s *service) Peers(ctx context.Context, _ *crmdv1.PeersRequest) (*crmdv1.PeersResponse, error) {
	list, err := s.c.Peers(ctx)
	return wire.FromPeers(list), err
}

func (s *service) Fence(ctx context.Context, r *crmdv1.FenceRequest) (*crmdv1.FenceResponse, error) {
	err := s.c.Fence(ctx, r.GetNode(), r.GetAction(), r.GetTimeout().AsDuration(), r.GetDelay().AsDuration())
	return &crmdv1.FenceResponse{}, err
}

func (s *service) ConfirmFenced(ctx context.Context, r *crmdv1.ConfirmFencedRequest) (*crmdv1.ConfirmFencedResponse, error) {
	return &crmdv1.ConfirmFencedResponse{}, s.c.ConfirmFenced(ctx, r.GetNode())
}

func (s *service) FenceHistory(ctx context.Context, r *crmdv1.FenceHistoryRequest) (*crmdv1.FenceHistoryResponse, error) {
	list, err := s.c.FenceHistory(ctx, r.GetNode())
	return wire.FromEvents(list), err
}

func (s *service) FenceDevices(ctx context.Context, r *crmdv1.FenceDevicesRequest) (*crmdv1.FenceDevicesResponse, error) {
	list, err := s.c.FenceDevices(ctx, r.GetNode())
	return &crmdv1.FenceDevicesResponse{Devices: list}, err
}

func (s *service) Cleanup(ctx context.Context, r *crmdv1.CleanupRequest) (*crmdv1.CleanupResponse, error) {
	return &crmdv1.CleanupResponse{}, s.c.Cleanup(ctx, wire.ToCleanup(r))
}

func (s *service) Fail(ctx context.Context, r *crmdv1.FailRequest) (*crmdv1.FailResponse, error) {
	return &crmdv1.FailResponse{}, s.c.Fail(ctx, r.GetResource(), r.GetNode())
}

func (s *service) RemoveNode(ctx context.Context, r *crmdv1.RemoveNodeRequest) (*crmdv1.RemoveNodeResponse, error) {
	return &crmdv1.RemoveNodeResponse{}, s.c.RemoveNode(ctx, r.GetNode())
}

func (s *service) RequestShutdown(ctx context.Context, _ *crmdv1.RequestShutdownRequest) (*crmdv1.RequestShutdownResponse, error) {
	return &crmdv1.RequestShutdownResponse{}, s.c.RequestShutdown(ctx)
}

func (s *service) AgentMetadata(ctx context.Context, r *crmdv1.AgentMetadataRequest) (*crmdv1.AgentMetadataResponse, error) {
	text, err := s.c.AgentMetadata(ctx, r.GetClass(), r.GetProvider(), r.GetType())
	return &crmdv1.AgentMetadataResponse{Metadata: text}, err
}
