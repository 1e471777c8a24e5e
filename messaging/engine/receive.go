// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/auth"
	"github.com/quorate/quorate/messaging/link"
	"github.com/quorate/quorate/messaging/totem"
	"github.com/quorate/quorate/messaging/transport"
)

// Receive opens a batch of packets and hands over those that pass. It runs in
// the goroutine of a socket, so that the cost of opening does not fall on the
// engine's.
func (e *Engine) Receive(batch []transport.Packet) {
	now := e.cfg.Clock.Now()
	b := &rxBatch{packets: make([]rxPacket, 0, len(batch))}
	size := 0
	for _, p := range batch {
		size += max(len(p.Data)-auth.Overhead, 0)
	}
	slab := make([]byte, 0, size)
	for _, p := range batch {
		o, err := e.guard.Open(slab[len(slab):], now, p.Src.Addr(), p.Data)
		if err != nil {
			if r, ok := errors.AsType[*auth.Refusal](err); ok {
				e.refusal(now, p, r)
				if o.Reply {
					b.wants = append(b.wants, wanted{r.From, p.Link, p.Src})
				}
			}
			continue
		}
		if !e.known.allowOn(o.From, p.Src.Addr(), p.Link) {
			e.refusal(now, p, e.guard.Refuse(auth.WrongLink, o.From))
			continue
		}
		if o.Reply {
			b.wants = append(b.wants, wanted{o.From, p.Link, p.Src})
		}
		if o.NewBoot {
			e.cfg.Log.Info("peer started", "node", uint32(o.From), "addr", p.Src.Addr().String())
		}
		// A peer counts as heard once the boots are proven in both directions:
		// what is sent to it before would be lost, a commit token among it.
		if !o.Proven || o.Kind == auth.Hello && !o.Believed {
			continue
		}
		slab = slab[:len(slab)+len(o.Plain)]
		b.packets = append(b.packets, rxPacket{
			recv: totem.Recv{From: o.From, Packet: slices.Clip(o.Plain)}, link: p.Link, src: p.Src, kind: o.Kind, newBoot: o.NewBoot,
		})
	}
	if len(b.packets)+len(b.wants) > 0 {
		e.post(b)
	}
}

// TooBig reports that packets to dst must not be larger.
func (e *Engine) TooBig(link int, dst netip.Addr, size int) { e.post(tooBig{link, dst, size}) }

// Refused reports that a peer's kernel has nobody at its port.
func (e *Engine) Refused(link int, dst netip.Addr) { e.post(refused{link, dst}) }

// received takes in a batch: answers to hellos and life signs first, tokens last, since a token may
// overtake the data that was sent before it.
func (e *Engine) received(b *rxBatch) {
	for _, w := range b.wants { // ahead of what needs them to have arrived
		e.hello(w.peer, w.link, w.src)
	}
	var from *peer
	for i := range b.packets {
		p := &b.packets[i]
		// Packets of one peer come in trains: it is looked up and noted once.
		if i == 0 || p.recv.From != b.packets[i-1].recv.From || p.link != b.packets[i-1].link {
			if from = e.heard(p); from != nil {
				e.actLinks(e.links.Heard(p.recv.From, p.link))
			}
		}
		if from == nil {
			continue // not configured, or not yet: a reload is under way
		}
		if p.newBoot {
			from.parts.clear()
		}
		if p.kind == auth.Beat {
			e.heardBeat(from, p)
			continue
		}
		from.counts[p.link].data.received(len(p.recv.Packet) + auth.Overhead)
		if p.kind == auth.Part {
			p.kind, p.recv.Packet = from.parts.add(p.recv.Packet)
		}
		if p.kind == auth.Data {
			e.todo = append(e.todo, &p.recv)
		}
	}
	for i := range b.packets {
		if p := &b.packets[i]; p.kind == auth.Token && e.peers[p.recv.From] != nil {
			e.todo = append(e.todo, &p.recv)
		}
	}
	e.step(nil)
}

// heardBeat takes in a heartbeat, and sends the answer that it may want.
func (e *Engine) heardBeat(from *peer, p *rxPacket) {
	if b, ok := link.ParseBeat(p.recv.Packet); ok {
		from.counts[p.link].of(&b).received(len(p.recv.Packet) + auth.Overhead)
		e.actLinks(e.links.Beat(e.cfg.Clock.Now(), p.recv.From, p.link, b))
	}
}

// heard finds the peer that sent a packet. A node that is not configured but has
// the key becomes one where nodes may come unasked; nil otherwise.
func (e *Engine) heard(p *rxPacket) *peer {
	if known := e.peers[p.recv.From]; known != nil || len(e.cfg.Nodes) > 0 || len(e.peers) >= maxPeers {
		return known
	}
	return e.addPeer(p.recv.From, map[int]netip.Addr{p.link: p.src.Addr()})
}

// Refusals are logged once per reason and source in a while, so that a flood of
// packets is no flood of lines.
const (
	refusalEvery  = 10 * time.Second
	maxRefusalLog = 256
)

type refusalKey struct {
	reason auth.Reason
	src    netip.Addr
}

type refusalLog struct {
	mu   sync.Mutex
	last map[refusalKey]time.Duration // guarded by mu
}

func (l *refusalLog) due(now time.Duration, k refusalKey) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil || len(l.last) >= maxRefusalLog {
		l.last = map[refusalKey]time.Duration{}
	}
	if at, ok := l.last[k]; ok && now-at < refusalEvery {
		return false
	}
	l.last[k] = now
	return true
}

// explain tells an administrator what a refusal means, for those that point to
// a fault of the configuration.
var explain = map[auth.Reason]string{
	auth.OtherCluster: "its authkey or totem.cluster_name differs from ours",
	auth.BadVersion:   "it speaks another version of the protocol",
	auth.OwnID:        "another machine uses this node's id",
	auth.UnknownNode:  "its node id or address is not in the nodelist",
	auth.WrongLink:    "its address is that of another link of the node",
	auth.BadSeal:      "the packet was changed on its way or forged",
	auth.Malformed:    "not a packet of this protocol",
}

func (e *Engine) refusal(now time.Duration, p transport.Packet, r *auth.Refusal) {
	if r.Reason == auth.OtherCluster && e.seen.due(now, refusalKey{reason: r.Reason}) {
		e.post(otherKey{r.Cluster})
	}
	why, worth := explain[r.Reason]
	if !worth || !e.seen.due(now, refusalKey{r.Reason, p.Src.Addr()}) {
		return
	}
	e.cfg.Log.Warn("packet refused", "src", p.Src.String(), "node", uint32(r.From), "link", p.Link, "reason", string(r.Reason), "explanation", why)
}

// ringAddrs are the addresses of a node as corosync's map shows them.
func (e *Engine) ringAddrs(id messaging.NodeID) string {
	var out strings.Builder
	i := slices.IndexFunc(e.cfg.Nodes, func(n Node) bool { return n.ID == id })
	for l := range maxLinks {
		if i >= 0 && e.cfg.Nodes[i].Addrs[l].IsValid() {
			fmt.Fprintf(&out, "r(%d) ip(%s) ", l, e.cfg.Nodes[i].Addrs[l])
		}
	}
	if out.Len() == 0 {
		return fmt.Sprintf("r(0) ip(%s) ", e.addrOf(id))
	}
	return out.String()
}

// addrOf is the first address of a node.
func (e *Engine) addrOf(id messaging.NodeID) string {
	for _, n := range e.cfg.Nodes {
		if n.ID == id {
			for l := range maxLinks {
				if a, ok := n.Addrs[l]; ok {
					return a.String()
				}
			}
		}
	}
	if id == e.cfg.Self {
		return e.cfg.Links[0].Local.String()
	}
	if p := e.peers[id]; p != nil {
		for l := range maxLinks {
			if a, ok := p.addrs[l]; ok {
				return a.Addr().String()
			}
		}
	}
	return ""
}

const maxLinks = 8
