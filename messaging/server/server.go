// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"google.golang.org/grpc"

	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/server/wire"
	pb "github.com/quorate/quorate/proto/messaging/v1"
)

// A Bus is what is served: a bus with its administration.
type Bus interface {
	messaging.Bus
	messaging.Admin
}

// A batcher is a group that can give several events at once.
type batcher interface {
	NextBatch(ctx context.Context, count, size int) ([]messaging.Event, error)
}

// Bounds of one batch of deliveries.
const (
	batchEvents = 256
	batchBytes  = wire.MaxPart
)

// Methods says who may call what. Looking is for the group of the operators;
// changing votes and stopping the node is for root.
func Methods() ipc.MethodTable {
	return ipc.MethodTable{
		pb.Bus_Join_FullMethodName:             ipc.AccessWrite,
		pb.Bus_WatchQuorum_FullMethodName:      ipc.AccessRead,
		pb.Bus_Status_FullMethodName:           ipc.AccessRead,
		pb.Bus_Cmap_FullMethodName:             ipc.AccessRead,
		pb.Bus_Groups_FullMethodName:           ipc.AccessRead,
		pb.Bus_SetCmap_FullMethodName:          ipc.AccessAdmin,
		pb.Bus_SetExpectedVotes_FullMethodName: ipc.AccessAdmin,
		pb.Bus_SetVotes_FullMethodName:         ipc.AccessAdmin,
		pb.Bus_Reload_FullMethodName:           ipc.AccessAdmin,
		pb.Bus_WatchCmap_FullMethodName:        ipc.AccessRead,
		pb.Bus_ClearStats_FullMethodName:       ipc.AccessAdmin,
		pb.Bus_KillNode_FullMethodName:         ipc.AccessAdmin,
		pb.Bus_ReopenLogs_FullMethodName:       ipc.AccessAdmin,
		pb.Bus_Dump_FullMethodName:             ipc.AccessAdmin,
		pb.Bus_Shutdown_FullMethodName:         ipc.AccessAdmin,
	}
}

// New returns a gRPC server; open makes a client of the engine for a process.
func New(open func(pid uint32) Bus, log *slog.Logger, options ...ipc.Option) *ipc.Server {
	s := ipc.NewServer(Methods(), wire.Errors(), log, options...)
	pb.RegisterBusServer(s, &service{open: open, shared: open(0)})
	return s
}

type service struct {
	pb.UnimplementedBusServer
	open   func(pid uint32) Bus
	shared Bus // for calls that join nothing
}

// Join serves one member.
func (s *service) Join(stream grpc.BidiStreamingServer[pb.JoinRequest, pb.JoinResponse]) error {
	first, err := stream.Recv()
	if err != nil {
		return err
	}
	join := first.GetJoin()
	if join == nil {
		return fmt.Errorf("%w: the first request must join", messaging.ErrInvalid)
	}
	var pid uint32
	if cred, ok := ipc.PeerCred(stream.Context()); ok && cred.PID > 0 {
		pid = uint32(cred.PID)
	}
	bus := s.open(pid)
	defer func() { _ = bus.Close() }()
	ctx, cancel := context.WithCancelCause(stream.Context())
	defer cancel(nil)
	g, err := bus.Join(ctx, join.GetGroup())
	if err != nil {
		return err
	}
	if err := stream.Send(&pb.JoinResponse{Self: wire.FromMember(g.Self())}); err != nil {
		return err
	}
	// The reader ends with the stream, at the latest when this function returns.
	go func() { cancel(serveRequests(ctx, stream, g)) }()
	err = serveEvents(ctx, stream, g)
	if cause := context.Cause(ctx); errors.Is(cause, errLeft) {
		return nil
	}
	return err
}

// errLeft ends a stream whose member left on purpose.
var errLeft = fmt.Errorf("server: left: %w", messaging.ErrClosed)

// serveRequests multicasts what the client sends, in order; it returns why that
// ended.
func serveRequests(ctx context.Context, stream grpc.BidiStreamingServer[pb.JoinRequest, pb.JoinResponse], g messaging.Group) error {
	var parts []byte
	for {
		req, err := stream.Recv()
		if err != nil {
			return err
		}
		switch step := req.GetStep().(type) {
		case *pb.JoinRequest_Multicast:
			body := step.Multicast.GetBody()
			if len(parts)+len(body) > messaging.MaxMessage {
				return messaging.ErrTooBig
			}
			if step.Multicast.GetMore() || len(parts) > 0 {
				parts = append(parts, body...)
				body = parts
			}
			if step.Multicast.GetMore() {
				continue
			}
			if err := g.Multicast(ctx, body); err != nil {
				return err
			}
			parts = nil
		case *pb.JoinRequest_Leave:
			if err := g.Leave(ctx); err != nil {
				return err
			}
			return errLeft
		default:
			return fmt.Errorf("%w: unexpected request", messaging.ErrInvalid)
		}
	}
}

// serveEvents sends what the group delivers.
func serveEvents(ctx context.Context, stream grpc.BidiStreamingServer[pb.JoinRequest, pb.JoinResponse], g messaging.Group) error {
	for {
		evs, err := nextEvents(ctx, g)
		if err != nil {
			if cause := context.Cause(ctx); cause != nil {
				return cause
			}
			return err
		}
		out := wire.FromEvents(evs)
		for len(out) > 0 {
			n := fit(out)
			if err := stream.Send(&pb.JoinResponse{Events: out[:n]}); err != nil {
				return err
			}
			out = out[n:]
		}
	}
}

func nextEvents(ctx context.Context, g messaging.Group) ([]messaging.Event, error) {
	if b, ok := g.(batcher); ok {
		return b.NextBatch(ctx, batchEvents, batchBytes)
	}
	ev, err := g.Next(ctx)
	return []messaging.Event{ev}, err
}

// fit tells how many events go into one response.
func fit(evs []*pb.Event) int {
	size := 0
	for i, ev := range evs {
		size += len(ev.GetMessage().GetBody())
		if i > 0 && size > 2*wire.MaxPart {
			return i
		}
	}
	return len(evs)
}

// WatchQuorum sends views.
func (s *service) WatchQuorum(_ *pb.WatchQuorumRequest, stream grpc.ServerStreamingServer[pb.WatchQuorumResponse]) error {
	w, err := s.shared.WatchQuorum(stream.Context())
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	for {
		v, err := w.Next(stream.Context())
		if err != nil {
			return err
		}
		if err := stream.Send(&pb.WatchQuorumResponse{View: wire.FromView(v)}); err != nil {
			return err
		}
	}
}

// Status answers with the node's status.
func (s *service) Status(ctx context.Context, _ *pb.StatusRequest) (*pb.StatusResponse, error) {
	st, err := s.shared.Status(ctx)
	if err != nil {
		return nil, err
	}
	return wire.FromStatus(st), nil
}

// Cmap answers with keys.
func (s *service) Cmap(ctx context.Context, req *pb.CmapRequest) (*pb.CmapResponse, error) {
	entries, err := s.shared.Cmap(ctx, req.GetPrefix())
	if err != nil {
		return nil, err
	}
	out := &pb.CmapResponse{}
	for _, e := range entries {
		out.Entries = append(out.Entries, wire.FromEntry(e))
	}
	return out, nil
}

// SetCmap sets a key.
func (s *service) SetCmap(ctx context.Context, req *pb.SetCmapRequest) (*pb.SetCmapResponse, error) {
	return &pb.SetCmapResponse{}, s.shared.SetCmap(ctx, wire.ToEntry(req.GetEntry()))
}

// SetExpectedVotes changes the expected votes.
func (s *service) SetExpectedVotes(ctx context.Context, req *pb.SetExpectedVotesRequest) (*pb.SetExpectedVotesResponse, error) {
	return &pb.SetExpectedVotesResponse{}, s.shared.SetExpectedVotes(ctx, req.GetVotes())
}

// SetVotes changes one node's votes.
func (s *service) SetVotes(ctx context.Context, req *pb.SetVotesRequest) (*pb.SetVotesResponse, error) {
	return &pb.SetVotesResponse{}, s.shared.SetVotes(ctx, messaging.NodeID(req.GetNode()), req.GetVotes())
}

// Groups answers with the groups.
func (s *service) Groups(ctx context.Context, _ *pb.GroupsRequest) (*pb.GroupsResponse, error) {
	gs, err := s.shared.Groups(ctx)
	if err != nil {
		return nil, err
	}
	return wire.FromGroups(gs), nil
}

// Reload makes all nodes change to what their files say, or none.
func (s *service) Reload(ctx context.Context, _ *pb.ReloadRequest) (*pb.ReloadResponse, error) {
	r, err := s.shared.Reload(ctx)
	if err != nil {
		return nil, err
	}
	return &pb.ReloadResponse{Changed: r.Changed, Kept: r.Kept}, nil
}

// WatchCmap sends keys and their changes.
func (s *service) WatchCmap(req *pb.WatchCmapRequest, stream grpc.ServerStreamingServer[pb.WatchCmapResponse]) error {
	w, err := s.shared.WatchCmap(stream.Context(), req.GetPrefix())
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	for {
		changes, err := w.Next(stream.Context())
		if err != nil {
			return err
		}
		out := &pb.WatchCmapResponse{}
		for _, c := range changes {
			out.Changes = append(out.Changes, wire.FromChange(c))
			if len(out.Changes) == batchChanges {
				if err := stream.Send(out); err != nil {
					return err
				}
				out = &pb.WatchCmapResponse{}
			}
		}
		if err := stream.Send(out); err != nil {
			return err
		}
	}
}

// batchChanges bounds the changes of keys in one response.
const batchChanges = 4096

// ClearStats begins counters anew.
func (s *service) ClearStats(ctx context.Context, req *pb.ClearStatsRequest) (*pb.ClearStatsResponse, error) {
	return &pb.ClearStatsResponse{}, s.shared.ClearStats(ctx, req.GetPart())
}

// KillNode makes another node's daemon end.
func (s *service) KillNode(ctx context.Context, req *pb.KillNodeRequest) (*pb.KillNodeResponse, error) {
	return &pb.KillNodeResponse{}, s.shared.KillNode(ctx, messaging.NodeID(req.GetNode()))
}

// ReopenLogs opens log files anew.
func (s *service) ReopenLogs(ctx context.Context, _ *pb.ReopenLogsRequest) (*pb.ReopenLogsResponse, error) {
	return &pb.ReopenLogsResponse{}, s.shared.ReopenLogs(ctx)
}

// Dump writes what was recorded.
func (s *service) Dump(ctx context.Context, _ *pb.DumpRequest) (*pb.DumpResponse, error) {
	path, err := s.shared.Dump(ctx)
	return &pb.DumpResponse{Path: path}, err
}

// Shutdown ends this node's daemon.
func (s *service) Shutdown(ctx context.Context, _ *pb.ShutdownRequest) (*pb.ShutdownResponse, error) {
	return &pb.ShutdownResponse{}, s.shared.Shutdown(ctx)
}
