// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"encoding/binary"
	"net/netip"
	"slices"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/auth"
	"github.com/quorate/quorate/messaging/totem"
)

// Headers of IP and UDP, in bytes.
const (
	headers4 = 20 + 8
	headers6 = 40 + 8
)

func headersOf(a netip.Addr) int {
	if a.Is4() {
		return headers4
	}
	return headers6
}

// adaptSizes takes over what the links know of the packets that pass. Larger
// ones are cut from now on; once the search has ended the ring makes smaller
// ones, which is cheaper.
func (e *Engine) adaptSizes() {
	if e.cfg.Link.MTU == 0 {
		return
	}
	want, all := e.cfg.Totem.MTU, true
	for id, p := range e.peers {
		for l, to := range p.addrs {
			size, settled := e.links.MTU(id, l)
			p.limit[l] = size - headersOf(to.Addr())
			if e.links.Uses(id, l) {
				want, all = min(want, p.limit[l]-auth.Overhead), all && settled
			}
		}
	}
	if all && want != e.ringMTU {
		e.ringMTU = want
		e.cfg.Log.Info("size of packets changed", "bytes", want, "of", e.cfg.Totem.MTU)
		e.reconfigureRing(e.cfg.Totem)
	}
}

// reconfigureRing changes the ring's limits, within what the links carry.
func (e *Engine) reconfigureRing(c totem.Config) {
	c.MTU = min(c.MTU, e.ringMTU)
	e.step(&totem.Reconfigure{Config: c})
}

// A packet that is too large for a path is sent in parts, each sealed on its
// own. A part begins with: kind u8 · index u8 · count u8 · 0 · id u32.
const (
	partHeader = 8
	// maxParts bounds the parts of one packet, maxPartial the packets of one peer
	// of which parts are missing.
	maxParts   = 255
	maxPartial = 64
)

// partsOf cuts a packet so that it passes on the narrowest path.
func (e *Engine) partsOf(o *outgoing) [][]byte {
	if o.parts != nil {
		return o.parts
	}
	room := 0
	for id, p := range e.peers {
		for _, n := range p.limit {
			if n != 0 && (room == 0 || n < room) && (o.to == 0 || o.to == id) {
				room = n
			}
		}
	}
	room -= auth.Overhead + partHeader
	if room <= 0 {
		return nil
	}
	count := (len(o.plain) + room - 1) / room
	if count > maxParts {
		return nil
	}
	e.partID++
	for i := range count {
		piece := make([]byte, partHeader, partHeader+room)
		piece[0], piece[1], piece[2] = byte(o.kind), byte(i), byte(count)
		binary.LittleEndian.PutUint32(piece[4:], e.partID)
		piece = append(piece, o.plain[i*room:min((i+1)*room, len(o.plain))]...)
		if sealed := e.seal(auth.Part, o.to, piece); sealed != nil {
			o.parts = append(o.parts, sealed)
		}
	}
	return o.parts
}

// An assembly keeps the parts of one peer's packets until all have come. A
// packet that lacks parts makes room when maxPartial later ones have begun.
type assembly struct{ slots [maxPartial]*partial }

type partial struct {
	id      uint32
	kind    auth.Kind
	missing int
	parts   [][]byte
	have    [maxParts]bool
}

func (a *assembly) clear() { *a = assembly{} }

// add takes in a part; it gives the packet when that was the last, else kind 0.
func (a *assembly) add(part []byte) (kind auth.Kind, packet []byte) {
	if len(part) < partHeader {
		return 0, nil
	}
	id, index, count := binary.LittleEndian.Uint32(part[4:]), int(part[1]), int(part[2])
	if index >= count || part[0] != byte(auth.Data) && part[0] != byte(auth.Token) {
		return 0, nil
	}
	slot := &a.slots[id%maxPartial]
	p := *slot
	if p == nil || p.id != id || len(p.parts) != count || p.kind != auth.Kind(part[0]) {
		p = &partial{id: id, kind: auth.Kind(part[0]), missing: count, parts: make([][]byte, count)}
		*slot = p
	}
	if p.have[index] {
		return 0, nil
	}
	p.have[index] = true
	p.parts[index] = slices.Clone(part[partHeader:])
	if p.missing--; p.missing > 0 {
		return 0, nil
	}
	*slot = nil
	for _, piece := range p.parts {
		packet = append(packet, piece...)
	}
	return p.kind, packet
}

// sizeTo is the largest packet of the ring that passes to a peer on a link.
func (e *Engine) sizeTo(id messaging.NodeID, l int) int {
	if p := e.peers[id]; p != nil && p.limit[l] != 0 {
		return max(p.limit[l]-auth.Overhead, 0)
	}
	return e.cfg.Totem.MTU
}
