// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/totem/pack"
	"github.com/quorate/quorate/messaging/totem/wire"
)

// maxQueued bounds what waits to be sent whatever the shell submits.
const maxQueued = 2 * MaxBody

// payloadSize is the room for chunks in one packet. A packet of an old ring
// must fit into one of the new ring as its payload.
func (c *Core) payloadSize() int { return c.cfg.MTU - 2*wire.McastOverhead }

// messageCost is what a message counts in the send queue beside its bytes: the
// time that it takes at all members does not follow from its size alone.
const messageCost = 512

// Room tells whether a message of that size may be submitted now.
func (c *Core) Room(size int) bool {
	if c.left || !c.started || size > MaxBody {
		return false
	}
	waits := c.queue.Bytes() + c.queue.Len()*messageCost
	return waits < c.cfg.SendQueue/2 || waits+size+messageCost <= c.cfg.SendQueue
}

func (c *Core) submit(ev *Submit) {
	q := &c.queue
	if ev.Sync {
		q = &c.syncQueue
	}
	if len(ev.Body) > MaxBody || q.Bytes()+len(ev.Body) > maxQueued {
		c.notice("submit_refused", "", "", "message too large, or the shell did not ask for room")
		return
	}
	c.stats.MessagesSent++
	q.Push(ev.Body)
	c.cancelHold()
}

func (c *Core) syncDone() {
	if c.waitSync {
		c.waitSync = false
		if c.queue.Len() > 0 {
			c.cancelHold()
		}
	}
}

// sendable tells whether the application has anything to send now.
func (c *Core) sendable() bool {
	return c.syncQueue.Len() > 0 || (!c.waitSync && c.queue.Len() > 0)
}

// backlog gives about how many packets wait.
func (c *Core) backlog() int {
	if c.state == Recovery {
		return len(c.retrans)
	}
	n := c.syncQueue.Bytes()
	if !c.waitSync {
		n += c.queue.Bytes()
	}
	size := c.payloadSize()
	return (n + size - 1) / size
}

// nextPacket numbers and gives the next packet to send, nil if there is none.
func (c *Core) nextPacket(s *msgSet, seq uint64) []byte {
	m := wire.Mcast{Ring: c.ring, Seq: seq, Origin: c.self}
	var packet []byte
	if c.state == Recovery {
		old := c.nextRetrans()
		if old == nil {
			return nil
		}
		m.Payload, m.Recovery = old.packet, true
		old.copied = true
		packet = m.Append(make([]byte, 0, m.Size()))
	} else {
		q := &c.queue
		if c.syncQueue.Len() > 0 {
			q = &c.syncQueue
		} else if c.waitSync {
			return nil
		}
		size := min(c.payloadSize(), q.Bytes()+pack.CutExtra)
		packet = q.Next(m.Append(make([]byte, 0, wire.McastOverhead+size)), c.payloadSize())
		if len(packet) == wire.McastOverhead {
			return nil
		}
	}
	s.put(seq, packet, c.self, m.Recovery)
	c.lastMine = seq
	return packet
}

// onMcast takes a numbered packet.
func (c *Core) onMcast(m *wire.Mcast, packet []byte) {
	var s *msgSet
	switch {
	case m.Ring == c.cur.ring && (c.state == Operational || c.state == Gather):
		s = c.cur
	case c.state == Recovery && m.Ring == c.next.ring:
		s = c.next
	default:
		// A foreign ring's message could call for a merge as well, but it comes
		// late or over links that the ring's representative does not have. The
		// representative speaks for its ring, see sendMergeDetect.
		c.stats.Foreign++
		return
	}
	if m.Seq > c.storedSeq && m.Ring == c.ring {
		c.arrived = true
	}
	if s.room(m.Seq) == nil || s.has(m.Seq) {
		c.stats.McastDuplicate++
		return
	}
	s.put(m.Seq, packet, m.Origin, m.Recovery)
	c.stats.McastReceived++
	if m.Recovery && c.state == Recovery {
		c.recoverCopy(m.Payload)
	}
	if c.state == Operational {
		c.deliverContiguous()
	}
}

// deliverContiguous delivers what follows without a gap.
func (c *Core) deliverContiguous() {
	for c.cur.delivered < c.cur.aru {
		c.cur.delivered++
		if m := c.cur.at(c.cur.delivered); m != nil {
			c.deliver(c.cur.ring, m)
		}
	}
}

// deliver unpacks one packet. A malformed payload is the same bytes at every
// member, so that all of them skip the same.
func (c *Core) deliver(ring messaging.RingID, m *slot) {
	if m.recovery {
		return
	}
	a := c.assemblies[m.origin]
	if a == nil {
		a = &pack.Assembly{}
		c.assemblies[m.origin] = a
	}
	r := pack.NewReader(m.packet[wire.McastOverhead:], MaxBody)
	for {
		body, ok, err := r.Next(a)
		if err != nil {
			c.reject(m.origin, err)
		}
		if !ok {
			return
		}
		c.stats.Delivered++
		c.out.deliver(m.origin, ring, body)
	}
}
