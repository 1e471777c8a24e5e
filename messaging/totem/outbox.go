// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import "github.com/quorate/quorate/messaging"

// An outbox collects the actions of one step. The frequent ones lie in slabs
// that are used again, so that a step in quiet times allocates nothing.
type outbox struct {
	acts     []Action
	sends    []Send
	delivers []Deliver
	timers   []SetTimer
}

// maxSlab bounds what a slab keeps for the next step.
const maxSlab = 4096

func (o *outbox) reset() {
	clear(o.acts)
	clear(o.sends)
	clear(o.delivers)
	if cap(o.acts) > maxSlab {
		*o = outbox{}
		return
	}
	o.acts, o.sends, o.delivers, o.timers = o.acts[:0], o.sends[:0], o.delivers[:0], o.timers[:0]
}

func (o *outbox) add(a Action) { o.acts = append(o.acts, a) }

func (o *outbox) send(to messaging.NodeID, packet []byte, token bool) {
	o.sends = append(o.sends, Send{To: to, Packet: packet, Token: token})
	o.add(&o.sends[len(o.sends)-1])
}

func (o *outbox) deliver(from messaging.NodeID, ring messaging.RingID, body []byte) {
	o.delivers = append(o.delivers, Deliver{From: from, Ring: ring, Body: body})
	o.add(&o.delivers[len(o.delivers)-1])
}

func (o *outbox) setTimer(t SetTimer) {
	o.timers = append(o.timers, t)
	o.add(&o.timers[len(o.timers)-1])
}
