// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package auth

import (
	"crypto/cipher"
	"slices"
)

// maxKeys is how many keys are accepted at a time while the key is changed.
const maxKeys = 2

// Stage accepts packets that are sealed with k beside those of the present key,
// which goes on to seal what is sent. A key staged before is forgotten. It is the
// first step of a change of the key: once all nodes have staged it each may
// [Guard.Switch].
func (g *Guard) Stage(k Key) {
	g.sealMu.Lock()
	present := g.sends.cluster
	g.sealMu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dropLocked(func(old Key) bool { return old.cluster != present })
	if k.cluster != present {
		g.keys = append(g.keys, k.clone())
	}
}

// Switch seals with k from here on, and still accepts the key before. k must be
// the one staged, or the present one.
func (g *Guard) Switch(k Key) error {
	g.sealMu.Lock()
	defer g.sealMu.Unlock()
	if g.sends.cluster == k.cluster {
		return nil
	}
	// The counter goes on, so that the receivers' windows hold for both keys.
	k = k.clone()
	sealer, err := newAEAD(k, g.cfg.Self, g.boot, uint32(g.counter>>32))
	if err != nil {
		return err
	}
	clear(g.sends.root)
	g.sealer, g.sends = sealer, k
	return nil
}

// Retire accepts only the key that seals, and wipes the others.
func (g *Guard) Retire() {
	g.sealMu.Lock()
	present := g.sends.cluster
	g.sealMu.Unlock()
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dropLocked(func(old Key) bool { return old.cluster != present })
}

func (g *Guard) dropLocked(gone func(Key) bool) {
	g.keys = slices.DeleteFunc(g.keys, func(k Key) bool {
		if gone(k) {
			clear(k.root)
			return true
		}
		return false
	})
	for _, p := range g.peers {
		for _, s := range []*session{p.proven, p.unproven} {
			if s == nil {
				continue
			}
			for i := range s.slots {
				if !slices.ContainsFunc(g.keys, func(k Key) bool { return k.cluster == s.slots[i].cluster }) {
					s.slots[i].aeads = [2]cipher.AEAD{}
				}
			}
		}
	}
}

// Accepts tells how many keys are accepted now: 2 while the key is changed.
func (g *Guard) Accepts() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.keys)
}
