// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package node

import (
	"context"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/client"
	"github.com/quorate/quorate/messaging/server"
)

// BenchmarkOrder measures ordered messages through three engines on loopback, as
// seen by a member of node 1.
func BenchmarkOrder(b *testing.B) {
	for _, senders := range []int{1, 3} {
		for _, size := range []int{64, 1024, 8192, 65536} {
			b.Run(fmt.Sprintf("senders=%d/size=%d", senders, size), func(b *testing.B) { benchOrder(b, senders, size, inProcess) })
		}
	}
}

// BenchmarkClients is the same for members that are clients at sockets, which
// is what programs see.
func BenchmarkClients(b *testing.B) {
	for _, senders := range []int{1, 3} {
		for _, size := range []int{64, 1024, 8192, 65536, 1 << 20} {
			b.Run(fmt.Sprintf("senders=%d/size=%d", senders, size), func(b *testing.B) { benchOrder(b, senders, size, atSocket) })
		}
	}
}

func inProcess(_ *testing.B, n *realNode) messaging.Bus { return n.Bus(1) }

func atSocket(b *testing.B, n *realNode) messaging.Bus {
	path := filepath.Join(b.TempDir(), "m.sock")
	lis, err := ipc.Listen(path)
	if err != nil {
		b.Fatal(err)
	}
	srv := server.New(func(pid uint32) server.Bus { return n.Engine.Bus(pid) }, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- ipc.Serve(ctx, srv, lis) }()
	b.Cleanup(func() {
		cancel()
		<-ended
	})
	bus, err := client.Dial(path)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = bus.Close() })
	return bus
}

func benchOrder(b *testing.B, senders, size int, bus func(*testing.B, *realNode) messaging.Bus) {
	var groups []messaging.Group
	for id := 1; id <= 3; id++ {
		n := startReal(b, 34, 3, id, 1, nil)
		defer n.stop()
		g, err := bus(b, n).Join(b.Context(), "bench")
		if err != nil {
			b.Fatal(err)
		}
		groups = append(groups, g)
	}
	for _, g := range groups {
		for {
			ev, err := g.Next(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			if cc, ok := ev.(*messaging.ConfigChange); ok && len(cc.Members) == 3 {
				break
			}
		}
	}
	body := make([]byte, size)
	b.SetBytes(int64(size))
	b.ResetTimer()
	before := cpu(b)
	var wg sync.WaitGroup
	each := (b.N + senders - 1) / senders
	for _, g := range groups[:senders] {
		wg.Go(func() {
			for range each {
				if err := g.Multicast(b.Context(), body); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	for _, g := range groups {
		wg.Go(func() {
			for n := 0; n < each*senders; {
				ev, err := g.Next(b.Context())
				if err != nil {
					b.Error(err)
					return
				}
				if _, ok := ev.(*messaging.Message); ok {
					n++
				}
			}
		})
	}
	wg.Wait()
	b.ReportMetric(float64(each*senders)/b.Elapsed().Seconds(), "msg/s")
	b.ReportMetric((cpu(b)-before)*1e6/float64(each*senders), "cpu-µs/msg")
}

// cpu is what this process has used, in seconds: of three daemons and their
// clients. It says more than the time where the machine has other work.
func cpu(b *testing.B) float64 {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}

// BenchmarkLatency measures one message at a time until its own delivery, for a
// member in the daemon and for one that is a client at a socket.
func BenchmarkLatency(b *testing.B) {
	b.Run("inside", func(b *testing.B) { benchLatency(b, inProcess) })
	b.Run("client", func(b *testing.B) { benchLatency(b, atSocket) })
}

func benchLatency(b *testing.B, bus func(*testing.B, *realNode) messaging.Bus) {
	var groups []messaging.Group
	for id := 1; id <= 3; id++ {
		n := startReal(b, 35, 3, id, 1, nil)
		defer n.stop()
		g, err := bus(b, n).Join(b.Context(), "bench")
		if err != nil {
			b.Fatal(err)
		}
		groups = append(groups, g)
	}
	for members := 0; members < 3; {
		ev, err := groups[0].Next(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		if cc, ok := ev.(*messaging.ConfigChange); ok {
			members = len(cc.Members)
		}
	}
	b.ResetTimer()
	for range b.N {
		if err := groups[0].Multicast(b.Context(), make([]byte, 64)); err != nil {
			b.Fatal(err)
		}
		if _, err := groups[0].Next(b.Context()); err != nil {
			b.Fatal(err)
		}
	}
}
