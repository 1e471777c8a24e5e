// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package reload

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/messaging"
)

// A cluster is a number of cores and the total order between them.
type cluster struct {
	cores   map[messaging.NodeID]*Core
	ring    map[messaging.NodeID]messaging.RingID
	queue   []sent
	reads   map[messaging.NodeID]*Read
	behind  map[messaging.NodeID]*Behind
	waiting map[messaging.NodeID]*Patience
	last    map[messaging.NodeID]Result
	runs    map[messaging.NodeID]Digest
	out     strings.Builder
}

type sent struct {
	from messaging.NodeID
	m    Message
}

func digestOf(s string) (d Digest) {
	copy(d[:], s)
	return d
}

func newCluster(n int, running string) *cluster {
	c := &cluster{
		cores: map[messaging.NodeID]*Core{}, ring: map[messaging.NodeID]messaging.RingID{}, reads: map[messaging.NodeID]*Read{},
		behind: map[messaging.NodeID]*Behind{}, waiting: map[messaging.NodeID]*Patience{}, last: map[messaging.NodeID]Result{}, runs: map[messaging.NodeID]Digest{},
	}
	for id := messaging.NodeID(1); id <= messaging.NodeID(n); id++ {
		c.cores[id], c.runs[id] = New(id, digestOf(running)), digestOf(running)
	}
	return c
}

func name(d Digest) string { return word(d[:]) }

func word(d []byte) string { return strings.TrimRight(string(d), "\x00") }

// act notes what one node's core wants.
func (c *cluster) act(id messaging.NodeID, as []Action) {
	p := func(format string, args ...any) {
		fmt.Fprintf(&c.out, "%d: "+format+"\n", append([]any{id}, args...)...)
	}
	for _, a := range as {
		switch a := a.(type) {
		case *Read:
			c.reads[id] = a
			p("read")
		case *Submit:
			kind := map[Kind]string{Prepare: "prepare", Vote: "vote", Cancel: "cancel"}[a.Message.Kind]
			p("submit %s %s %v", kind, word(a.Message.Digest), a.Message.Faults)
			c.queue = append(c.queue, sent{id, a.Message})
		case *Commit:
			c.runs[id] = c.last[id].Digest
			p("commit %d, runs %s", a.Number, name(c.runs[id]))
		case *Drop:
			p("drop %q", a.Reasons)
		case *Answer:
			p("answer %v", a.Err)
		case *Behind:
			c.behind[id] = a
			p("behind node %d, which runs %s", a.Node, word(a.Stamp.Digest))
		case *Differs:
			p("differs from node %d", a.Node)
		case *Patience:
			c.waiting[id] = a
		}
	}
}

func (c *cluster) install(ring messaging.RingID, members []messaging.NodeID) {
	for _, id := range members {
		c.ring[id] = ring
		c.act(id, c.cores[id].Changing(ring))
	}
	c.queue = slices.DeleteFunc(c.queue, func(s sent) bool { return !slices.Contains(members, s.from) })
	stamps := map[messaging.NodeID]Stamp{}
	for _, id := range members {
		stamps[id] = c.cores[id].Stamp()
	}
	for _, id := range members {
		c.act(id, c.cores[id].Synced(ring, members, stamps))
	}
}

// read gives a node its file.
func (c *cluster) read(id messaging.NodeID, res Result) {
	if r := c.reads[id]; r != nil {
		delete(c.reads, id)
		if c.cores[id].Wants(r.Round) {
			c.last[id] = res
		}
		c.act(id, c.cores[id].Read(r.Round, res))
	} else if b := c.behind[id]; b != nil {
		delete(c.behind, id)
		c.last[id] = res
		c.act(id, c.cores[id].Follow(*b, res))
	} else {
		fmt.Fprintf(&c.out, "%d: nothing to read\n", id)
	}
}

// deliver hands the oldest message to the nodes of its sender's ring, or only
// to some.
func (c *cluster) deliver(only []messaging.NodeID) {
	if len(c.queue) == 0 {
		c.out.WriteString("no message\n")
		return
	}
	s := c.queue[0]
	c.queue = c.queue[1:]
	for _, id := range slices.Sorted(maps.Keys(c.cores)) {
		if c.ring[id] == c.ring[s.from] && (only == nil || slices.Contains(only, id)) {
			c.act(id, c.cores[id].Deliver(s.from, s.m))
		}
	}
}

func ids(t *testing.T, d *datadriven.TestData, key string) []messaging.NodeID {
	var out []messaging.NodeID
	for _, a := range d.CmdArgs {
		if a.Key == key {
			for _, v := range a.Vals {
				var id messaging.NodeID
				if _, err := fmt.Sscan(v, &id); err != nil {
					t.Fatal(err)
				}
				out = append(out, id)
			}
		}
	}
	return out
}

// TestRounds runs the commands of testdata; see the files.
func TestRounds(t *testing.T) {
	datadriven.Walk(t, "testdata/cases", func(t *testing.T, path string) {
		var c *cluster
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "cluster" {
				var n int
				var runs string
				d.ScanArgs(t, "nodes", &n)
				d.ScanArgs(t, "runs", &runs)
				c = newCluster(n, runs)
			} else {
				c.out.Reset()
			}
			nodes := ids(t, d, "node")
			switch d.Cmd {
			case "cluster":
			case "ring":
				var seq uint64
				d.ScanArgs(t, "seq", &seq)
				members := ids(t, d, "members")
				c.install(messaging.RingID{Rep: members[0], Seq: seq}, members)
			case "ask":
				for _, id := range nodes {
					c.act(id, c.cores[id].Ask())
				}
			case "read":
				var digest string
				d.ScanArgs(t, "digest", &digest)
				res := Result{Digest: digestOf(digest)}
				if d.Input != "" {
					res.Faults = strings.Split(d.Input, "\n")
				}
				for _, id := range nodes {
					c.read(id, res)
				}
			case "restart": // with another file
				var digest string
				d.ScanArgs(t, "digest", &digest)
				for _, id := range nodes {
					c.cores[id], c.runs[id] = New(id, digestOf(digest)), digestOf(digest)
				}
			case "deliver":
				n := 1
				d.MaybeScanArgs(t, "count", &n)
				for range n {
					c.deliver(ids(t, d, "only"))
				}
			case "expire":
				for _, id := range nodes {
					c.act(id, c.cores[id].Expired(c.waiting[id].Round))
				}
			default:
				t.Fatalf("unknown command %q", d.Cmd)
			}
			return c.out.String()
		})
	})
}

// TestAllOrNone: whatever happens within one configuration of the ring, all its
// members run the same configuration after each delivery, a node that did not
// vote for it does not run it, and nobody stays in a round for ever.
func TestAllOrNone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 5).Draw(t, "nodes")
		c := newCluster(n, "a")
		all := slices.Sorted(maps.Keys(c.cores))
		seq := uint64(1)
		c.install(messaging.RingID{Rep: 1, Seq: seq}, all)
		same := func() {
			for _, id := range all {
				if c.runs[id] != c.runs[1] {
					t.Fatalf("nodes 1 and %d run different configurations:\n%s", id, c.out.String())
				}
			}
		}
		file := rapid.SampledFrom([]string{"a", "b", "c"})
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			id := all[rapid.IntRange(0, n-1).Draw(t, "node")]
			switch rapid.IntRange(0, 8).Draw(t, "step") {
			case 0:
				c.act(id, c.cores[id].Ask())
			case 1, 2, 3:
				res := Result{Digest: digestOf(file.Draw(t, "file"))}
				if rapid.IntRange(0, 5).Draw(t, "bad") == 0 {
					res.Faults = []string{"x"}
				}
				if c.reads[id] != nil {
					c.read(id, res)
				}
			case 4, 5, 6:
				if len(c.queue) > 0 {
					c.deliver(nil)
				}
				same()
			case 7:
				if w := c.waiting[id]; w != nil {
					delete(c.waiting, id)
					c.act(id, c.cores[id].Expired(w.Round))
				}
			case 8: // the same members, a new ring: an open round dies
				seq++
				c.install(messaging.RingID{Rep: 1, Seq: seq}, all)
			}
		}
		// The end: everything is delivered, everybody's patience ends.
		for _, id := range all {
			if c.reads[id] != nil {
				c.read(id, Result{Digest: digestOf("z")})
			}
		}
		for range 3 {
			for len(c.queue) > 0 {
				c.deliver(nil)
				same()
			}
			for _, id := range all {
				if c.reads[id] != nil {
					c.read(id, Result{Digest: digestOf("z")})
				}
				if w := c.waiting[id]; w != nil {
					delete(c.waiting, id)
					c.act(id, c.cores[id].Expired(w.Round))
				}
			}
		}
		for _, id := range all {
			if c.cores[id].Open() {
				t.Fatalf("node %d is in a round for ever:\n%s", id, c.out.String())
			}
		}
	})
}
