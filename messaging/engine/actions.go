// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/auth"
	"github.com/quorate/quorate/messaging/cpg"
	"github.com/quorate/quorate/messaging/link"
	"github.com/quorate/quorate/messaging/totem"
	"github.com/quorate/quorate/messaging/transport"
)

// act carries out one action of the ring.
func (e *Engine) act(a totem.Action) {
	switch a := a.(type) {
	case *totem.Send:
		count(&e.traffic.tx, a.Packet)
		kind := auth.Data
		if a.Token {
			kind = auth.Token
		}
		e.send(kind, a.To, a.Packet)
	case *totem.SetTimer:
		e.setTimer(a.ID, a.After)
	case *totem.StopTimer:
		if t := e.timers[a.ID]; t != nil {
			t.Stop()
		}
	case *totem.PersistRingSeq:
		e.persist(a.Seq)
	case *totem.Deliver:
		e.stats.delivered++
		e.orderedGroup(a.From, a.Body)
		e.actGroups(e.groups.Deliver(a.From, a.Body))
	case *totem.ConfChange:
		e.confChange(a)
	case *totem.Notice:
		e.notice(a)
	}
}

func (e *Engine) setTimer(id totem.TimerID, after time.Duration) {
	if t := e.timers[id]; t != nil {
		t.Reset(after)
		return
	}
	e.timers[id] = e.cfg.Clock.AfterFunc(after, func() { e.post(timerFired{id}) })
}

// actGroups carries out actions of the process groups.
func (e *Engine) actGroups(as []cpg.Action) {
	for _, a := range as {
		switch a := a.(type) {
		case *cpg.Submit:
			e.todo = append(e.todo, &totem.Submit{Body: a.Body, Sync: a.Sync})
		case *cpg.Deliver:
			e.deliver(a)
		case *cpg.Synced:
			e.synced(a)
		case *cpg.Service:
			e.service(a)
		case *cpg.SyncDone:
			e.announce("notice", "MAIN", "Completed service synchronization, ready to provide service.")
			e.todo = append(e.todo, &totem.SyncDone{})
		case *cpg.Protest:
			e.stats.protests++
			e.cfg.Log.Error("group protocol violated", "node", uint32(a.From), "reason", a.What)
		}
	}
}

// deliver puts an event into a member's queue and cuts the member off if it does
// not read.
func (e *Engine) deliver(a *cpg.Deliver) {
	m := e.members[a.Client]
	if m == nil {
		return
	}
	m.dispatched++
	if m.queue.push(a.Event) {
		if !m.queue.fresh {
			m.queue.fresh = true
			e.fresh = append(e.fresh, m.queue)
		}
		return
	}
	e.stats.cutOff++
	e.cfg.Log.Warn("reader cut off", "group", m.group, "client", a.Client, "pid", m.pid)
	e.dropMember(m, messaging.ReasonProcDown)
}

// confChange hands a configuration of the ring to groups and votes.
func (e *Engine) confChange(c *totem.ConfChange) {
	if c.Kind == totem.Transitional {
		e.groups.Transitional(c.Members)
		e.actQuorum(e.votes.Left(c.LeftClean))
		e.arbitration.lost = e.arbitration.lost || slices.ContainsFunc(c.Left, func(id messaging.NodeID) bool { return !slices.Contains(c.LeftClean, id) })
		e.announceLost(c)
		return
	}
	e.stats.membershipChanges++
	e.formed()
	e.announceMembership(c)
	e.ring, e.ringSet = c.Ring, slices.Clone(c.Members)
	e.publishMembers(c)
	e.actReload(e.reload.core.Changing(c.Ring))
	round := e.groups.Regular(c.Ring, c.Members, nil)
	e.actGroups(round[:len(round)-1]) // the last is this node's word: see holdSync
	e.holdSync(c)
}

// send queues a packet of the ring: to one node on the best path, to all nodes
// that are heard, or to the multicast group. Nodes that are not heard get hellos
// and heartbeats only, which is how they come to be heard.
func (e *Engine) send(kind auth.Kind, to messaging.NodeID, packet []byte) {
	sealed := e.seal(kind, to, packet)
	if sealed == nil {
		return
	}
	o := outgoing{kind: kind, to: to, plain: packet, sealed: sealed}
	// What must not be lost goes on all links: what is sent while a ring is
	// formed, and what was lost before.
	wide := e.again || e.core.State() != totem.Operational
	if to != 0 {
		e.one = e.targets(e.one[:0], to, wide)
		e.sendEach(e.one, &o)
		return
	}
	if e.multicast(&o) {
		return
	}
	if len(e.fan) == 0 || e.fanWide != wide {
		e.fan, e.fanWide = e.fan[:0], wide
		for id := range e.peers {
			if e.links.Up(id) {
				e.fan = e.targets(e.fan, id, wide)
			}
		}
	}
	e.sendEach(e.fan, &o)
}

// An outgoing packet is sealed once for all, and cut into parts where it is too
// large for a path.
type outgoing struct {
	kind   auth.Kind
	to     messaging.NodeID
	plain  []byte
	sealed []byte
	parts  [][]byte // sealed; nil until needed
}

// multicast queues a packet on each link that has a group.
func (e *Engine) multicast(o *outgoing) (sent bool) {
	for _, l := range e.cfg.Links {
		if !l.Group {
			continue
		}
		sent = true
		size := len(o.sealed)
		if limit := e.groupLimit(l.Number); limit != 0 && size > limit {
			for _, part := range e.partsOf(o) {
				e.out = append(e.out, transport.Datagram{Link: l.Number, Data: part})
			}
		} else {
			e.out = append(e.out, transport.Datagram{Link: l.Number, Data: o.sealed})
		}
		for id, p := range e.peers {
			p.counts[l.Number].data.sent(size)
			e.links.Sent(id, l.Number)
		}
	}
	return sent
}

// groupLimit is the largest payload that reaches all on a link, 0: any.
func (e *Engine) groupLimit(l int) int {
	least := 0
	for id, p := range e.peers {
		if n := p.limit[l]; n != 0 && (least == 0 || n < least) && e.links.Up(id) {
			least = n
		}
	}
	return least
}

// targets adds the paths to a node to dst, those chosen or all on which it is
// heard, and notes that something is sent.
func (e *Engine) targets(dst []target, id messaging.NodeID, wide bool) []target {
	p := e.peers[id]
	if p == nil {
		return dst
	}
	links := e.links.Route
	if wide {
		links = e.links.Alive
	}
	for _, l := range links(id) {
		dst = append(dst, target{p, l, p.addrs[l]})
		e.links.Sent(id, l)
	}
	return dst
}

func (e *Engine) sendEach(to []target, o *outgoing) {
	for _, t := range to {
		t.peer.counts[t.link].data.sent(len(o.sealed))
		if limit := t.peer.limit[t.link]; limit == 0 || len(o.sealed) <= limit {
			e.out = append(e.out, transport.Datagram{Link: t.link, To: t.to, Data: o.sealed})
			continue
		}
		for _, part := range e.partsOf(o) {
			e.out = append(e.out, transport.Datagram{Link: t.link, To: t.to, Data: part})
		}
	}
}

// maxArena bounds the buffer for sealed packets that is kept between batches.
const maxArena = 8 << 20

func (e *Engine) seal(kind auth.Kind, to messaging.NodeID, plain []byte) []byte {
	at := len(e.arena)
	grown, err := e.guard.Seal(e.arena, kind, to, plain)
	if err != nil {
		e.fail(err)
		return nil
	}
	e.arena = grown
	return grown[at:len(grown):len(grown)]
}

// wakeReaders tells the readers of what was delivered, once for all that a step
// delivers: so they take it in one go.
func (e *Engine) wakeReaders() {
	for _, q := range e.fresh {
		q.fresh = false
		q.wake()
	}
	clear(e.fresh)
	e.fresh = e.fresh[:0]
}

// flush sends what is queued, in order.
func (e *Engine) flush() {
	if len(e.out) > 0 {
		e.wire.Send(e.out)
	}
	clear(e.out)
	e.out, e.fan = e.out[:0], e.fan[:0]
	if cap(e.arena) > maxArena {
		e.arena = nil
	}
	e.arena = e.arena[:0]
}

// tick counts time for the links and is armed again.
func (e *Engine) tick() {
	acts := e.links.Tick(e.cfg.Clock.Now())
	e.stats.late = max(e.stats.late, e.links.Late())
	if late := e.links.Late(); late > e.cfg.Totem.Token*8/10 {
		e.noteMissed(late)
		e.announce("warning", "MAIN", "Corosync main process was not scheduled (@%d) for %d ms (threshold is %d ms). Consider token timeout increase.",
			e.cfg.Clock.Wall().UnixMilli(), late.Milliseconds(), (e.cfg.Totem.Token * 8 / 10).Milliseconds())
	}
	e.actLinks(acts)
	e.adaptSizes()
	if len(e.peers) == 0 || len(e.cfg.Nodes) == 0 {
		e.greetAll()
	}
	e.step(nil)
	e.cfg.Clock.AfterFunc(e.cfg.Link.Tick(), func() { e.post(ticked{}) })
}

// greetAll announces this node where the others are not configured.
func (e *Engine) greetAll() {
	hello, err := e.guard.Hello(nil, 0)
	if err == nil {
		e.multicast(&outgoing{sealed: hello})
	}
}

func (e *Engine) actLinks(as []link.Action) {
	var down []messaging.NodeID
	if len(as) > 0 {
		e.fan = e.fan[:0]
	}
	for _, a := range as {
		switch a := a.(type) {
		case *link.SendBeat:
			e.beat(a)
		case *link.PeerDown:
			e.cfg.Log.Warn("peer silent", "node", uint32(a.Peer), "reason", a.Why)
			down = append(down, a.Peer)
		case *link.PeerUp:
			e.cfg.Log.Info("peer heard", "node", uint32(a.Peer))
			e.step(&totem.SuspectCleared{Node: a.Peer})
		case *link.LinkChange:
			state := "down"
			if a.Up {
				state = "up"
			} else {
				e.stats.linkDown++
			}
			if p := e.peers[a.Peer]; p != nil {
				p.counts[a.Link].changed(a.Up)
			}
			e.cfg.Log.Info("link changed", "node", uint32(a.Peer), "link", a.Link, "to", state)
			e.announce("notice", "KNET", "link: host: %d link: %d is %s", a.Peer, a.Link, state)
		}
	}
	if len(down) > 0 {
		e.step(&totem.SuspectDown{Nodes: down})
	}
}

// beat sends a sign of life, or a hello to a peer whose boot is not proven.
func (e *Engine) beat(b *link.SendBeat) {
	p := e.peers[b.Peer]
	if p == nil {
		return
	}
	to := p.addrs[b.Link]
	if !e.guard.Proven(b.Peer) {
		e.hello(b.Peer, b.Link, to)
		return
	}
	plain := b.Append(e.beatBuf[:0])
	if b.Probe {
		if n := int(b.Size) - headersOf(to.Addr()) - auth.Overhead; n > len(plain) {
			plain = append(plain, make([]byte, n-len(plain))...)
		}
	}
	e.beatBuf = plain
	if sealed := e.seal(auth.Beat, b.Peer, plain); sealed != nil {
		p.counts[b.Link].of(&b.Beat).sent(len(sealed))
		e.out = append(e.out, transport.Datagram{Link: b.Link, To: to, Data: sealed})
	}
}

// Bounds of the hellos sent to one peer.
const (
	maxHellos   = 16
	helloPeriod = 100 * time.Millisecond
)

// hello sends a challenge and answer, at most maxHellos in each helloPeriod:
// forged packets must not make this node flood another.
func (e *Engine) hello(id messaging.NodeID, l int, to netip.AddrPort) {
	p := e.peers[id]
	if p == nil {
		if len(e.cfg.Nodes) > 0 || len(e.peers) >= maxPeers {
			return
		}
		p = e.addPeer(id, map[int]netip.Addr{l: to.Addr()})
	}
	now := e.cfg.Clock.Now()
	if now-p.since >= helloPeriod {
		p.since, p.hellos = now, 0
	}
	if p.hellos++; p.hellos > maxHellos {
		return
	}
	sealed, err := e.guard.Hello(nil, id)
	if err != nil {
		return
	}
	e.out = append(e.out, transport.Datagram{Link: l, To: to, Data: sealed})
}

func (e *Engine) peerRefused(r refused) {
	for id, p := range e.peers {
		if ap, ok := p.addrs[r.link]; ok && ap.Addr() == r.dst {
			e.actLinks(e.links.Refused(id, r.link))
		}
	}
	e.step(nil)
}

func (e *Engine) peerTooBig(t tooBig) {
	for id, p := range e.peers {
		if ap, ok := p.addrs[t.link]; ok && ap.Addr() == t.dst {
			e.links.TooBig(id, t.link, t.size)
		}
	}
	e.adaptSizes()
}

// announceLost names the nodes that went without a word.
func (e *Engine) announceLost(c *totem.ConfChange) {
	var lost []messaging.NodeID
	for _, id := range c.Left {
		if !slices.Contains(c.LeftClean, id) {
			lost = append(lost, id)
		}
	}
	if len(lost) > 0 {
		e.announce("notice", "TOTEM", "Failed to receive the leave message. failed:%s", idList(lost))
	}
}

func (e *Engine) announceMembership(c *totem.ConfChange) {
	var joined, left []messaging.NodeID
	for _, id := range c.Members {
		if !slices.Contains(e.ringSet, id) && id != e.cfg.Self || slices.Contains(c.Joined, id) {
			joined = append(joined, id)
		}
	}
	for _, id := range e.ringSet {
		if !slices.Contains(c.Members, id) {
			left = append(left, id)
		}
	}
	text := fmt.Sprintf("A new membership (%s) was formed. Members", c.Ring)
	if len(joined) > 0 {
		text += " joined:" + idList(joined)
	}
	if len(left) > 0 {
		text += " left:" + idList(left)
	}
	e.announce("notice", "TOTEM", "%s", text)
	e.cfg.Log.Info("membership formed", "ring", c.Ring.String(), "members", numbers(c.Members), "joined", numbers(joined), "left", numbers(left))
	e.announce("notice", "QUORUM", "Sync members[%d]:%s", len(c.Members), idList(c.Members))
	if len(joined) > 0 {
		e.announce("notice", "QUORUM", "Sync joined[%d]:%s", len(joined), idList(joined))
	}
	if len(left) > 0 {
		e.announce("notice", "QUORUM", "Sync left[%d]:%s", len(left), idList(left))
	}
}

func idList(ids []messaging.NodeID) string {
	var b strings.Builder
	for _, id := range ids {
		fmt.Fprintf(&b, " %d", id)
	}
	return b.String()
}

// numbers makes ids plain for the log.
func numbers(ids []messaging.NodeID) []uint32 {
	out := make([]uint32, len(ids))
	for i, id := range ids {
		out[i] = uint32(id)
	}
	return out
}

// notice logs what the ring finds remarkable.
func (e *Engine) notice(n *totem.Notice) {
	switch n.Name {
	case "state_changed":
		e.cfg.Log.Debug("ring state changed", "from", n.From, "to", n.To, "cause", n.Why)
		if n.From == "operational" {
			e.arbitration.lease.Part()
		}
		if n.From == "operational" && n.To == "gather" && strings.Contains(n.Why, "token") {
			e.stats.tokenLost++
			e.announce("notice", "TOTEM", "A processor failed, forming new configuration: token timed out (%dms), waiting %dms for consensus.",
				e.cfg.Totem.Token.Milliseconds(), (e.cfg.Totem.Token * 12 / 10).Milliseconds())
		}
	case "process_paused":
		e.cfg.Log.Warn("process was paused", "for", n.Why)
		e.announce("warning", "TOTEM", "Process pause detected for %s, flushing membership messages.", n.Why)
	case "duplicate_node_id", "failed_to_receive", "submit_refused":
		e.cfg.Log.Error("ring trouble", "name", n.Name, "node", n.From, "reason", n.Why)
	default:
		e.cfg.Log.Debug("ring notice", "name", n.Name, "from", n.From, "to", n.To, "cause", n.Why)
	}
}
