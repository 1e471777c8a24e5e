// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/client"
	"github.com/quorate/quorate/messaging/conformance"
	"github.com/quorate/quorate/messaging/engine"
	"github.com/quorate/quorate/messaging/server"
)

// serve offers an engine at a socket until stop is called.
func serve(t testing.TB, e *engine.Engine, path string) (stop func()) {
	t.Helper()
	lis, err := ipc.Listen(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	srv := server.New(func(pid uint32) server.Bus { return e.Bus(pid) }, slog.New(slog.DiscardHandler))
	ended := make(chan error, 1)
	go func() { ended <- ipc.Serve(ctx, srv, lis) }()
	return func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}

// serveOne starts a ring of one node and offers it at a socket.
func serveOne(t *testing.T) (l *conformance.Lab, path string) {
	t.Helper()
	l = conformance.NewLab(t, 1)
	l.StartAll()
	t.Cleanup(l.StopAll)
	l.Await(1, true, 1)
	path = filepath.Join(t.TempDir(), "m.sock")
	t.Cleanup(serve(t, l.Nodes[1].Engine, path))
	return l, path
}

func dial(t testing.TB, path string) *client.Bus {
	t.Helper()
	b, err := client.Dial(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

func TestBusConformsOverDirectStreams(t *testing.T) { conform(t, dial) }

func TestBusConformsOverGRPC(t *testing.T) {
	conform(t, func(t testing.TB, path string) *client.Bus {
		conn, err := ipc.Dial(path)
		if err != nil {
			t.Fatal(err)
		}
		b := client.New(conn)
		t.Cleanup(func() { _ = b.Close() })
		return b
	})
}

func conform(t *testing.T, dial func(testing.TB, string) *client.Bus) {
	l := conformance.NewLab(t, 2)
	l.StartAll()
	t.Cleanup(l.StopAll)
	l.Await(1, true, 1, 2)
	l.Await(2, true, 1, 2)
	dir := t.TempDir()
	paths := map[messaging.NodeID]string{1: filepath.Join(dir, "1.sock"), 2: filepath.Join(dir, "2.sock")}
	for id, p := range paths {
		t.Cleanup(serve(t, l.Nodes[id].Engine, p))
	}
	conformance.Run(t, func(t *testing.T, node messaging.NodeID) conformance.Bus { return dial(t, paths[node]) })
}

func TestDaemonGoneEndsGroupsAndComesBack(t *testing.T) {
	l := conformance.NewLab(t, 1)
	l.StartAll()
	t.Cleanup(l.StopAll)
	l.Await(1, true, 1)
	path := filepath.Join(t.TempDir(), "m.sock")
	stop := serve(t, l.Nodes[1].Engine, path)
	b := dial(t, path)
	g, err := b.Join(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	stop()
	for err == nil {
		_, err = g.Next(t.Context())
	}
	if !errors.Is(err, messaging.ErrClosed) {
		t.Errorf("group ended with %v", err)
	}
	if _, err := b.Status(t.Context()); !errors.Is(err, ipc.ErrUnavailable) {
		t.Errorf("status without a daemon: %v", err)
	}
	t.Cleanup(serve(t, l.Nodes[1].Engine, path))
	for {
		if _, err = b.Status(t.Context()); err == nil {
			break
		}
		if !errors.Is(err, ipc.ErrUnavailable) {
			t.Fatal(err)
		}
	}
	if _, err := b.Join(t.Context(), "g"); err != nil {
		t.Errorf("join anew: %v", err)
	}
}

// TestClientThatDoesNotReadIsCutOff: its process stops reading from the socket.
// The daemon takes it out of the group; the others go on meanwhile.
func TestClientThatDoesNotReadIsCutOff(t *testing.T) {
	l, path := serveOne(t)
	join := func(b messaging.Bus) messaging.Group {
		g, err := b.Join(t.Context(), "g")
		if err != nil {
			t.Fatal(err)
		}
		return g
	}
	sender := join(l.Nodes[1].Bus)
	reader, sleeper := join(dial(t, path)), join(dial(t, path))
	conformance.Read(t, sender, func(ev messaging.Event) bool { return conformance.Members(ev) == 3 })
	ahead := make(chan struct{}, 10_000) // the sender does not outrun the reader
	done := make(chan struct{})
	go func() { // until the sleeper is gone
		defer close(done)
		gone := func(ev messaging.Event) bool {
			cc, ok := ev.(*messaging.ConfigChange)
			return ok && len(cc.Left) == 1 && cc.Left[0] == messaging.MemberChange{Member: sleeper.Self(), Reason: messaging.ReasonProcDown}
		}
		var both sync.WaitGroup
		both.Go(func() {
			conformance.Read(t, reader, func(ev messaging.Event) bool {
				if _, ok := ev.(*messaging.Message); ok {
					<-ahead
				}
				return gone(ev)
			})
		})
		both.Go(func() { conformance.Read(t, sender, gone) })
		both.Wait()
	}()
	body := make([]byte, 100)
	for sent := 0; ; sent++ {
		select {
		case <-done:
		case ahead <- struct{}{}:
			if sent > 5_000_000 {
				t.Fatal("nobody was cut off")
			}
			if err := sender.Multicast(t.Context(), body); err != nil {
				t.Fatal(err)
			}
			continue
		}
		break
	}
	// What had left the daemon before is still to be read, then it ends.
	var err error
	for err == nil {
		_, err = sleeper.Next(t.Context())
	}
	if !errors.Is(err, messaging.ErrCutOff) {
		t.Errorf("the sleeper wakes with %v", err)
	}
}

// BenchmarkOrder measures messages from a client through the socket, one ring
// member, and back.
func BenchmarkOrder(b *testing.B) {
	l := conformance.NewLab(b, 1)
	l.StartAll()
	b.Cleanup(l.StopAll)
	l.Await(1, true, 1)
	path := filepath.Join(b.TempDir(), "m.sock")
	b.Cleanup(serve(b, l.Nodes[1].Engine, path))
	for _, size := range []int{64, 1024, 65536} {
		b.Run(fmt.Sprintf("size=%d", size), func(b *testing.B) {
			g, err := dial(b, path).Join(b.Context(), "bench")
			if err != nil {
				b.Fatal(err)
			}
			body := make([]byte, size)
			b.SetBytes(int64(size))
			b.ResetTimer()
			go func() {
				for range b.N {
					if err := g.Multicast(b.Context(), body); err != nil {
						return // the reader below fails too
					}
				}
			}()
			for n := 0; n < b.N; {
				ev, err := g.Next(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				if _, ok := ev.(*messaging.Message); ok {
					n++
				}
			}
		})
	}
}

// The generated client must not come to gRPC by an option that it sets.
func TestGroupsHaveDirectStreams(t *testing.T) {
	_, path := serveOne(t)
	g, err := dial(t, path).Join(t.Context(), "g")
	if err != nil {
		t.Fatal(err)
	}
	if !client.Direct(g) {
		t.Error("the stream of a group goes over gRPC")
	}
}
