// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package qdevice

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/datadriven"

	"github.com/quorate/quorate/messaging/qnet"
)

func show(s *strings.Builder, as []Action) {
	for _, a := range as {
		switch a := a.(type) {
		case *Vote:
			fmt.Fprintf(s, "  vote %v for %s\n", a.Cast, a.Ring)
		case *Send:
			m := a.Message
			fmt.Fprintf(s, "  → %s seq=%d", m.Type, m.Seq.Value)
			if m.ListType.Set {
				fmt.Fprintf(s, " type=%d nodes=%d ring=%s", m.ListType.Value, len(m.Nodes), m.Ring.Value)
			}
			if m.Heuristics != 0 {
				fmt.Fprintf(s, " %s", m.Heuristics)
			}
			s.WriteString("\n")
		case *Notice:
			fmt.Fprintf(s, "  notice: %s %v\n", a.Text, a.Args)
		case *Check:
			fmt.Fprintf(s, "  check %d sync=%v\n", a.Run, a.Sync)
		case *HangUp:
			s.WriteString("  hang up\n")
		default:
			fmt.Fprintf(s, "  %s\n", strings.ToLower(strings.TrimPrefix(fmt.Sprintf("%T", a), "*qdevice.")))
		}
	}
}

// TestClient runs scripts. "node [lms] [tls=off|required] [checks=on|sync]" makes
// a client; steps are the events, "wait MS" lets time pass and "let in" answers
// preinit and init of a server without TLS.
func TestClient(t *testing.T) {
	datadriven.Walk(t, "testdata", func(t *testing.T, path string) {
		var c *Core
		now := time.Duration(0)
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) string {
			if d.Cmd == "node" {
				c, now = New(nodeOf(d)), 0
				return ""
			}
			var s strings.Builder
			for line := range strings.Lines(d.Input) {
				s.WriteString(strings.TrimSuffix(line, "\n") + "\n")
				f := strings.Fields(line)
				if f[0] == "wait" {
					now += time.Duration(number(f[1])) * time.Millisecond
				}
				for _, ev := range events(t, c, f) {
					show(&s, c.Step(now, ev))
				}
			}
			st := c.Status()
			fmt.Fprintf(&s, "%s vote=%q tls=%v heuristics=%s\n", st.State, st.Vote, st.TLS, st.Latest)
			return s.String()
		})
	})
}

func nodeOf(d *datadriven.TestData) Config {
	cfg := Config{
		Node: 1, Cluster: "c", Algorithm: qnet.FFSplit, TieBreaker: qnet.TieBreaker{Mode: qnet.Lowest}, TLS: qnet.TLSSupported, Nodes: []uint32{1, 2},
		Connect: 8 * time.Second, Heartbeat: 2 * time.Second, Interval: 30 * time.Second, KeepActive: true,
	}
	if d.HasArg("lms") {
		cfg.Algorithm = qnet.LMS
	}
	for _, a := range d.CmdArgs {
		switch a.String() {
		case "tls=off":
			cfg.TLS = qnet.TLSUnsupported
		case "tls=required":
			cfg.TLS = qnet.TLSRequired
		case "checks=on":
			cfg.Checks = On
		case "checks=sync":
			cfg.Checks = Sync
		}
	}
	return cfg
}

func number(s string) (n uint64) {
	_, _ = fmt.Sscan(s, &n)
	return n
}

func events(t *testing.T, c *Core, f []string) []Event {
	got := func(m *qnet.Message) Event { return &Received{Message: m} }
	preinit := func(tls qnet.TLS) Event {
		return got(&qnet.Message{Type: qnet.PreinitReply, TLS: qnet.Some(tls), CertRequired: qnet.Some(true)})
	}
	init := func(e qnet.ErrorCode) Event {
		return got(&qnet.Message{Type: qnet.InitReply, Error: qnet.Some(e), Options: qnet.SupportedOptions(), Algorithms: []uint16{0, 1, 2, 3}})
	}
	switch f[0] {
	case "wait", "tick":
		return []Event{&Ticked{}}
	case "ring":
		ev := &Ring{ID: qnet.RingID{Node: 1, Seq: number(f[1])}}
		for _, w := range f[2:] {
			ev.Members = append(ev.Members, uint32(number(w)))
		}
		return []Event{ev}
	case "quorum":
		return []Event{&Quorum{Quorate: f[1] == "yes", WaitForAll: len(f) > 2, Members: c.members}}
	case "connected":
		return []Event{&Connected{}}
	case "secured":
		return []Event{&Secured{}}
	case "disconnected":
		return []Event{&Disconnected{"connection refused"}}
	case "preinit":
		return []Event{preinit(map[string]qnet.TLS{"off": qnet.TLSUnsupported, "on": qnet.TLSSupported, "required": qnet.TLSRequired}[f[1]])}
	case "init":
		return []Event{init(qnet.ErrorCode(number(f[1])))}
	case "let":
		return []Event{&Connected{}, preinit(qnet.TLSUnsupported), init(qnet.NoError)}
	case "info":
		v := map[string]qnet.Vote{"ack": qnet.Ack, "nack": qnet.Nack}[f[1]]
		return []Event{got(&qnet.Message{Type: qnet.VoteInfo, Seq: qnet.Some(uint32(9)), Vote: v, Ring: qnet.Some(qnet.RingID{Node: 1, Seq: number(f[2])})})}
	case "echo":
		return []Event{got(&qnet.Message{Type: qnet.EchoReply, Seq: qnet.Some(uint32(number(f[1])))})}
	case "error":
		return []Event{got(&qnet.Message{Type: qnet.ServerError, Error: qnet.Some(qnet.ErrorCode(number(f[1])))})}
	case "checked":
		return []Event{&Checked{Run: number(f[1]), Pass: f[2] == "pass"}}
	case "other":
		return []Event{got(&qnet.Message{Type: qnet.NodeList})}
	case "malformed":
		return []Event{&Received{Message: &qnet.Message{Type: qnet.EchoReply}, Malformed: true}}
	}
	t.Fatalf("unknown step %v", f)
	return nil
}
