// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/conformance"
	"github.com/quorate/quorate/messaging/engine"
	"github.com/quorate/quorate/messaging/qdevice"
	"github.com/quorate/quorate/messaging/qdevice/heuristics"
	"github.com/quorate/quorate/messaging/qnet"
	"github.com/quorate/quorate/messaging/qnet/cert"
	"github.com/quorate/quorate/messaging/qnetd"
	"github.com/quorate/quorate/messaging/qnetd/serve"
	"github.com/quorate/quorate/messaging/quorum"
)

// A site is a server and the certificates around it.
type site struct {
	t      *testing.T
	dir    string // of the server's keys
	node   string // of the cluster's
	addr   string
	cancel context.CancelFunc
	ended  chan error
	socket string
}

func newSite(t *testing.T) *site {
	t.Helper()
	d := t.TempDir()
	s := &site{t: t, dir: filepath.Join(d, "server"), node: filepath.Join(d, "node"), socket: filepath.Join(d, "s")}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(cert.InitServer(s.dir, time.Now()))
	ca, err := os.ReadFile(filepath.Join(s.dir, cert.CAFile))
	must(err)
	must(cert.InitNode(s.node, ca))
	req, err := cert.NewRequest(s.node, "lab")
	must(err)
	b, err := os.ReadFile(req)
	must(err)
	crt, err := cert.Sign(s.dir, "lab", b, time.Now())
	must(err)
	b, err = os.ReadFile(crt)
	must(err)
	_, err = cert.Import(s.node, b)
	must(err)
	s.start("127.0.0.1:0")
	t.Cleanup(s.stop)
	return s
}

// start runs the server at an address.
func (s *site) start(addr string) {
	s.t.Helper()
	cfg, err := cert.LoadServer(s.dir, true)
	if err != nil {
		s.t.Fatal(err)
	}
	srv, err := serve.New(serve.Config{
		Core: qnetd.Config{TLS: qnet.TLSRequired, CertRequired: true}, TLS: cfg, Names: cert.Names, Clock: clock.Runtime(), Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		s.t.Fatal(err)
	}
	lis, err := net.Listen("tcp", addr)
	if err != nil {
		s.t.Fatal(err)
	}
	status, err := net.Listen("unix", s.socket)
	if err != nil {
		s.t.Fatal(err)
	}
	s.addr = lis.Addr().String()
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel, s.ended = cancel, make(chan error, 1)
	go func() { s.ended <- srv.Run(ctx, lis, status) }()
}

func (s *site) stop() {
	if s.cancel == nil {
		return
	}
	s.cancel()
	s.cancel = nil
	if err := <-s.ended; err != nil {
		s.t.Error(err)
	}
}

// lab makes engines with clients of the site.
func (s *site) lab(nodes int, alg qnet.Algorithm, votes uint32, wfa bool) *conformance.Lab {
	l := conformance.NewLab(s.t, nodes)
	l.Tune = func(c *engine.Config) {
		c.Quorum.Device = quorum.Device{Name: "Qdevice", Votes: votes}
		c.Quorum.ExpectedVotes = uint32(nodes) + votes
		c.Quorum.WaitForAll = wfa
		core := qdevice.Config{
			Node: uint32(c.Self), Cluster: "lab", Algorithm: alg, TieBreaker: qnet.TieBreaker{Mode: qnet.Lowest}, KeepActive: true, TLS: qnet.TLSRequired,
			Connect: 8 * time.Second, Heartbeat: time.Second,
		}
		for _, n := range c.Nodes {
			core.Nodes = append(core.Nodes, uint32(n.ID))
		}
		cl, err := New(Config{
			Core: core, Addr: s.addr, Network: "tcp", TLS: func() (*tls.Config, error) { return cert.LoadNode(s.node) },
			Timeout: 10 * time.Second, Checks: &heuristics.Runner{}, Clock: c.Clock, Log: c.Log,
		})
		if err != nil {
			s.t.Fatal(err)
		}
		c.Device = engine.DeviceConfig{Arbiter: cl, Timeout: 10 * time.Second, SyncTimeout: 30 * time.Second}
	}
	l.StartAll()
	s.t.Cleanup(l.StopAll)
	return l
}

// awaitVotes waits until all nodes have the server's vote.
func awaitVotes(t *testing.T, l *conformance.Lab, total uint32) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for id, n := range l.Nodes {
		w, err := n.Bus.WatchQuorum(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for {
			v, err := w.Next(ctx)
			if err != nil {
				t.Fatalf("node %d: %v, last %+v", id, err, v)
			}
			if v.TotalVotes == total {
				break
			}
		}
		_ = w.Close()
	}
}

// cut parts all nodes from each other; they still reach the server.
func cut(l *conformance.Lab) {
	l.Hub.SetDrop(func(src, dst netip.Addr) bool { return src != dst })
}

// awaitSome waits until a node is quorate.
func awaitSome(t *testing.T, l *conformance.Lab) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	some := make(chan error, len(l.Nodes))
	for _, n := range l.Nodes {
		go func() {
			w, err := n.Bus.WatchQuorum(ctx)
			for err == nil {
				var v messaging.QuorumView
				if v, err = w.Next(ctx); err == nil && v.Quorate {
					break
				}
			}
			some <- err
		}()
	}
	if err := <-some; err != nil {
		t.Fatal(err)
	}
}

// watch asks whether a node is quorate now.
func watch(t *testing.T, l *conformance.Lab) (quorate func(id messaging.NodeID) bool) {
	return func(id messaging.NodeID) bool {
		s, err := l.Nodes[id].Bus.Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return s.View.Quorate
	}
}

func TestExactlyOneHalfOfTwoNodesGoesOn(t *testing.T) {
	s := newSite(t)
	l := s.lab(2, qnet.FFSplit, 1, false)
	awaitVotes(t, l, 3)
	quorate := watch(t, l)

	// Cut: the lower node has the tie-breaker. It never loses quorum.
	lost := make(chan bool, 1)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		w, _ := l.Nodes[1].Bus.WatchQuorum(ctx)
		some := false
		for {
			v, err := w.Next(ctx)
			if err != nil {
				lost <- some
				return
			}
			some = some || !v.Quorate
		}
	}()
	cut(l)
	l.Await(2, false, 2)
	l.Await(1, true, 1)
	if quorate(2) || !quorate(1) {
		t.Error("not exactly node 1 is quorate")
	}
	cancel()
	if <-lost {
		t.Error("node 1 lost quorum for a while")
	}

	// Together again, and the server goes away: both go on.
	l.Hub.SetDrop(nil)
	l.Await(1, true, 1, 2)
	awaitVotes(t, l, 3)
	s.stop()
	awaitVotes(t, l, 2)
	if !quorate(1) || !quorate(2) {
		t.Error("the end of the server took quorum")
	}

	// Without it a cut leaves neither.
	cut(l)
	l.Await(1, false, 1)
	l.Await(2, false, 2)

	// It comes back and decides, for whom it sees first or for the tie-breaker.
	s.start(s.addr)
	awaitSome(t, l)
	if quorate(1) == quorate(2) {
		t.Error("not exactly one node is quorate")
	}
}

func TestTheSurvivorOfADeadNodeGoesOn(t *testing.T) {
	s := newSite(t)
	l := s.lab(2, qnet.FFSplit, 1, false)
	awaitVotes(t, l, 3)
	// Node 1 has the tie-breaker, but is not there any more.
	l.Kill(1)
	l.Await(2, true, 2)
}

func TestTheLastManKeepsQuorum(t *testing.T) {
	s := newSite(t)
	l := s.lab(3, qnet.LMS, 2, false)
	awaitVotes(t, l, 5)
	l.Stop(1)
	l.Await(3, true, 2, 3)
	awaitVotes(t, l, 4)
	l.Stop(2)
	l.Await(3, true, 3)
}

func TestTheServerTellsWhoIsThere(t *testing.T) {
	s := newSite(t)
	l := s.lab(2, qnet.FFSplit, 1, false)
	awaitVotes(t, l, 3)
	text, err := serve.Ask(t.Context(), s.socket, "list", true, "lab")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Cluster \"lab\":\n    Algorithm:\t\tFifty-Fifty split (KAP Tie-breaker)\n", "TLS active:\t\tYes (client certificate verified)", "Vote:\t\t\tACK (ACK)"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in %s", want, text)
		}
	}
	text, err = serve.Ask(t.Context(), s.socket, "status", false, "")
	if want := fmt.Sprintf("QNetd address:\t\t\t%s\nTLS:\t\t\t\tRequired (client certificate required)\nConnected clients:\t\t2\nConnected clusters:\t\t1\n", s.addr); err != nil || text != want {
		t.Errorf("%s, %v", text, err)
	}
	entries := map[string]string{}
	list, err := l.Nodes[1].Bus.Cmap(t.Context(), "runtime.")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range list {
		entries[e.Key] = e.Value
	}
	for key, want := range map[string]string{
		"runtime.qdevice.net.state": "Connected", "runtime.qdevice.net.vote": "ACK", "runtime.qdevice.net.tls_active": "Yes",
		"runtime.qdevice.members": "1, 2", "runtime.members.1.qdevice": "A,V,NMW", "runtime.votequorum.qdevice.votes": "1",
	} {
		if entries[key] != want {
			t.Errorf("%s = %q, want %q", key, entries[key], want)
		}
	}
}
