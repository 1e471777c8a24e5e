// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cables

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/client"
)

var program string

func TestMain(m *testing.M) {
	code := func() int {
		if Missing() != "" {
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "quorate-cables-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer func() { _ = os.RemoveAll(dir) }()
		program = filepath.Join(dir, "messagingd")
		if out, err := exec.Command("go", "build", "-o", program, "github.com/quorate/quorate/cmd/messagingd").CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "%v: %s", err, out)
			return 1
		}
		return m.Run()
	}()
	os.Exit(code)
}

// patience is how long a test waits for what has to come.
const patience = 30 * time.Second

// cluster makes a network, starts all daemons and waits for one ring.
func cluster(t *testing.T, opt Options) *Cluster {
	t.Helper()
	if testing.Short() {
		t.Skip("no daemons in a short run")
	}
	if why := Missing(); why != "" {
		t.Skip(why)
	}
	c, err := New(opt, t.TempDir(), program)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			for _, n := range c.Nodes {
				t.Logf("%s:\n%s", nodeName(n.Number), tail(n.Log(), 60))
			}
		}
		if err := c.Down(); err != nil {
			t.Error(err)
		}
	})
	for _, n := range c.Nodes {
		if err := n.Start(); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range c.Nodes {
		awaitRing(t, n, len(c.Nodes))
	}
	return c
}

func tail(text string, lines int) string {
	all := strings.Split(text, "\n")
	return strings.Join(all[max(len(all)-lines, 0):], "\n")
}

func bus(t *testing.T, n *Node) *client.Bus {
	t.Helper()
	b, err := client.Dial(n.Socket())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = b.Close() })
	return b
}

// poll asks again and again until f is content.
func poll(t *testing.T, what string, f func(ctx context.Context) (string, bool)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	last := ""
	for {
		s, ok := f(ctx)
		if ok {
			return
		}
		if s != "" {
			last = s
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s: never; last: %s", what, last)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func awaitRing(t *testing.T, n *Node, size int) messaging.Status {
	t.Helper()
	var s messaging.Status
	b := bus(t, n)
	poll(t, fmt.Sprintf("%s in a ring of %d", nodeName(n.Number), size), func(ctx context.Context) (string, bool) {
		var err error
		if s, err = b.Status(ctx); err != nil {
			return err.Error(), false
		}
		count := 0
		for _, v := range s.View.Nodes {
			if v.Member {
				count++
			}
		}
		return fmt.Sprintf("%+v", s.View), count == size && s.View.Quorate
	})
	return s
}

// awaitLink waits until a node says that its link to a peer is up or down.
func awaitLink(t *testing.T, n *Node, peer, link int, up bool) {
	t.Helper()
	b := bus(t, n)
	poll(t, fmt.Sprintf("%s: link %d to node %d up=%v", nodeName(n.Number), link, peer, up), func(ctx context.Context) (string, bool) {
		s, err := b.Status(ctx)
		if err != nil {
			return err.Error(), false
		}
		for _, l := range s.Links {
			if l.Number == link && l.Peer == messaging.NodeID(peer) {
				return fmt.Sprintf("%+v", l), l.Connected == up
			}
		}
		return "no such link", false
	})
}

// stat reads a number of a node's statistics.
func stat(t *testing.T, n *Node, key string) int {
	t.Helper()
	es, err := bus(t, n).Cmap(t.Context(), key)
	if err != nil || len(es) != 1 {
		t.Fatalf("%s: %v, %v", key, es, err)
	}
	v, err := strconv.Atoi(es[0].Value)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A traffic sends messages from each node in turn; each has to come back to its
// sender.
type traffic struct {
	groups []messaging.Group
	count  int
	worst  time.Duration
}

func newTraffic(t *testing.T, c *Cluster) *traffic {
	t.Helper()
	tr := &traffic{}
	for _, n := range c.Nodes {
		g, err := bus(t, n).Join(t.Context(), "traffic")
		if err != nil {
			t.Fatal(err)
		}
		tr.groups = append(tr.groups, g)
	}
	return tr
}

// run sends messages of size bytes for a while.
func (tr *traffic) run(t *testing.T, d time.Duration, size int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d+patience)
	defer cancel()
	tr.worst = 0
	for end := time.Now().Add(d); time.Now().Before(end); {
		tr.count++
		from := tr.count % len(tr.groups)
		head := fmt.Sprintf("%d:", tr.count)
		begin := time.Now()
		if err := tr.groups[from].Multicast(ctx, append([]byte(head), make([]byte, size)...)); err != nil {
			t.Fatalf("message %d: %v", tr.count, err)
		}
		for i := range tr.groups {
			for {
				ev, err := tr.groups[i].Next(ctx)
				if err != nil {
					t.Fatalf("message %d at node %d: %v", tr.count, i+1, err)
				}
				if m, ok := ev.(*messaging.Message); ok {
					if !strings.HasPrefix(string(m.Body), head) || len(m.Body) != len(head)+size {
						t.Fatalf("node %d read another message than %d", i+1, tr.count)
					}
					break
				}
			}
		}
		tr.worst = max(tr.worst, time.Since(begin))
		<-time.After(5 * time.Millisecond)
	}
}

// sameRing fails the test if the ring is another one than before.
func sameRing(t *testing.T, c *Cluster, ring messaging.RingID, after string) {
	t.Helper()
	for _, n := range c.Nodes {
		s, err := bus(t, n).Status(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if s.View.Ring != ring {
			t.Fatalf("%s: %s went from ring %v to %v", after, nodeName(n.Number), ring, s.View.Ring)
		}
	}
}

func check(t *testing.T, errs ...error) {
	t.Helper()
	for _, err := range errs {
		if err != nil {
			t.Fatal(err)
		}
	}
}
