// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package wire translates between the controller's types and their protobuf
// forms, for the server and the client.
package wire

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/internal/ipc"
	crmdv1 "github.com/quorate/quorate/proto/crmd/v1"
)

// Errors is the layer's error table.
func Errors() ipc.ErrorTable {
	return ipc.ErrorTable{
		{Err: crmd.ErrClosed, Code: codes.Aborted, Reason: "CRMD_CLOSED"},
		{Err: crmd.ErrNoDC, Code: codes.FailedPrecondition, Reason: "CRMD_NO_DC"},
		{Err: crmd.ErrNoNode, Code: codes.NotFound, Reason: "CRMD_NO_NODE"},
		{Err: crmd.ErrInvalid, Code: codes.InvalidArgument, Reason: "CRMD_INVALID"},
		{Err: crmd.ErrFencing, Code: codes.Aborted, Reason: "CRMD_FENCING"},
		{Err: crmd.ErrNotDrained, Code: codes.Aborted, Reason: "CRMD_NOT_DRAINED"},
		{Err: crmd.ErrBusy, Code: codes.ResourceExhausted, Reason: "CRMD_BUSY"},
	}
}

// FromStatus gives the protobuf form of a status.
func FromStatus(s crmd.Status) *crmdv1.StatusResponse {
	return &crmdv1.StatusResponse{
		Node: s.Node, Id: s.ID, Dc: s.DC, State: s.State, Quorate: s.Quorate, Transition: int64(s.Transition), Idle: s.Idle,
		Version: s.Version, FeatureSet: s.FeatureSet,
	}
}

// ToStatus reads a status.
func ToStatus(s *crmdv1.StatusResponse) crmd.Status {
	return crmd.Status{
		Node: s.GetNode(), ID: s.GetId(), DC: s.GetDc(), State: s.GetState(), Quorate: s.GetQuorate(),
		Transition: int(s.GetTransition()), Idle: s.GetIdle(), Version: s.GetVersion(), FeatureSet: s.GetFeatureSet(),
	}
}

// FromPeers gives the protobuf form of a list of nodes.
func FromPeers(list []crmd.Peer) *crmdv1.PeersResponse {
	resp := &crmdv1.PeersResponse{}
	for _, p := range list {
		resp.Peers = append(resp.Peers, &crmdv1.Peer{Id: p.ID, Name: p.Name, State: p.State, Controller: p.Controller})
	}
	return resp
}

// ToPeers reads a list of nodes.
func ToPeers(resp *crmdv1.PeersResponse) []crmd.Peer {
	var list []crmd.Peer
	for _, p := range resp.GetPeers() {
		list = append(list, crmd.Peer{ID: p.GetId(), Name: p.GetName(), State: p.GetState(), Controller: p.GetController()})
	}
	return list
}

// FromEvents gives the protobuf form of a fencing history.
func FromEvents(list []crmd.FenceEvent) *crmdv1.FenceHistoryResponse {
	resp := &crmdv1.FenceHistoryResponse{}
	for _, e := range list {
		pe := &crmdv1.FenceEvent{
			Id: e.ID, Target: e.Target, Action: e.Action, Device: e.Device, Client: e.Client, Origin: e.Origin,
			Delegate: e.Dlg, State: e.State, Reason: e.Reason,
		}
		if !e.Completed.IsZero() {
			pe.Completed = timestamppb.New(e.Completed)
		}
		resp.Events = append(resp.Events, pe)
	}
	return resp
}

// ToEvents reads a fencing history.
func ToEvents(resp *crmdv1.FenceHistoryResponse) []crmd.FenceEvent {
	var list []crmd.FenceEvent
	for _, e := range resp.GetEvents() {
		fe := crmd.FenceEvent{
			ID: e.GetId(), Target: e.GetTarget(), Action: e.GetAction(), Device: e.GetDevice(), Client: e.GetClient(),
			Origin: e.GetOrigin(), Dlg: e.GetDelegate(), State: e.GetState(), Reason: e.GetReason(),
		}
		if e.GetCompleted() != nil {
			fe.Completed = e.GetCompleted().AsTime()
		}
		list = append(list, fe)
	}
	return list
}

// FromCleanup gives the protobuf form of a cleanup.
func FromCleanup(r crmd.CleanupRequest) *crmdv1.CleanupRequest {
	return &crmdv1.CleanupRequest{
		Resource: r.Resource, Node: r.Node, Operation: r.Operation, Interval: Duration(r.Interval), FailuresOnly: r.FailuresOnly,
	}
}

// ToCleanup reads a cleanup.
func ToCleanup(r *crmdv1.CleanupRequest) crmd.CleanupRequest {
	return crmd.CleanupRequest{
		Resource: r.GetResource(), Node: r.GetNode(), Operation: r.GetOperation(), Interval: r.GetInterval().AsDuration(),
		FailuresOnly: r.GetFailuresOnly(),
	}
}

// Duration gives the protobuf form of a duration, nil for none.
func Duration(d time.Duration) *durationpb.Duration {
	if d == 0 {
		return nil
	}
	return durationpb.New(d)
}
