// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ipc

import (
	"context"
	"log/slog"
	"os"
	"os/user"
	"slices"
	"strconv"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Access is what a method needs of its caller.
type Access int

// The kinds of access. The zero value is none: no caller has it.
const (
	accessNone Access = iota
	// AccessRead is for methods that only look: root, the daemons' user, the user
	// this daemon runs as, and members of group haclient.
	AccessRead
	// AccessWrite is for methods that change something and are open to the same
	// callers; finer rules (CIB ACLs) are the layer's business.
	AccessWrite
	// AccessAdmin is for root and the daemons' user only.
	AccessAdmin
)

// The accounts of the field: daemons may run as UserName, operators are members
// of GroupName.
const (
	UserName  = "hacluster"
	GroupName = "haclient"
)

// A MethodTable gives the access that each method needs, by full name
// ("/cib.v1.Store/Do"). What is not in it is refused.
type MethodTable map[string]Access

// A guard decides on calls. Ids are looked up once: no name service is asked
// while a daemon serves.
type guard struct {
	methods  MethodTable
	log      *slog.Logger
	ownUID   uint32
	haclient uint32
	hasGroup bool
	daemons  uint32 // uid of UserName
	hasUser  bool
	allowed  func(Cred) bool // besides; nil for nobody
}

// An Option tunes a server.
type Option func(*guard)

// AllowCallers gives callers of whom f says so the access of members of the
// operators' group. It is asked at each call and must not wait.
func AllowCallers(f func(Cred) bool) Option { return func(g *guard) { g.allowed = f } }

func newGuard(methods MethodTable, log *slog.Logger) *guard {
	g := &guard{methods: methods, log: log, ownUID: uint32(os.Geteuid())}
	g.haclient, g.hasGroup = lookupGroup(GroupName)
	g.daemons, g.hasUser = lookupUser(UserName)
	return g
}

// check returns nil where the caller of ctx may call the method.
func (g *guard) check(ctx context.Context, method string) error {
	need := g.methods[method]
	cred, ok := PeerCred(ctx)
	if !ok {
		return status.Error(codes.PermissionDenied, "ipc: caller without credentials")
	}
	if need != accessNone && g.permits(cred, need) {
		return nil
	}
	g.log.Warn("call refused", "method", method, "uid", cred.UID, "gid", cred.GID, "pid", cred.PID)
	return status.Errorf(codes.PermissionDenied, "ipc: uid %d may not call %s", cred.UID, method)
}

func (g *guard) permits(c Cred, need Access) bool {
	switch {
	case c.UID == 0 || c.UID == g.ownUID || g.hasUser && c.UID == g.daemons:
		return true
	case need == AccessAdmin:
		return false
	default:
		return g.hasGroup && (c.GID == g.haclient || slices.Contains(c.Groups, g.haclient)) || g.allowed != nil && g.allowed(c)
	}
}

func (g *guard) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	if err := g.check(ctx, info.FullMethod); err != nil {
		return nil, err
	}
	return next(ctx, req)
}

func (g *guard) stream(srv any, ss grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	if err := g.check(ss.Context(), info.FullMethod); err != nil {
		return err
	}
	return next(srv, ss)
}

func lookupGroup(name string) (uint32, bool) {
	gr, err := user.LookupGroup(name)
	if err != nil {
		return 0, false
	}
	id, err := strconv.ParseUint(gr.Gid, 10, 32)
	return uint32(id), err == nil
}

func lookupUser(name string) (uint32, bool) {
	u, err := user.Lookup(name)
	if err != nil {
		return 0, false
	}
	id, err := strconv.ParseUint(u.Uid, 10, 32)
	return uint32(id), err == nil
}
