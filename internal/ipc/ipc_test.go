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
	"strings"
	"testing"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	healthpb "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

var errMissing = errors.New("layer: no such object")

var testErrors = ErrorTable{{Err: errMissing, Code: codes.NotFound, Reason: "NO_SUCH_OBJECT"}}

// A health server stands in for a layer: its two methods are one of each kind.
type healthServer struct {
	healthpb.UnimplementedHealthServer
	cred Cred
}

func (h *healthServer) Check(ctx context.Context, req *healthpb.HealthCheckRequest) (*healthpb.HealthCheckResponse, error) {
	h.cred, _ = PeerCred(ctx)
	switch req.GetService() {
	case "missing":
		return nil, fmt.Errorf("look up %q: %w", "x", errMissing)
	case "plain":
		return nil, errors.New("layer: something else")
	}
	return &healthpb.HealthCheckResponse{Status: healthpb.HealthCheckResponse_SERVING}, nil
}

func (h *healthServer) Watch(*healthpb.HealthCheckRequest, grpc.ServerStreamingServer[healthpb.HealthCheckResponse]) error {
	return nil
}

const checkMethod = "/grpc.health.v1.Health/Check"

func serve(t *testing.T, path string, methods MethodTable) (*healthServer, healthpb.HealthClient) {
	t.Helper()
	lis, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	h := &healthServer{}
	srv := NewServer(methods, testErrors, slog.New(slog.DiscardHandler))
	healthpb.RegisterHealthServer(srv, h)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, srv, lis) }()
	conn, err := Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		cancel()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	return h, healthpb.NewHealthClient(conn)
}

func TestServerKnowsItsCaller(t *testing.T) {
	h, c := serve(t, filepath.Join(t.TempDir(), "x.sock"), MethodTable{checkMethod: AccessAdmin})
	if _, err := c.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
	if h.cred.UID != uint32(os.Geteuid()) || h.cred.PID != int32(os.Getpid()) {
		t.Errorf("server saw uid %d pid %d, we are %d and %d", h.cred.UID, h.cred.PID, os.Geteuid(), os.Getpid())
	}
}

func TestMethodOutsideTheTableIsRefused(t *testing.T) {
	_, c := serve(t, filepath.Join(t.TempDir(), "x.sock"), MethodTable{checkMethod: AccessRead})
	stream, err := c.Watch(t.Context(), &healthpb.HealthCheckRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	if status.Code(err) != codes.PermissionDenied {
		t.Errorf("a stream outside the table gave %v", err)
	}
	if err := testErrors.FromStatus(err); !errors.Is(err, ErrDenied) {
		t.Errorf("translated to %v", err)
	}
}

func TestAccessByRoleOfTheCaller(t *testing.T) {
	g := &guard{ownUID: 117, haclient: 120, hasGroup: true, daemons: 118, hasUser: true}
	noGroup := &guard{ownUID: 117}
	listed := &guard{ownUID: 117}
	AllowCallers(func(c Cred) bool { return c.UID == 1000 })(listed)
	for _, tc := range []struct {
		name  string
		guard *guard
		cred  Cred
		need  Access
		want  bool
	}{
		{"root administers", g, Cred{UID: 0}, AccessAdmin, true},
		{"the daemon's own user administers", g, Cred{UID: 117}, AccessAdmin, true},
		{"the daemons' user administers", g, Cred{UID: 118}, AccessAdmin, true},
		{"a member does not administer", g, Cred{UID: 1000, GID: 120}, AccessAdmin, false},
		{"a member reads", g, Cred{UID: 1000, GID: 120}, AccessRead, true},
		{"a supplementary member writes", g, Cred{UID: 1000, GID: 5, Groups: []uint32{7, 120}}, AccessWrite, true},
		{"a stranger does not read", g, Cred{UID: 1000, GID: 5}, AccessRead, false},
		{"one who is listed writes", listed, Cred{UID: 1000, GID: 5}, AccessWrite, true},
		{"one who is listed does not administer", listed, Cred{UID: 1000, GID: 5}, AccessAdmin, false},
		{"one who is not listed does not read", listed, Cred{UID: 1001, GID: 5}, AccessRead, false},
		{"without the group gid 0 is a stranger", noGroup, Cred{UID: 1000, GID: 0}, AccessRead, false},
	} {
		if got := tc.guard.permits(tc.cred, tc.need); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func TestErrorsKeepTheirIdentityAcrossTheSocket(t *testing.T) {
	_, c := serve(t, filepath.Join(t.TempDir(), "x.sock"), MethodTable{checkMethod: AccessRead})
	ask := func(ctx context.Context, what string) error {
		_, err := c.Check(ctx, &healthpb.HealthCheckRequest{Service: what})
		return testErrors.FromStatus(err)
	}
	if err := ask(t.Context(), "missing"); !errors.Is(err, errMissing) || err.Error() != `look up "x": layer: no such object` {
		t.Errorf("sentinel came back as %v", err)
	}
	if err := ask(t.Context(), "plain"); err == nil || err.Error() != "layer: something else" || errors.Is(err, errMissing) {
		t.Errorf("plain error came back as %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := ask(ctx, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled call came back as %v", err)
	}
}

func TestAbsentDaemonIsUnavailable(t *testing.T) {
	conn, err := Dial(filepath.Join(t.TempDir(), "nobody.sock"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = healthpb.NewHealthClient(conn).Check(t.Context(), &healthpb.HealthCheckRequest{})
	if err := testErrors.FromStatus(err); !errors.Is(err, ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}

func TestUntrustedServerIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.sock")
	serve(t, path, MethodTable{checkMethod: AccessRead})
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	impostor := peerTransport{trusted: func(uid uint32) bool { return uid != uint32(os.Geteuid()) }}
	if _, _, err := impostor.ClientHandshake(t.Context(), "", c); err == nil {
		t.Error("handshake went through")
	}
}

func TestListenReplacesDeadSocketAndRefusesLiveOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run", "x.sock")
	first, err := Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "already listens") {
		t.Errorf("second listener on a live socket: %v", err)
	}
	// A daemon killed with SIGKILL leaves its socket behind.
	first.(*unlinkListener).Listener.Close()
	if _, err := os.Lstat(path); err != nil {
		t.Fatalf("the test needs a socket left behind: %v", err)
	}
	second, err := Listen(path)
	if err != nil {
		t.Fatalf("dead socket was not replaced: %v", err)
	}
	fi, _ := os.Stat(path)
	if fi.Mode().Perm() != 0o660 {
		t.Errorf("mode %v, want 0660", fi.Mode().Perm())
	}
	second.Close()
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("socket is there after Close: %v", err)
	}
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(path); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("ordinary file in the way: %v", err)
	}
}

func TestSocketDeepInTheTree(t *testing.T) {
	path := filepath.Join(t.TempDir(), strings.Repeat("deep", 40), "x.sock")
	_, c := serve(t, path, MethodTable{checkMethod: AccessRead})
	if _, err := c.Check(t.Context(), &healthpb.HealthCheckRequest{}); err != nil {
		t.Fatal(err)
	}
}

func TestStatusCarriesValues(t *testing.T) {
	err := StatusError(codes.FailedPrecondition, "REFUSED", "no", map[string]string{"code": "103"})
	reason, values, ok := ErrorInfo(err)
	if !ok || reason != "REFUSED" || values["code"] != "103" {
		t.Errorf("got %q %v %v", reason, values, ok)
	}
}
