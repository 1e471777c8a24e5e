// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package server

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/user"
	"strconv"
	"sync"

	"google.golang.org/grpc"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/server/wire"
	"github.com/quorate/quorate/internal/ipc"
	cibv1 "github.com/quorate/quorate/proto/cib/v1"
)

// Methods says who may call what. What a member of haclient may change is, in
// Pacemaker as here, everything unless ACLs say otherwise.
func Methods() ipc.MethodTable {
	return ipc.MethodTable{
		cibv1.Store_Do_FullMethodName:      ipc.AccessWrite,
		cibv1.Store_Watch_FullMethodName:   ipc.AccessRead,
		cibv1.Store_SetAttr_FullMethodName: ipc.AccessWrite,
		cibv1.Store_Attrs_FullMethodName:   ipc.AccessRead,
	}
}

// New returns a gRPC server for the store.
func New(s cib.Store, log *slog.Logger) *ipc.Server {
	srv := ipc.NewServer(Methods(), wire.Errors(), log)
	cibv1.RegisterStoreServer(srv, &service{s: s, users: map[uint32]string{}})
	return srv
}

type service struct {
	cibv1.UnimplementedStoreServer
	s cib.Store

	mu    sync.Mutex
	users map[uint32]string // names by uid; guarded by mu
}

func (s *service) Do(ctx context.Context, in *cibv1.DoRequest) (*cibv1.DoResponse, error) {
	req := wire.ToRequest(in)
	req.User = s.speaker(ctx, req.User)
	res, err := s.s.Do(ctx, req)
	var refused *cib.Error
	switch {
	case errors.As(err, &refused):
		return &cibv1.DoResponse{Answer: &cibv1.DoResponse_Refusal{Refusal: wire.FromError(refused)}}, nil
	case err != nil:
		return nil, err
	}
	return &cibv1.DoResponse{Answer: &cibv1.DoResponse_Result{Result: wire.FromResult(res)}}, nil
}

func (s *service) Watch(_ *cibv1.WatchRequest, stream grpc.ServerStreamingServer[cibv1.WatchResponse]) error {
	ctx := stream.Context()
	w, err := s.s.Watch(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = w.Close() }()
	for {
		ch, err := w.Next(ctx)
		if err != nil {
			return err
		}
		if err := stream.Send(wire.FromChange(ch)); err != nil {
			return err
		}
	}
}

func (s *service) SetAttr(ctx context.Context, in *cibv1.SetAttrRequest) (*cibv1.SetAttrResponse, error) {
	up := wire.ToUpdate(in)
	up.User = s.speaker(ctx, up.User)
	err := s.s.SetAttr(ctx, up)
	if refused, ok := errors.AsType[*cib.Error](err); ok {
		return &cibv1.SetAttrResponse{Refusal: wire.FromError(refused)}, nil
	}
	return &cibv1.SetAttrResponse{}, err
}

func (s *service) Attrs(ctx context.Context, in *cibv1.AttrsRequest) (*cibv1.AttrsResponse, error) {
	list, err := s.s.Attrs(ctx, in.GetName(), in.GetNode())
	if err != nil {
		return nil, err
	}
	out := &cibv1.AttrsResponse{}
	for _, a := range list {
		out.Attrs = append(out.Attrs, &cibv1.Attr{Node: a.Node, Name: a.Name, Value: a.Value})
	}
	return out, nil
}

// speaker is the user in whose name a request is made.
func (s *service) speaker(ctx context.Context, asked string) string {
	cred, ok := ipc.PeerCred(ctx)
	if !ok {
		return asked // in process
	}
	name := s.userName(cred.UID)
	trusted := cred.UID == 0 || name == ipc.UserName || int(cred.UID) == os.Geteuid()
	if asked != "" && trusted {
		return asked
	}
	return name
}

// maxUsers bounds the names that are remembered.
const maxUsers = 10_000

func (s *service) userName(uid uint32) string {
	if uid == 0 {
		return "root"
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if name, ok := s.users[uid]; ok {
		return name
	}
	name := strconv.FormatUint(uint64(uid), 10)
	if u, err := user.LookupId(name); err == nil {
		name = u.Username
	}
	if len(s.users) < maxUsers {
		s.users[uid] = name
	}
	return name
}
