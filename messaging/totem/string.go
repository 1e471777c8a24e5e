// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/totem/wire"
)

func itoa(n uint64) string { return strconv.FormatUint(n, 10) }

var timerNames = [numTimers]string{
	TimerToken: "token", TimerRetransmit: "token_retransmit", TimerHold: "hold", TimerJoin: "join",
	TimerSendJoin: "send_join", TimerConsensus: "consensus", TimerMerge: "merge", TimerPause: "pause", TimerSelf: "self",
}

// String gives the name of a timer.
func (t TimerID) String() string {
	if t >= numTimers {
		return fmt.Sprintf("timer_%d", uint8(t))
	}
	return timerNames[t]
}

// String gives the name of a kind of configuration.
func (k ConfKind) String() string {
	switch k {
	case Transitional:
		return "transitional"
	case Regular:
		return "regular"
	}
	return fmt.Sprintf("conf_kind_%d", uint8(k))
}

func nodes(ns []messaging.NodeID) string {
	var b strings.Builder
	b.WriteByte('[')
	for i, n := range ns {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(nodeName(n))
	}
	b.WriteByte(']')
	return b.String()
}

// String shows the receiver and the contents of the packet.
func (s *Send) String() string {
	to := "all"
	if s.To != 0 {
		to = nodeName(s.To)
	}
	return "send " + to + " " + PacketString(s.Packet)
}

func (s *SetTimer) String() string       { return fmt.Sprintf("set %v %v", s.ID, s.After) }
func (s *StopTimer) String() string      { return fmt.Sprintf("stop %v", s.ID) }
func (p *PersistRingSeq) String() string { return fmt.Sprintf("persist ring seq %d", p.Seq) }

func (d *Deliver) String() string {
	return fmt.Sprintf("deliver from %d on %v %s", d.From, d.Ring, bodyString(d.Body))
}

func (c *ConfChange) String() string {
	s := fmt.Sprintf("%v configuration %v members %s", c.Kind, c.Ring, nodes(c.Members))
	if len(c.Joined) > 0 {
		s += " joined " + nodes(c.Joined)
	}
	if len(c.Left) > 0 {
		s += " left " + nodes(c.Left)
	}
	if len(c.LeftClean) > 0 {
		s += " announced " + nodes(c.LeftClean)
	}
	return s
}

func (n *Notice) String() string {
	s := "notice " + n.Name
	if n.From != "" || n.To != "" {
		s += fmt.Sprintf(" %s→%s", n.From, n.To)
	}
	if n.Why != "" {
		s += ": " + n.Why
	}
	return s
}

// bodyString shows short printable bodies in full.
func bodyString(b []byte) string {
	const show = 32
	if len(b) <= show {
		return strconv.Quote(string(b))
	}
	return fmt.Sprintf("%s… (%d bytes)", strconv.Quote(string(b[:show])), len(b))
}

// PacketString describes a packet of the ring protocol for tests and traces.
func PacketString(b []byte) string {
	t, err := wire.TypeOf(b)
	if err != nil {
		return err.Error()
	}
	var s string
	switch t {
	case wire.TypeToken:
		var k wire.Token
		err = wire.DecodeToken(b, &k)
		s = fmt.Sprintf("%v %v token_seq=%d seq=%d aru=%d/%d fcc=%d backlog=%d", t, k.Ring, k.TokenSeq, k.Seq, k.Aru, k.AruAddr, k.Fcc, k.Backlog)
		if k.Retransmit {
			s += " retransmit"
		}
		if len(k.Missing) > 0 {
			s += fmt.Sprintf(" missing=%d", k.Missing)
		}
	case wire.TypeMcast:
		var m wire.Mcast
		m, err = wire.DecodeMcast(b)
		s = fmt.Sprintf("%v %v seq=%d origin=%d", t, m.Ring, m.Seq, m.Origin)
		if m.Recovery {
			s += " copy of {" + PacketString(m.Payload) + "}"
		}
	case wire.TypeMergeDetect:
		var m wire.MergeDetect
		m, err = wire.DecodeMergeDetect(b)
		s = fmt.Sprintf("%v %v", t, m.Ring)
	case wire.TypeHoldCancel:
		var h wire.HoldCancel
		h, err = wire.DecodeHoldCancel(b)
		s = fmt.Sprintf("%v %v", t, h.Ring)
	case wire.TypeJoin:
		var j wire.Join
		j, err = wire.DecodeJoin(b)
		s = fmt.Sprintf("%v proc=%s failed=%s ring_seq=%d", t, nodes(j.Proc), nodes(j.Failed), j.RingSeq)
		if j.Leave {
			s += " leave"
		}
	case wire.TypeCommit:
		var c *wire.Commit
		if c, err = wire.DecodeCommit(b); err == nil {
			s = commitString(c)
		}
	}
	if err != nil {
		return t.String() + ": " + err.Error()
	}
	return s
}

func commitString(c *wire.Commit) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v %v token_seq=%d filled=%d", wire.TypeCommit, c.Ring, c.TokenSeq, c.Filled)
	for i := range c.Members {
		m := &c.Members[i]
		fmt.Fprintf(&b, " %d", m.Node)
		if i < c.Filled {
			fmt.Fprintf(&b, "(%v aru=%d high=%d)", m.OldRing, m.Aru, m.High)
		}
	}
	return b.String()
}
