// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package qnetd

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/messaging/qnet"
)

// A bench drives a server; each node of a cluster has one connection at a time.
type bench struct {
	core *Core
	now  time.Duration
	conn map[uint32]Client
	last Client
	alg  qnet.Algorithm
	tie  qnet.TieBreaker
	keep bool
	beat uint32
	seq  uint32
	auto bool // nodes answer vote infos
}

func newBench(cfg Config) *bench {
	return &bench{core: New(cfg, 0), conn: map[uint32]Client{}, beat: 2000, auto: true}
}

func (b *bench) node(c Client) uint32 {
	for n, x := range b.conn {
		if x == c {
			return n
		}
	}
	return 0
}

// step gives an event and carries out the answers of nodes to their votes.
func (b *bench) step(s *strings.Builder, ev Event) {
	for _, a := range b.core.Step(b.now, ev) {
		switch a := a.(type) {
		case *Send:
			if s != nil {
				fmt.Fprintf(s, "  → %d: %s\n", b.node(a.Client), text(a.Message))
			}
			if a.Message.Type == qnet.VoteInfo && b.auto {
				defer b.step(s, &Received{Client: a.Client, Message: &qnet.Message{Type: qnet.VoteInfoReply, Seq: a.Message.Seq}})
			}
		case *Close:
			if s != nil {
				fmt.Fprintf(s, "  close %d: %s\n", b.node(a.Client), a.Reason)
			}
			delete(b.conn, b.node(a.Client))
		case *StartTLS:
			if s != nil {
				fmt.Fprintf(s, "  tls %d\n", b.node(a.Client))
			}
		case *Notice:
			if s != nil && a.Warn {
				fmt.Fprintf(s, "  warning: node %d: %s: %s\n", a.Node, a.Text, a.Detail)
			}
		}
	}
}

func text(m *qnet.Message) string {
	s := m.Type.String()
	if m.Seq.Set {
		s += fmt.Sprintf(" seq=%d", m.Seq.Value)
	}
	if m.Error.Set {
		s += fmt.Sprintf(" error=%q", m.Error.Value)
	}
	if m.TLS.Set {
		s += fmt.Sprintf(" tls=%s cert=%v", m.TLS.Value, m.CertRequired.Value)
	}
	if m.Vote != 0 {
		s += fmt.Sprintf(" %s ring=%s", m.Vote, m.Ring.Value)
	}
	if m.HeartbeatMs != 0 {
		s += fmt.Sprintf(" heartbeat=%d", m.HeartbeatMs)
	}
	return s
}

func (b *bench) send(s *strings.Builder, node uint32, m *qnet.Message) {
	b.seq++
	m.Seq = qnet.Some(b.seq)
	b.step(s, &Received{Client: b.conn[node], Message: m})
}

// join connects a node, silently.
func (b *bench) join(s *strings.Builder, node uint32) {
	b.last++
	b.conn[node] = b.last
	b.step(nil, &Opened{Client: b.last, Addr: fmt.Sprintf("192.0.2.%d:40000", node)})
	b.send(nil, node, &qnet.Message{Type: qnet.Preinit, Cluster: "c"})
	b.send(s, node, b.initOf(node))
}

func (b *bench) initOf(node uint32) *qnet.Message {
	return &qnet.Message{Type: qnet.Init, NodeID: node, Ring: qnet.Some(qnet.RingID{}), HeartbeatMs: b.beat, TieBreaker: b.tie, Algorithm: qnet.Some(b.alg)}
}

func nodes(n uint32) (out []qnet.Node) {
	for i := range n {
		out = append(out, qnet.Node{ID: i + 1})
	}
	return out
}

func pickNodes(ids []uint32) (out []qnet.Node) {
	for _, id := range ids {
		out = append(out, qnet.Node{ID: id})
	}
	return out
}

// TestArbitration runs scripts. "server [tls=required] [cert]" and
// "cluster ALGORITHM [tie=lowest|highest|ID] [keep]" set the stage. Steps:
// "join N", "config N COUNT" or "config N ID ID …", "members RING NODE… [pass|fail] at N…",
// "heuristics pass|fail at N", "hangup N" (orderly), "break N", "wait MS",
// "beat N", "silent" (nodes do not answer votes from here on), "answer N SEQ",
// "raw N TYPE", "secure N NAME…", "status", "list".
func TestArbitration(t *testing.T) {
	datadriven.Walk(t, "testdata/scripts", func(t *testing.T, path string) {
		b := newBench(Config{TLS: qnet.TLSSupported})
		b.now = time.Minute
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			var s strings.Builder
			switch d.Cmd {
			case "server":
				b = benchOf(d)
			case "cluster":
				b.cluster(d)
			case "run":
				for line := range strings.Lines(d.Input) {
					s.WriteString(line)
					if !strings.HasSuffix(line, "\n") {
						s.WriteString("\n")
					}
					b.run(t, &s, strings.Fields(line))
				}
			default:
				t.Fatalf("unknown command %s", d.Cmd)
			}
			return s.String()
		})
	})
}

func benchOf(d *datadriven.TestData) *bench {
	cfg := Config{TLS: qnet.TLSSupported}
	if d.HasArg("required") {
		cfg.TLS = qnet.TLSRequired
	}
	cfg.CertRequired = d.HasArg("cert")
	b := newBench(cfg)
	b.now = time.Minute
	if d.HasArg("young") {
		b.now = 0
	}
	return b
}

func (b *bench) cluster(d *datadriven.TestData) {
	b.alg = map[string]qnet.Algorithm{"ffsplit": qnet.FFSplit, "lms": qnet.LMS, "2nodelms": qnet.TwoNodeLMS, "test": qnet.Test}[d.CmdArgs[0].Key]
	b.tie = qnet.TieBreaker{Mode: qnet.Lowest}
	b.keep = d.HasArg("keep")
	for _, a := range d.CmdArgs[1:] {
		if a.Key != "tie" {
			continue
		}
		switch a.Vals[0] {
		case "lowest":
		case "highest":
			b.tie.Mode = qnet.Highest
		default:
			b.tie.Mode = qnet.ByID
			_, _ = fmt.Sscan(a.Vals[0], &b.tie.Node)
		}
	}
}

func numbers(words []string) (out []uint32) {
	for _, w := range words {
		var n uint32
		if _, err := fmt.Sscan(w, &n); err != nil {
			break
		}
		out = append(out, n)
	}
	return out
}

func result(word string) qnet.Heuristics {
	return map[string]qnet.Heuristics{"pass": qnet.Pass, "fail": qnet.Fail}[word]
}

func (b *bench) run(t *testing.T, s *strings.Builder, f []string) {
	nums := numbers(f[1:])
	switch f[0] {
	case "join":
		for _, n := range nums {
			b.join(s, n)
			if b.keep {
				b.send(nil, n, &qnet.Message{Type: qnet.SetOption, KeepActive: qnet.Some(true)})
			}
		}
	case "config":
		list := nodes(nums[1] % 100)
		if len(nums) > 2 {
			list = pickNodes(nums[1:])
		}
		b.send(s, nums[0], &qnet.Message{Type: qnet.NodeList, ListType: qnet.Some(qnet.InitialConfig), Nodes: list})
	case "members":
		rest := f[2+len(numbers(f[2:])):]
		at := rest[len(rest)-1:]
		for i, w := range rest {
			if w == "at" {
				at = rest[i+1:]
			}
		}
		for _, n := range numbers(at) {
			b.send(s, n, &qnet.Message{
				Type: qnet.NodeList, ListType: qnet.Some(qnet.Membership), Ring: qnet.Some(qnet.RingID{Node: nums[1], Seq: uint64(nums[0])}),
				Nodes: pickNodes(nums[1:]), Heuristics: result(rest[0]),
			})
		}
	case "heuristics":
		for _, n := range numbers(f[3:]) {
			b.send(s, n, &qnet.Message{Type: qnet.HeuristicsChange, Heuristics: result(f[1])})
		}
	case "wait":
		b.now += time.Duration(nums[0]) * time.Millisecond
		b.step(s, &Ticked{})
	case "beat":
		for _, n := range nums {
			b.send(nil, n, &qnet.Message{Type: qnet.EchoRequest})
		}
	case "hangup", "break":
		c := b.conn[nums[0]]
		b.step(s, &Closed{Client: c, Orderly: f[0] == "hangup"})
		delete(b.conn, nums[0])
	case "silent":
		b.auto = false
	case "answer":
		b.step(s, &Received{Client: b.conn[nums[0]], Message: &qnet.Message{Type: qnet.VoteInfoReply, Seq: qnet.Some(nums[1])}})
	case "status":
		s.WriteString(b.core.Status("*:5403", len(f) > 1))
	case "list":
		s.WriteString(b.core.List("", len(f) > 1))
	default:
		b.raw(t, s, f, nums)
	}
}

// raw runs the steps of a session that is not made by join.
func (b *bench) raw(t *testing.T, s *strings.Builder, f []string, nums []uint32) {
	switch f[0] {
	case "open":
		b.last++
		b.conn[nums[0]] = b.last
		b.step(s, &Opened{Client: b.last, Addr: "x"})
	case "secure":
		b.step(s, &Secured{Client: b.conn[nums[0]], Names: f[2:]})
	case "preinit":
		b.send(s, nums[0], &qnet.Message{Type: qnet.Preinit, Cluster: f[2]})
	case "init":
		b.send(s, nums[0], b.initOf(nums[0]))
	case "send":
		b.send(s, nums[0], &qnet.Message{Type: qnet.Type(nums[1])})
	case "malformed":
		b.step(s, &Received{Client: b.conn[nums[0]], Message: &qnet.Message{Type: qnet.NodeList}, Malformed: true})
	default:
		t.Fatalf("unknown step %v", f)
	}
}
