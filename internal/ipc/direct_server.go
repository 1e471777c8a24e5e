// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"

	"golang.org/x/sys/unix"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// Bounds of a server's connections.
const (
	// greetPatience bounds the wait for the first bytes of a connection.
	greetPatience = 5 * time.Second
	maxGreeting   = 256  // connections that have not said what they are
	maxDirectIn   = 2048 // direct connections
	acceptPause   = 50 * time.Millisecond
)

// A Server answers calls over gRPC, and its streams in both directions directly
// as well (see [DirectConn]). The same handlers, the same table of access and the
// same table of errors serve both.
type Server struct {
	*grpc.Server
	guard   *guard
	errs    ErrorTable
	streams map[string]directMethod

	mu    sync.Mutex
	conns map[net.Conn]bool // guarded by mu; direct ones
	ended bool              // guarded by mu
	wg    sync.WaitGroup
}

type directMethod struct {
	impl any
	desc *grpc.StreamDesc
}

// RegisterService registers a service, as generated code does.
func (s *Server) RegisterService(desc *grpc.ServiceDesc, impl any) {
	s.Server.RegisterService(desc, impl)
	for i := range desc.Streams {
		if d := &desc.Streams[i]; d.ClientStreams && d.ServerStreams {
			s.streams["/"+desc.ServiceName+"/"+d.StreamName] = directMethod{impl, d}
		}
	}
}

// A door accepts connections and sorts them by their first byte.
type door struct {
	net.Listener
	srv     *Server
	forGRPC chan net.Conn
	fresh   chan struct{} // a token for each connection that is being sorted
	closed  chan struct{}
	once    sync.Once
}

func (s *Server) openDoor(lis net.Listener) *door {
	d := &door{Listener: lis, srv: s, forGRPC: make(chan net.Conn), fresh: make(chan struct{}, maxGreeting), closed: make(chan struct{})}
	go d.accept()
	return d
}

// Accept gives gRPC its connections.
func (d *door) Accept() (net.Conn, error) {
	select {
	case c := <-d.forGRPC:
		return c, nil
	case <-d.closed:
		return nil, net.ErrClosed
	}
}

// Close stops accepting.
func (d *door) Close() error {
	d.once.Do(func() { close(d.closed) })
	return d.Listener.Close()
}

func (d *door) accept() {
	for {
		select {
		case d.fresh <- struct{}{}:
		case <-d.closed:
			return
		}
		c, err := d.Listener.Accept()
		if err == nil {
			go d.sort(c)
			continue
		}
		<-d.fresh
		// What is not the end, such as too many descriptors, passes.
		select {
		case <-d.closed:
			return
		case <-time.After(acceptPause):
		}
	}
}

// sort looks at the first byte of a connection without taking it.
func (d *door) sort(c net.Conn) {
	first, err := peek(c)
	<-d.fresh
	switch {
	case err != nil:
		_ = c.Close() // it said nothing
	case first == directMagic[0]:
		d.srv.serveDirect(c)
	default:
		select {
		case d.forGRPC <- c:
		case <-d.closed:
			_ = c.Close() // as gRPC would
		}
	}
}

func peek(c net.Conn) (byte, error) {
	u, ok := c.(*net.UnixConn)
	if !ok {
		return 0, errors.New("ipc: not a unix socket")
	}
	if err := u.SetReadDeadline(time.Now().Add(greetPatience)); err != nil {
		return 0, fmt.Errorf("ipc: set deadline: %w", err)
	}
	rc, err := u.SyscallConn()
	if err != nil {
		return 0, fmt.Errorf("ipc: reach socket: %w", err)
	}
	var b [1]byte
	n, failed := 0, error(nil)
	err = rc.Read(func(fd uintptr) bool {
		n, _, failed = unix.Recvfrom(int(fd), b[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return !errors.Is(failed, unix.EAGAIN) && !errors.Is(failed, unix.EINTR)
	})
	if err = errors.Join(err, failed); err != nil {
		return 0, err
	}
	if n == 0 {
		return 0, io.EOF
	}
	return b[0], u.SetReadDeadline(time.Time{})
}

// enter counts a direct connection; leave ends it.
func (s *Server) enter(c net.Conn) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return status.Error(codes.Unavailable, "ipc: the daemon ends")
	}
	if len(s.conns) >= maxDirectIn {
		return status.Errorf(codes.ResourceExhausted, "ipc: %d direct connections are open", len(s.conns))
	}
	s.conns[c] = true
	s.wg.Add(1)
	return nil
}

func (s *Server) leave(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.conns, c)
	s.wg.Done()
}

// endDirect lets the streams under way end by themselves within grace, then
// by force.
func (s *Server) endDirect(grace time.Duration) {
	s.mu.Lock()
	s.ended = true
	s.mu.Unlock()
	force := time.AfterFunc(grace, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.conns {
			_ = c.Close() // its handler learns it there
		}
	})
	s.wg.Wait()
	force.Stop()
}

// serveDirect answers one stream.
func (s *Server) serveDirect(c net.Conn) {
	defer func() { _ = c.Close() }() // the client knows the status, or is gone
	st := &serverStream{conn: c, r: newFrameReader(c)}
	err := s.enter(c)
	if err == nil {
		defer s.leave(c)
		err = s.handle(st)
	}
	if err == nil {
		err = status.Error(codes.OK, "")
	}
	end, ok := status.FromError(err)
	if !ok {
		end = status.New(codes.Unknown, err.Error())
	}
	if b, err := appendFrame(nil, frameEnd, end.Proto()); err == nil {
		_ = st.write(b)
	}
}

func (s *Server) handle(st *serverStream) error {
	if err := st.conn.SetReadDeadline(time.Now().Add(greetPatience)); err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	name, err := readGreeting(st.r.r)
	if err != nil {
		return status.Error(codes.InvalidArgument, err.Error())
	}
	if err := st.conn.SetReadDeadline(time.Time{}); err != nil {
		return status.Error(codes.Unavailable, err.Error())
	}
	info, err := readCred(st.conn)
	if err != nil {
		return status.Error(codes.PermissionDenied, err.Error())
	}
	m, ok := s.streams[name]
	if !ok {
		return status.Errorf(codes.Unimplemented, "ipc: no such stream %q", name)
	}
	ctx := peer.NewContext(context.Background(), &peer.Peer{Addr: st.conn.RemoteAddr(), AuthInfo: info})
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	st.ctx = ctx
	return s.guard.stream(m.impl, st, &grpc.StreamServerInfo{FullMethod: name, IsClientStream: true, IsServerStream: true},
		func(srv any, ss grpc.ServerStream) error { return s.errs.ToStatus(m.desc.Handler(srv, ss)) })
}

// A serverStream is the daemon's side of a direct stream. One goroutine may
// receive while another sends.
type serverStream struct {
	ctx  context.Context //nolint:containedctx // as grpc.ServerStream has it
	conn net.Conn
	r    frameReader
	out  []byte
}

var _ grpc.ServerStream = (*serverStream)(nil)

// SetHeader does nothing: direct streams carry no metadata.
func (s *serverStream) SetHeader(metadata.MD) error { return nil }

// SendHeader does nothing.
func (s *serverStream) SendHeader(metadata.MD) error { return nil }

// SetTrailer does nothing.
func (s *serverStream) SetTrailer(metadata.MD) {}

// Context is the stream's context.
func (s *serverStream) Context() context.Context { return s.ctx }

// SendMsg sends a message; it waits while the client does not read.
func (s *serverStream) SendMsg(m any) error {
	msg, ok := m.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "ipc: %T is no protobuf message", m)
	}
	var err error
	if s.out, err = appendFrame(s.out[:0], frameMessage, msg); err != nil {
		return err
	}
	err = s.write(s.out)
	if cap(s.out) > 2*maxPending {
		s.out = nil
	}
	return err
}

func (s *serverStream) write(b []byte) error {
	if _, err := s.conn.Write(b); err != nil {
		return status.Error(codes.Canceled, "ipc: client gone: "+err.Error())
	}
	return nil
}

// RecvMsg receives a message; io.EOF says that the client sends no more.
func (s *serverStream) RecvMsg(m any) error {
	msg, ok := m.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "ipc: %T is no protobuf message", m)
	}
	err := s.r.next(msg)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, errEnd):
		return io.EOF
	}
	return status.Error(codes.Canceled, "ipc: client gone: "+err.Error())
}
