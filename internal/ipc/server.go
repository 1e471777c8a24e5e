// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ipc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/experimental"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"
)

// MaxMessage bounds one request or answer, in bytes: the largest multicast or
// document (64 MiB) and room for what is around it.
const MaxMessage = 65 << 20

// Bounds of a server.
const (
	maxStreams  = 1024
	windowBytes = 1 << 20
	bufferBytes = 128 << 10 // read and written at once
	stopGrace   = 300 * time.Millisecond
)

// NewServer makes a gRPC server that knows its callers, allows them what the
// table gives them, and answers the layer's errors by the error table. A
// handler that panics ends the process: a broken promise is not served on.
func NewServer(methods MethodTable, errs ErrorTable, log *slog.Logger, options ...Option) *Server {
	g := newGuard(methods, log)
	for _, o := range options {
		o(g)
	}
	s := grpc.NewServer(
		grpc.Creds(peerTransport{}),
		grpc.ChainUnaryInterceptor(g.unary, errs.unary),
		grpc.ChainStreamInterceptor(g.stream, errs.stream),
		grpc.MaxRecvMsgSize(MaxMessage),
		grpc.MaxSendMsgSize(MaxMessage),
		grpc.MaxConcurrentStreams(maxStreams),
		grpc.InitialWindowSize(windowBytes),
		grpc.InitialConnWindowSize(windowBytes),
		experimental.BufferPool(&buffers),
		grpc.ReadBufferSize(bufferBytes),
		grpc.WriteBufferSize(bufferBytes),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: time.Second, PermitWithoutStream: true}),
		grpc.UnknownServiceHandler(func(any, grpc.ServerStream) error {
			return status.Error(codes.Unimplemented, "ipc: no such method")
		}),
	)
	return &Server{Server: s, guard: g, errs: errs, streams: map[string]directMethod{}, conns: map[net.Conn]bool{}}
}

func (t ErrorTable) unary(ctx context.Context, req any, _ *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	resp, err := next(ctx, req)
	return resp, t.ToStatus(err)
}

func (t ErrorTable) stream(srv any, ss grpc.ServerStream, _ *grpc.StreamServerInfo, next grpc.StreamHandler) error {
	return t.ToStatus(next(srv, ss))
}

// Serve answers on lis until ctx is done, then ends the calls under way, those
// that do not end by themselves within a short grace by force.
func Serve(ctx context.Context, srv *Server, lis net.Listener) error {
	failed := make(chan error, 1)
	if len(srv.streams) > 0 {
		lis = srv.openDoor(lis)
	}
	go func() { failed <- srv.Serve(lis) }()
	select {
	case err := <-failed:
		return fmt.Errorf("ipc: serve %s: %w", lis.Addr(), err)
	case <-ctx.Done():
	}
	force := time.AfterFunc(stopGrace, srv.Stop)
	direct := make(chan struct{})
	go func() {
		defer close(direct)
		srv.endDirect(stopGrace)
	}()
	srv.GracefulStop()
	force.Stop()
	<-direct
	if err := <-failed; err != nil && !errors.Is(err, grpc.ErrServerStopped) {
		return fmt.Errorf("ipc: stop %s: %w", lis.Addr(), err)
	}
	return nil
}

// Listen makes the Unix socket of a daemon: mode 0660, group haclient where
// that group exists and we may give it. A socket that no process listens on any
// more is removed; one that is alive is an error. The folder is made if need be.
func Listen(path string) (net.Listener, error) {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("ipc: make folder of socket: %w", err)
	}
	giveToGroup(dir)
	if err := removeStale(path); err != nil {
		return nil, err
	}
	addr, done, err := sockAddr(path)
	if err != nil {
		return nil, err
	}
	defer done()
	lis, err := net.ListenUnix("unix", addr)
	if err != nil {
		return nil, fmt.Errorf("ipc: listen on %s: %w", path, err)
	}
	// A short address goes through /proc and would be removed there.
	lis.SetUnlinkOnClose(false)
	if err := os.Chmod(path, 0o660); err != nil {
		return nil, errors.Join(fmt.Errorf("ipc: set mode of socket: %w", err), lis.Close())
	}
	giveToGroup(path)
	return &unlinkListener{Listener: lis, path: path}, nil
}

// unlinkListener removes the socket's name when it is closed.
type unlinkListener struct {
	net.Listener
	path string
}

func (l *unlinkListener) Close() error {
	rm := os.Remove(l.path)
	if errors.Is(rm, os.ErrNotExist) {
		rm = nil
	}
	return errors.Join(rm, l.Listener.Close())
}

// giveToGroup hands a path to group haclient. Where the group is missing or we
// are not root, the path stays ours alone, which is the safe side.
func giveToGroup(path string) {
	if gid, ok := lookupGroup(GroupName); ok && os.Geteuid() == 0 {
		_ = os.Chown(path, -1, int(gid))
	}
}

func removeStale(path string) error {
	fi, err := os.Lstat(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("ipc: look at socket: %w", err)
	}
	if fi.Mode()&os.ModeSocket == 0 {
		return fmt.Errorf("ipc: %s is in the way and is no socket: remove it", path)
	}
	conn, err := dialUnix(context.Background(), path)
	if err == nil {
		return errors.Join(fmt.Errorf("ipc: another process already listens on %s", path), conn.Close())
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("ipc: remove stale socket: %w", err)
	}
	return nil
}

// maxSunPath is the longest name that fits into a sockaddr_un.
const maxSunPath = len(unix.RawSockaddrUnix{}.Path) - 1

// sockAddr returns an address for path. One that is too long for the kernel's
// structure (a node relocated deep into a folder) goes by way of an open
// descriptor of its folder; done closes that.
func sockAddr(path string) (addr *net.UnixAddr, done func(), err error) {
	if len(path) <= maxSunPath {
		return &net.UnixAddr{Name: path, Net: "unix"}, func() {}, nil
	}
	fd, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("ipc: open folder of socket %s: %w", path, err)
	}
	short := fmt.Sprintf("/proc/self/fd/%d/%s", fd, filepath.Base(path))
	return &net.UnixAddr{Name: short, Net: "unix"}, func() { _ = unix.Close(fd) }, nil
}
