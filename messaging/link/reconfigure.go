// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package link

import (
	"slices"

	"github.com/quorate/quorate/messaging"
)

// Reconfigure changes limits while links run. What was counted so far stays.
func (c *Core) Reconfigure(cfg Config) error {
	if err := cfg.validate(); err != nil {
		return err
	}
	resized := cfg.MTU != c.cfg.MTU
	c.cfg, c.sizes = cfg, sizes(cfg.MTU)
	for _, ps := range c.peers {
		for _, l := range ps.links {
			if p := ps.paths[l]; resized {
				p.mtu = pmtu{size: min(baseMTU, cfg.MTU)}
				p.mtu.begin()
			}
		}
		c.reroute(ps)
	}
	return nil
}

// Remove forgets a link of a peer, and the peer with its last one. A peer whose
// other links are all silent is down by that.
func (c *Core) Remove(peer messaging.NodeID, link int) []Action {
	ps := c.peers[peer]
	if c.path(peer, link) == nil {
		return nil
	}
	ps.paths[link] = nil
	ps.links = slices.DeleteFunc(ps.links, func(l int) bool { return l == link })
	if len(ps.links) > 0 {
		c.reroute(ps)
		return c.judge(peer, nil)
	}
	delete(c.peers, peer)
	c.order = slices.DeleteFunc(c.order, func(id messaging.NodeID) bool { return id == peer })
	if !ps.up {
		return nil
	}
	return []Action{&PeerDown{peer, "it is no longer configured"}}
}
