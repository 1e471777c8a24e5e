// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ipc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

const echoMethod = "/test.Echo/Echo"

// echo answers each request with a response for each byte of its service's name;
// some names have a meaning.
var echo = grpc.ServiceDesc{
	ServiceName: "test.Echo",
	HandlerType: (*any)(nil),
	Streams: []grpc.StreamDesc{{StreamName: "Echo", ClientStreams: true, ServerStreams: true, Handler: func(_ any, s grpc.ServerStream) error {
		if _, ok := PeerCred(s.Context()); !ok {
			return errors.New("caller without credentials")
		}
		for {
			var req healthpb.HealthCheckRequest
			if err := s.RecvMsg(&req); err != nil {
				if err == io.EOF { //nolint:errorlint // as gRPC documents it
					return nil
				}
				return err
			}
			if req.GetService() == "missing" {
				return fmt.Errorf("look up: %w", errMissing)
			}
			if err := s.SendMsg(&req); err != nil {
				return err
			}
		}
	}}},
}

func serveEcho(t *testing.T, methods MethodTable) (path string, stop func()) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "x.sock")
	lis, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	srv := NewServer(methods, testErrors, slog.New(slog.DiscardHandler))
	srv.RegisterService(&echo, nil)
	healthpb.RegisterHealthServer(srv, &healthServer{})
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, srv, lis) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	return path, stop
}

func open(t *testing.T, path string) grpc.ClientStream {
	t.Helper()
	conn, err := DialDirect(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	// As generated code does.
	s, err := conn.NewStream(t.Context(), &echo.Streams[0], echoMethod, grpc.StaticMethod())
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func say(text string) *healthpb.HealthCheckRequest {
	return &healthpb.HealthCheckRequest{Service: text}
}

func TestDirectStreamKeepsOrderAndContents(t *testing.T) {
	path, _ := serveEcho(t, MethodTable{echoMethod: AccessWrite})
	s := open(t, path)
	if _, ok := s.(*DirectStream); !ok {
		t.Fatalf("%T is not direct", s)
	}
	var texts []string
	for i := range 2000 {
		texts = append(texts, strings.Repeat(string(rune('a'+i%26)), i*i%70_000))
	}
	texts = append(texts, strings.Repeat("x", 5<<20)) // more than sockets and buffers take at once
	go func() {
		for _, x := range texts {
			if err := s.SendMsg(say(x)); err != nil {
				t.Error(err)
			}
		}
		if err := s.CloseSend(); err != nil {
			t.Error(err)
		}
	}()
	var got healthpb.HealthCheckRequest
	for i, x := range texts {
		if err := s.RecvMsg(&got); err != nil || got.GetService() != x {
			t.Fatalf("answer %d: %d bytes, %v; want %d bytes", i, len(got.GetService()), err, len(x))
		}
	}
	if err := s.RecvMsg(&got); err != io.EOF { //nolint:errorlint // exactly io.EOF
		t.Fatalf("after the last: %v", err)
	}
}

func TestDirectStreamHasTheSameErrorsAndAccess(t *testing.T) {
	path, _ := serveEcho(t, MethodTable{echoMethod: AccessWrite})
	s := open(t, path)
	if err := s.SendMsg(say("missing")); err != nil {
		t.Fatal(err)
	}
	err := testErrors.FromStatus(s.RecvMsg(say("")))
	if !errors.Is(err, errMissing) {
		t.Errorf("not the layer's error: %v", err)
	}
	path, _ = serveEcho(t, MethodTable{}) // nobody may
	err = open(t, path).RecvMsg(say(""))
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("not denied: %v", err)
	}
}

func TestDirectStreamEndsWithItsContextAndItsServer(t *testing.T) {
	path, stop := serveEcho(t, MethodTable{echoMethod: AccessWrite})
	conn, err := DialDirect(path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ctx, cancel := context.WithCancel(t.Context())
	s, err := conn.NewStream(ctx, &echo.Streams[0], echoMethod)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := s.RecvMsg(say("")); status.Code(err) != codes.Canceled {
		t.Errorf("after cancel: %v", err)
	}
	if n := conn.open.Load(); n != 0 {
		t.Errorf("%d streams count as open", n)
	}
	s = open(t, path)
	if err := s.SendMsg(say("x")); err != nil {
		t.Fatal(err)
	}
	if err := s.RecvMsg(say("")); err != nil {
		t.Fatal(err)
	}
	stop()
	err = testErrors.FromStatus(s.RecvMsg(say("")))
	if !errors.Is(err, ErrUnavailable) && !errors.Is(err, context.Canceled) {
		t.Errorf("after the server ended: %v", err)
	}
	if err := s.SendMsg(say("x")); err != io.EOF { //nolint:errorlint // as gRPC documents it
		t.Errorf("send after the end: %v", err)
	}
}

// A sender whose peer does not read waits, and only as long as its context.
func TestDirectSendIsBounded(t *testing.T) {
	path, _ := serveEcho(t, MethodTable{echoMethod: AccessWrite})
	s, ok := open(t, path).(*DirectStream)
	if !ok {
		t.Fatal("not direct")
	}
	part := say(strings.Repeat("x", 256<<10))
	done, cancel := context.WithCancel(t.Context())
	cancel()
	const most = 200 // far more than both sockets, their buffers and the echo hold
	for range most {
		if err := s.SendContext(done, part); errors.Is(err, context.Canceled) {
			var got healthpb.HealthCheckRequest
			if err := s.RecvMsg(&got); err != nil || len(got.GetService()) != 256<<10 {
				t.Fatalf("what was sent before does not come: %v", err)
			}
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
	t.Errorf("%d messages were taken and nobody reads", most)
}

func TestStreamsBeyondTheBoundShareOneConnection(t *testing.T) {
	path, _ := serveEcho(t, MethodTable{echoMethod: AccessWrite})
	conn, err := DialDirect(path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	direct := 0
	for range maxDirect + 3 {
		s, err := conn.NewStream(t.Context(), &echo.Streams[0], echoMethod)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := s.(*DirectStream); ok {
			direct++
		}
		if err := s.SendMsg(say("hello")); err != nil {
			t.Fatal(err)
		}
		var got healthpb.HealthCheckRequest
		if err := s.RecvMsg(&got); err != nil || got.GetService() != "hello" {
			t.Fatalf("%v, %v", got.GetService(), err)
		}
	}
	if direct != maxDirect {
		t.Errorf("%d streams are direct, want %d", direct, maxDirect)
	}
}

// Bad greetings get an answer or an end, and the server goes on.
func TestBadGreetings(t *testing.T) {
	path, _ := serveEcho(t, MethodTable{echoMethod: AccessWrite})
	for _, g := range []string{"QRT1\x00\x05/none", "QRT1\xff\xffx", "QXXX\x00\x00", "Q"} {
		c, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write([]byte(g)); err != nil {
			t.Fatal(err)
		}
		if u, ok := c.(*net.UnixConn); ok {
			_ = u.CloseWrite()
		}
		var m healthpb.HealthCheckRequest
		if err := newFrameReader(c).next(&m); status.Code(err) == codes.OK || err == errEnd { //nolint:errorlint // exactly
			t.Errorf("greeting %q was taken", g)
		}
		_ = c.Close()
	}
	s := open(t, path)
	if err := s.SendMsg(say("still there")); err != nil {
		t.Fatal(err)
	}
	if err := s.RecvMsg(say("")); err != nil {
		t.Fatal(err)
	}
}

// FuzzFrames feeds bytes to the reader of frames: it ends, and gives back what
// a writer wrote.
func FuzzFrames(f *testing.F) {
	b, err := appendFrame(nil, frameMessage, say("x"))
	if err != nil {
		f.Fatal(err)
	}
	end, err := appendFrame(b, frameEnd, status.New(codes.NotFound, "gone").Proto())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add(end)
	f.Add([]byte{frameMessage, 0xff, 0xff, 0xff, 0xff})
	f.Fuzz(func(t *testing.T, data []byte) {
		r := newFrameReader(bytes.NewReader(data))
		for range len(data) + 1 {
			var m healthpb.HealthCheckRequest
			if err := r.next(&m); err != nil {
				return
			}
			again, err := appendFrame(nil, frameMessage, &m)
			if err != nil {
				t.Fatal(err)
			}
			var back healthpb.HealthCheckRequest
			if err := newFrameReader(bytes.NewReader(again)).next(&back); err != nil || !proto.Equal(&m, &back) {
				t.Fatalf("%v became %v: %v", &m, &back, err)
			}
		}
		t.Fatal("more frames than bytes")
	})
}

// Frames of several senders, alone and in bursts, neither mix nor stay behind.
func TestDirectSendersDoNotMix(t *testing.T) {
	path, _ := serveEcho(t, MethodTable{echoMethod: AccessWrite})
	s := open(t, path)
	const senders, each = 4, 3000
	for g := range senders {
		go func() {
			for i := range each {
				if err := s.SendMsg(say(fmt.Sprintf("%d %d %s", g, i, strings.Repeat("x", i%300)))); err != nil {
					t.Error(err)
					return
				}
				for range i % 7 * 50 { // some alone, some in a burst
					runtime.Gosched()
				}
			}
		}()
	}
	var next [senders]int
	for range senders * each {
		var m healthpb.HealthCheckRequest
		if err := s.RecvMsg(&m); err != nil {
			t.Fatal(err)
		}
		var g, i int
		var rest string
		if _, err := fmt.Sscan(m.GetService()+" ", &g, &i); err != nil {
			t.Fatalf("%q: %v", m.GetService(), err)
		}
		_, rest, _ = strings.Cut(strings.TrimPrefix(m.GetService(), fmt.Sprintf("%d %d", g, i)), " ")
		if i != next[g] || len(rest) != i%300 {
			t.Fatalf("sender %d: message %d with %d bytes, want message %d", g, i, len(rest), next[g])
		}
		next[g]++
	}
}
