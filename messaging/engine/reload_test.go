// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/cmap"
	"github.com/quorate/quorate/messaging/conformance"
	"github.com/quorate/quorate/messaging/engine"
	"github.com/quorate/quorate/messaging/link"
	"github.com/quorate/quorate/messaging/transport"
)

// A file is what a node's corosync.conf and authkey say, for these tests.
type file struct {
	nodes []messaging.NodeID
	token time.Duration
	net   byte // nodes are at 127.0.net.id
	key   byte
	fault string // the file is broken
}

// runs is the key of the map that shows the file after a reload.
const runs = "totem.text"

func (f file) text() []byte { return fmt.Appendf(nil, "%v %v %v %v", f.nodes, f.token, f.net, f.key) }

func (f file) addr(id messaging.NodeID) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 0, f.net, byte(id)})
}

// put gives a configuration the values of the file.
func (f file) put(t testing.TB, c *engine.Config) {
	c.Nodes = nil
	for _, id := range f.nodes {
		c.Nodes = append(c.Nodes, engine.Node{ID: id, Name: fmt.Sprintf("node%d", id), Votes: 1, Addrs: map[int]netip.Addr{0: f.addr(id)}})
	}
	c.Links = []engine.Link{{Number: 0, Local: f.addr(c.Self), Port: 5405}}
	c.Totem.Token = f.token
	c.Link = link.DefaultConfig(f.token)
	c.Quorum.ExpectedVotes = uint32(len(f.nodes))
	c.Key = conformance.TestKey(t, f.key)
	c.Digest = sha256.Sum256(f.text())
}

// A fileLab is a lab whose nodes have files.
type fileLab struct {
	*conformance.Lab
	t     testing.TB
	mu    sync.Mutex
	files map[messaging.NodeID]file          // guarded by mu
	gates map[messaging.NodeID]chan any      // guarded by mu; reading waits for them
	bases map[messaging.NodeID]engine.Config // guarded by mu; as the nodes started
}

func newFileLab(t testing.TB, f file, start ...messaging.NodeID) *fileLab {
	l := &fileLab{Lab: conformance.NewLab(t, 4), t: t, files: map[messaging.NodeID]file{}, gates: map[messaging.NodeID]chan any{}, bases: map[messaging.NodeID]engine.Config{}}
	l.write(f, 1, 2, 3, 4)
	l.Tune = func(c *engine.Config) {
		self := c.Self
		l.mu.Lock()
		f := l.files[self]
		l.mu.Unlock()
		f.put(t, c)
		c.Cmap = cmap.New()
		c.Wire = func(h transport.Handler) (transport.Wire, error) { return l.Hub.Attach(h, f.addr(self)), nil }
		c.Read = func(ctx context.Context) (*engine.Draft, error) { return l.read(ctx, self) }
		l.mu.Lock()
		defer l.mu.Unlock()
		l.bases[self] = *c
	}
	for _, id := range start {
		l.Start(id)
	}
	return l
}

func (l *fileLab) write(f file, ids ...messaging.NodeID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, id := range ids {
		l.files[id] = f
	}
}

func (l *fileLab) gate(id messaging.NodeID) chan any {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.gates[id] = make(chan any)
	return l.gates[id]
}

func (l *fileLab) read(ctx context.Context, id messaging.NodeID) (*engine.Draft, error) {
	l.mu.Lock()
	f, gate, base := l.files[id], l.gates[id], l.bases[id]
	l.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if f.fault != "" {
		return nil, errors.New(f.fault)
	}
	d := &engine.Draft{Config: base, Text: f.text(), Publish: func() error { return base.Cmap.Set(cmap.Str(runs, string(f.text()))) }}
	f.put(l.t, &d.Config)
	d.Digest = d.Config.Digest
	d.Wire = []transport.LinkConfig{{Link: 0, Bind: netip.AddrPortFrom(f.addr(id), 5405)}}
	d.Compare = func(node messaging.NodeID, theirs []byte) []string {
		return []string{fmt.Sprintf("%q here, %q on node %d", f.text(), theirs, node)}
	}
	d.Report.Changed = []string{string(f.text())}
	return d, nil
}

func (l *fileLab) get(id messaging.NodeID, key string) string {
	l.t.Helper()
	es, err := l.Nodes[id].Bus.Cmap(l.t.Context(), key)
	if err != nil || len(es) != 1 {
		return ""
	}
	return es[0].Value
}

// expected waits until all these nodes' views expect so many votes.
func (l *fileLab) expected(votes uint32, ids ...messaging.NodeID) {
	l.t.Helper()
	for _, id := range ids {
		w, err := l.Nodes[id].Bus.WatchQuorum(l.t.Context())
		if err != nil {
			l.t.Fatal(err)
		}
		for {
			v, err := w.Next(l.t.Context())
			if err != nil {
				l.t.Fatalf("node %d never expected %d votes: %v", id, votes, err)
			}
			if v.ExpectedVotes == votes && v.Quorate {
				break
			}
		}
		if err := w.Close(); err != nil {
			l.t.Error(err)
		}
	}
}

func (l *fileLab) reload(id messaging.NodeID) error {
	_, err := l.Nodes[id].Bus.Reload(l.t.Context())
	return err
}

func three() file {
	return file{nodes: []messaging.NodeID{1, 2, 3}, token: time.Second, net: 9, key: 1}
}

func awaitAll(l *fileLab, ids ...messaging.NodeID) {
	l.t.Helper()
	for _, id := range ids {
		l.Await(id, true, ids...)
	}
}

func TestReloadAddsANode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFileLab(t, three(), 1, 2, 3)
		defer l.StopAll()
		awaitAll(l, 1, 2, 3)
		f := three()
		f.nodes = append(f.nodes, 4)
		l.write(f, 1, 2, 3, 4)
		l.Start(4)
		l.Await(4, false, 4)
		l.Await(1, true, 1, 2, 3) // it may knock, and is not let in
		report, err := l.Nodes[2].Bus.Reload(t.Context())
		if err != nil || !slices.Equal(report.Changed, []string{string(f.text())}) {
			t.Fatalf("%v, %v", report, err)
		}
		awaitAll(l, 1, 2, 3, 4)
		l.expected(4, 1, 2, 3, 4)
		if s := l.get(1, "config.reload_status") + l.get(3, "config.reload_in_progress"); s != "10" {
			t.Errorf("status and progress are %q", s)
		}
	})
}

func TestReloadRemovesANodeThatIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFileLab(t, three(), 1, 2, 3)
		defer l.StopAll()
		awaitAll(l, 1, 2, 3)
		f := three()
		f.nodes = f.nodes[:2]
		l.write(f, 1, 2, 3)
		err := l.reload(1)
		if !errors.Is(err, messaging.ErrRefused) || !strings.Contains(err.Error(), "node 3 is a member of the ring and not in the new nodelist: stop it first") {
			t.Fatalf("a member is removed: %v", err)
		}
		l.expected(3, 1, 2, 3)
		l.Stop(3)
		awaitAll(l, 1, 2)
		if err := l.reload(1); err != nil {
			t.Fatal(err)
		}
		l.expected(2, 1, 2)
		s, err := l.Nodes[2].Bus.Status(t.Context())
		if err != nil || len(s.View.Nodes) != 2 || len(s.Links) != 1 {
			t.Errorf("node 2 still knows %v, %v, %v", s.View.Nodes, s.Links, err)
		}
		// It comes back with its old file, and stays out, from the first moment.
		l.write(three(), 3)
		l.Start(3)
		l.Await(3, false, 3)
		<-time.After(2 * engine.Overlap) // of the bubble's time
		l.Await(1, true, 1, 2)
	})
}

// A flow multicasts from all nodes until it is ended, and checks that each got
// all messages in one order.
type flow struct {
	t      testing.TB
	stop   chan struct{}
	done   sync.WaitGroup
	logs   []bytes.Buffer
	counts []int
}

func startFlow(t testing.TB, l *fileLab, ids ...messaging.NodeID) *flow {
	f := &flow{t: t, stop: make(chan struct{}), logs: make([]bytes.Buffer, len(ids)), counts: make([]int, len(ids))}
	var groups []messaging.Group
	for _, id := range ids {
		g, err := l.Nodes[id].Bus.Join(t.Context(), "flow")
		if err != nil {
			t.Fatal(err)
		}
		groups = append(groups, g)
	}
	for _, g := range groups {
		conformance.Read(t, g, func(ev messaging.Event) bool { return conformance.Members(ev) == len(ids) })
	}
	for i, g := range groups {
		f.done.Go(func() { f.send(g, i) })
		f.done.Go(func() { f.receive(g, i) })
	}
	<-time.After(time.Second) // of the bubble's time
	return f
}

func (f *flow) send(g messaging.Group, i int) {
	for n := 0; ; n++ {
		body := fmt.Appendf(nil, "%d:%d", i, n)
		select {
		case <-f.stop:
			body = []byte("end")
		case <-f.t.Context().Done(): // the test failed
			return
		case <-time.After(10 * time.Millisecond): // of the bubble's time
		}
		if err := g.Multicast(f.t.Context(), body); err != nil {
			f.t.Error(err)
			return
		}
		if string(body) == "end" {
			return
		}
	}
}

func (f *flow) receive(g messaging.Group, i int) {
	for ends := 0; ends < len(f.logs); {
		ev, err := g.Next(f.t.Context())
		if err != nil {
			f.t.Errorf("member %d: %v", i, err)
			return
		}
		m, ok := ev.(*messaging.Message)
		if !ok {
			f.t.Errorf("member %d saw a change of the group: %+v", i, ev)
			return
		}
		fmt.Fprintf(&f.logs[i], "%d %s\n", m.From.Node, m.Body)
		f.counts[i]++
		if string(m.Body) == "end" {
			ends++
		}
	}
}

// end stops the senders and tells how many messages all members saw alike.
func (f *flow) end() int {
	f.t.Helper()
	close(f.stop)
	f.done.Wait()
	for i := range f.logs {
		if !bytes.Equal(f.logs[i].Bytes(), f.logs[0].Bytes()) {
			f.t.Errorf("members 0 and %d saw other messages or another order", i)
		}
	}
	return f.counts[0]
}

func TestReloadChangesTimersWhileMessagesFlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFileLab(t, three(), 1, 2, 3)
		defer l.StopAll()
		awaitAll(l, 1, 2, 3)
		fl := startFlow(t, l, 1, 2, 3)
		f := three()
		f.token = 4 * time.Second
		l.write(f, 1, 2, 3)
		if err := l.reload(3); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * time.Second) // of the bubble's time
		f.token = 5 * time.Second
		l.write(f, 1, 2, 3)
		if err := l.reload(1); err != nil {
			t.Fatal(err)
		}
		if n := fl.end(); n < 300 {
			t.Errorf("only %d messages", n)
		}
		l.Kill(3)
		took := l.Await(1, true, 1, 2)
		if want := link.DefaultConfig(f.token).NodeLimit; took < want-time.Second || took > want+2*time.Second {
			t.Errorf("the death is noticed after %s, want about %s", took, want)
		}
	})
}

func TestReloadOfABrokenFileChangesNothingAnywhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFileLab(t, three(), 1, 2, 3)
		defer l.StopAll()
		awaitAll(l, 1, 2, 3)
		f := three()
		f.token = 4 * time.Second
		l.write(f, 1, 2)
		bad := f
		bad.fault = "parser error: /etc/corosync/corosync.conf:14: Missing closing brace\nanother fault"
		l.write(bad, 3)
		err := l.reload(1)
		if !errors.Is(err, messaging.ErrRefused) {
			t.Fatal(err)
		}
		for _, want := range []string{"node 3: parser error: /etc/corosync/corosync.conf:14: Missing closing brace\n", "node 3: another fault"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
		// The third node's file differs: the keys are named.
		l.write(three(), 3)
		if err := l.reload(2); !errors.Is(err, messaging.ErrRefused) || !strings.Contains(err.Error(), `node 3: "[1 2 3] 1s 9 1" here, "[1 2 3] 4s 9 1" on node 2`) {
			t.Error(err)
		}
		for id := messaging.NodeID(1); id <= 3; id++ {
			if s := l.get(id, "config.reload_status"); s != "2" {
				t.Errorf("node %d: status %q", id, s)
			}
		}
		for id := messaging.NodeID(1); id <= 3; id++ {
			if now := l.get(id, runs); now != "" {
				t.Errorf("node %d has changed: %q", id, now)
			}
		}
		l.Kill(3)
		if took := l.Await(1, true, 1, 2); took > 2*time.Second {
			t.Errorf("the death is noticed after %s: the timers have changed", took)
		}
	})
}

func TestCrashOfTheInitiatorBetweenThePhasesChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFileLab(t, three(), 1, 2, 3)
		defer l.StopAll()
		awaitAll(l, 1, 2, 3)
		f := three()
		f.token = 4 * time.Second
		l.write(f, 1, 2, 3)
		gate := l.gate(2)
		asked := make(chan error, 1)
		bus := l.Nodes[1].Bus
		go func() {
			_, err := bus.Reload(context.Background())
			asked <- err
		}()
		<-time.After(500 * time.Millisecond) // of the bubble's time: all others have voted
		if s := l.get(3, "config.reload_in_progress"); s != "1" {
			t.Errorf("no reload is in progress on node 3: %q", s)
		}
		l.Kill(1)
		if err := <-asked; !errors.Is(err, messaging.ErrClosed) {
			t.Errorf("the caller hears %v", err)
		}
		awaitAll(l, 2, 3)
		close(gate)
		<-time.After(30 * time.Second) // of the bubble's time
		if two, three := l.get(2, runs), l.get(3, runs); two+three != "" {
			t.Errorf("nodes 2 and 3 have changed: %q, %q", two, three)
		}
		if err := l.reload(2); err != nil { // the gate is open, node 1 is away
			t.Fatal(err)
		}
		if two, three := l.get(2, runs), l.get(3, runs); two != string(f.text()) || three != two {
			t.Errorf("nodes 2 and 3 run %q, %q", two, three)
		}
	})
}

func TestNodeThatReadsTooLongIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFileLab(t, three(), 1, 2, 3)
		defer l.StopAll()
		awaitAll(l, 1, 2, 3)
		l.gate(2)
		begin := time.Now()
		err := l.reload(1)
		if !errors.Is(err, messaging.ErrRefused) || !strings.Contains(err.Error(), "node 2: context deadline exceeded") {
			t.Error(err)
		}
		if took := time.Since(begin); took > 10*time.Second {
			t.Errorf("it took %s", took)
		}
	})
}

func TestReloadChangesTheKeyWithoutALossAndDropsTheOldOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var text bytes.Buffer
		l := newFileLab(t, three())
		l.Log = slog.New(slog.NewTextHandler(&lockedWriter{mu: &mu, w: &text}, nil))
		for id := messaging.NodeID(1); id <= 3; id++ {
			l.Start(id)
		}
		defer l.StopAll()
		awaitAll(l, 1, 2, 3)
		ring := viewOf(t, l, 1).Ring
		fl := startFlow(t, l, 1, 2, 3)
		f := three()
		f.key = 2
		l.write(f, 1, 2, 3)
		if err := l.reload(2); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * engine.Overlap) // of the bubble's time
		if n := fl.end(); n < 300 {
			t.Errorf("only %d messages", n)
		}
		if now := viewOf(t, l, 1).Ring; now != ring {
			t.Errorf("the ring changed from %s to %s", ring, now)
		}
		// A node with the old key stays out and the log says why.
		l.Stop(3)
		l.write(three(), 3)
		l.Start(3)
		l.Await(3, false, 3)
		l.Await(1, true, 1, 2)
		<-time.After(time.Second) // of the bubble's time
		mu.Lock()
		defer mu.Unlock()
		// Both sides refuse: node 3 does not know the new key, node 1 does not accept
		// the old one any more.
		for _, self := range []string{"self=1", "self=3"} {
			if !regexp.MustCompile(`msg="packet refused" ` + self + ` .*reason=other_cluster`).Match(text.Bytes()) {
				t.Errorf("%s does not say that a node has another key", self)
			}
		}
	})
}

func viewOf(t testing.TB, l *fileLab, id messaging.NodeID) messaging.QuorumView {
	t.Helper()
	s, err := l.Nodes[id].Bus.Status(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return s.View
}

func TestReloadMovesALinkWithoutALoss(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFileLab(t, three(), 1, 2, 3)
		defer l.StopAll()
		awaitAll(l, 1, 2, 3)
		ring := viewOf(t, l, 1).Ring
		fl := startFlow(t, l, 1, 2, 3)
		f := three()
		f.net = 10
		l.write(f, 1, 2, 3)
		if err := l.reload(1); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * engine.Overlap) // of the bubble's time
		// The old addresses are cut off: nobody needs them any more.
		l.Hub.SetDrop(func(src, dst netip.Addr) bool { return src.As4()[2] == 9 || dst.As4()[2] == 9 })
		<-time.After(5 * time.Second) // of the bubble's time
		if n := fl.end(); n < 300 {
			t.Errorf("only %d messages", n)
		}
		if now := viewOf(t, l, 1).Ring; now != ring {
			t.Errorf("the ring changed from %s to %s", ring, now)
		}
		s, err := l.Nodes[1].Bus.Status(t.Context())
		if err != nil || s.Links[0].LocalAddr != "127.0.10.1" || s.Links[0].PeerAddr != "127.0.10.2" {
			t.Errorf("%+v, %v", s.Links, err)
		}
	})
}

// TestReloadMovesALinkThoughTheDecisionIsLateSomewhere: the decisive vote is lost
// on its way to one node, which is still at its old address when the others have
// moved, and has to get it from them.
func TestReloadMovesALinkThoughTheDecisionIsLateSomewhere(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newFileLab(t, three(), 1, 2, 3)
		defer l.StopAll()
		awaitAll(l, 1, 2, 3)
		ring := viewOf(t, l, 1).Ring
		f := three()
		f.net, f.key = 10, 2
		l.write(f, 1, 2, 3)
		gate := l.gate(2)
		asked := make(chan error, 1)
		go func() { asked <- l.reload(1) }()
		<-time.After(500 * time.Millisecond) // of the bubble's time: all but node 2 have voted
		var lost atomic.Int32
		l.Hub.SetDrop(func(src, dst netip.Addr) bool {
			// The vote and the token after it, whichever address they are sent from.
			return src.As4()[3] == 2 && dst.As4()[3] == 3 && lost.Add(1) <= 2
		})
		close(gate)
		if err := <-asked; err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * engine.Overlap) // of the bubble's time
		for id := messaging.NodeID(1); id <= 3; id++ {
			if now := l.get(id, runs); now != string(f.text()) {
				t.Errorf("node %d runs %q", id, now)
			}
			if now := viewOf(t, l, id).Ring; now != ring {
				t.Errorf("node %d: the ring changed from %s to %s", id, ring, now)
			}
		}
	})
}
