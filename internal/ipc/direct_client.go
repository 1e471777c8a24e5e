// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ipc

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// maxDirect bounds the direct connections of one client: each costs both sides a
// descriptor. Streams beyond it share the gRPC connection.
const maxDirect = 32

// A DirectConn is a connection whose streams in both directions have sockets of
// their own, which costs a fraction of what gRPC's framing does; all else goes
// over gRPC.
type DirectConn struct {
	*grpc.ClientConn
	path string
	open atomic.Int32
}

// DialDirect is [Dial] for a daemon with streams that must be fast.
func DialDirect(path string) (*DirectConn, error) {
	conn, err := Dial(path)
	if err != nil {
		return nil, err
	}
	return &DirectConn{ClientConn: conn, path: path}, nil
}

// NewStream begins a stream.
func (c *DirectConn) NewStream(ctx context.Context, desc *grpc.StreamDesc, method string, opts ...grpc.CallOption) (grpc.ClientStream, error) {
	if !desc.ClientStreams || !desc.ServerStreams || slices.ContainsFunc(opts, matters) {
		return c.ClientConn.NewStream(ctx, desc, method, opts...)
	}
	if c.open.Add(1) > maxDirect {
		c.open.Add(-1)
		return c.ClientConn.NewStream(ctx, desc, method, opts...)
	}
	s, err := c.openDirect(ctx, method)
	if err != nil {
		c.open.Add(-1)
		return nil, err
	}
	return s, nil
}

// matters tells whether an option changes what a stream does. Generated code sets
// one that does not.
func matters(o grpc.CallOption) bool {
	_, hint := o.(grpc.StaticMethodCallOption)
	return !hint
}

func (c *DirectConn) openDirect(ctx context.Context, method string) (*DirectStream, error) {
	dialing, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	nc, err := dialUnix(dialing, c.path)
	if err != nil {
		if ctx.Err() != nil {
			return nil, status.FromContextError(ctx.Err()).Err()
		}
		return nil, status.Error(codes.Unavailable, err.Error())
	}
	s, err := newDirectStream(ctx, nc, method)
	if err != nil {
		return nil, errors.Join(status.Error(codes.Unavailable, err.Error()), nc.Close())
	}
	s.release = func() { c.open.Add(-1) }
	s.unwatch = context.AfterFunc(ctx, s.end)
	return s, nil
}

// A DirectStream is a client's stream with a connection of its own. One goroutine
// may receive while others send.
type DirectStream struct {
	ctx     context.Context //nolint:containedctx // as grpc.ClientStream has it
	conn    *net.UnixConn
	r       frameReader
	w       *frameWriter
	once    sync.Once
	release func()
	unwatch func() bool
}

var _ grpc.ClientStream = (*DirectStream)(nil)

func newDirectStream(ctx context.Context, nc net.Conn, method string) (*DirectStream, error) {
	_, info, err := (peerTransport{trusted: trustedServer()}).ClientHandshake(ctx, "", nc)
	if err != nil {
		return nil, err
	}
	conn, ok := nc.(*net.UnixConn)
	if !ok {
		return nil, fmt.Errorf("ipc: %s is no unix socket", info.AuthType())
	}
	w, err := newFrameWriter(conn)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write(greet(method)); err != nil {
		return nil, fmt.Errorf("ipc: greet: %w", err)
	}
	s := &DirectStream{ctx: ctx, conn: conn, r: newFrameReader(conn), w: w}
	go w.run()
	return s, nil
}

// end closes the connection.
func (s *DirectStream) end() {
	s.once.Do(func() {
		close(s.w.stop)
		_ = s.conn.Close() // whoever uses it learns it there
		s.release()
	})
}

// Header is empty: direct streams carry no metadata.
func (s *DirectStream) Header() (metadata.MD, error) { return nil, nil }

// Trailer is empty.
func (s *DirectStream) Trailer() metadata.MD { return nil }

// Context is the stream's context.
func (s *DirectStream) Context() context.Context { return s.ctx }

// CloseSend tells the server that no more messages come.
func (s *DirectStream) CloseSend() error { return s.w.send(s.ctx, frameDone, nil) }

// SendMsg sends a message. As with gRPC, io.EOF says that the stream has ended
// and RecvMsg knows why.
func (s *DirectStream) SendMsg(m any) error { return s.SendContext(s.ctx, m) }

// SendContext is SendMsg with a context for this message alone: when that ends
// while the connection is full, nothing was sent.
func (s *DirectStream) SendContext(ctx context.Context, m any) error {
	msg, ok := m.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "ipc: %T is no protobuf message", m)
	}
	err := s.w.send(ctx, frameMessage, msg)
	if err == nil || ctx.Err() != nil && errors.Is(err, ctx.Err()) {
		return err
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return io.EOF
}

// RecvMsg receives a message; io.EOF or a status ends the stream.
func (s *DirectStream) RecvMsg(m any) error {
	msg, ok := m.(proto.Message)
	if !ok {
		return status.Errorf(codes.Internal, "ipc: %T is no protobuf message", m)
	}
	err := s.r.next(msg)
	if err == nil {
		return nil
	}
	s.unwatch()
	s.end()
	if s.ctx.Err() != nil {
		return status.FromContextError(s.ctx.Err()).Err()
	}
	if errors.Is(err, errEnd) {
		return io.EOF
	}
	if _, ok := status.FromError(err); ok {
		return err
	}
	return status.Error(codes.Unavailable, "ipc: connection ended: "+err.Error())
}
