// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package auth

import (
	"crypto/subtle"
	"io"
	"maps"

	"github.com/quorate/quorate/messaging"
)

// Layout of a hello's sealed content.
const (
	challengeLen = 16
	helloLen     = 2*challengeLen + BootLen
)

// A hello carries the sender's challenge to the receiver, the answer to the
// receiver's newest challenge (zero where none is known), and the receiver's
// boot as the sender believes it (zero where none is proven).
type hello struct {
	challenge, answer [challengeLen]byte
	believes          BootID
}

func parseHello(b []byte) (h hello) {
	copy(h.challenge[:], b)
	copy(h.answer[:], b[challengeLen:])
	copy(h.believes[:], b[2*challengeLen:])
	return h
}

// Hello seals a hello for one node; to 0 announces this node to everybody
// (multicast, where the others are not known yet).
func (g *Guard) Hello(dst []byte, to messaging.NodeID) ([]byte, error) {
	var plain [helloLen]byte
	if to != 0 {
		g.mu.Lock()
		p, reason := g.peerLocked(to)
		if reason != "" {
			g.mu.Unlock()
			return nil, &Refusal{Reason: reason, From: to}
		}
		copy(plain[:], p.challenge[:])
		copy(plain[challengeLen:], p.echo[:])
		if p.proven != nil {
			copy(plain[2*challengeLen:], p.proven.boot[:])
		}
		g.mu.Unlock()
	}
	return g.Seal(dst, Hello, to, plain[:])
}

// Proven tells whether the node's present boot answered a challenge: only then
// are its packets taken.
func (g *Guard) Proven(id messaging.NodeID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	p := g.peers[id]
	return p != nil && p.proven != nil
}

// helloLocked takes in an opened hello. An answer to our challenge proves the
// sender's boot, and the boot before it is never believed again: the challenge
// is drawn anew at each proof, so a recorded answer proves nothing. A reply is
// due while the sender does not believe our boot, and once to tell it that we
// believe its own; four hellos end it.
func (g *Guard) helloLocked(p *peer, s *session, h hello) (newBoot, reply bool) {
	p.echo = h.challenge
	reply = h.believes != g.boot
	if subtle.ConstantTimeCompare(h.answer[:], p.challenge[:]) != 1 {
		if s != p.proven {
			p.unproven = s
			reply = true
		}
		return false, reply
	}
	if _, err := io.ReadFull(g.cfg.Rand, p.challenge[:]); err != nil {
		return false, reply
	}
	if newBoot = s != p.proven; newBoot {
		// What the sender sealed before it answered may be a recording from the
		// time before this node started.
		s.win.close()
	}
	p.proven, p.unproven = s, nil
	return newBoot, reply || newBoot
}

// Refused counts the packets refused, by reason.
func (g *Guard) Refused() map[Reason]uint64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return maps.Clone(g.refused)
}

// Refuse counts a packet that passed the seal and is not taken for a reason that
// the guard does not know of.
func (g *Guard) Refuse(r Reason, from messaging.NodeID) *Refusal {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.refuseLocked(r, from)
}

func (g *Guard) refuseLocked(r Reason, from messaging.NodeID) *Refusal {
	g.refused[r]++
	return &Refusal{Reason: r, From: from}
}
