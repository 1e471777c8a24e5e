// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/link"
	"github.com/quorate/quorate/messaging/quorum"
	"github.com/quorate/quorate/messaging/reload"
	"github.com/quorate/quorate/messaging/totem"
	"github.com/quorate/quorate/messaging/transport"
)

// A Draft is a configuration that was read and found valid, and that does not
// run yet.
type Draft struct {
	// Config has the new values of what can change at run time: Name,
	// ConfVersion, Nodes, Links, Totem, Link, Quorum, Key, StrictSource. The rest
	// is not looked at.
	Config Config
	// Wire are the sockets that Config.Links need.
	Wire []transport.LinkConfig
	// Digest and Text are what the file says about the whole cluster.
	Digest reload.Digest
	Text   []byte
	// Compare tells where the file differs from that of another node, whose Text
	// is given.
	Compare func(node messaging.NodeID, theirs []byte) []string
	// Report tells what changes, and what cannot change at run time.
	Report messaging.ReloadReport
	// Publish puts the configuration into the map.
	Publish func() error
	// Apply carries out what is not the engine's, such as log files. It is called
	// in a goroutine of its own, one call at a time.
	Apply func()
}

// sources says which nodes may speak from which addresses.
type sources struct {
	known  map[messaging.NodeID]map[netip.Addr]uint8 // the links, a bit each; nil: any node from anywhere
	strict bool
}

func sourcesOf(c *Config) *sources {
	s := &sources{strict: c.StrictSource}
	if len(c.Nodes) == 0 {
		return s
	}
	s.known = map[messaging.NodeID]map[netip.Addr]uint8{}
	for _, n := range c.Nodes {
		s.known[n.ID] = map[netip.Addr]uint8{}
		for l, a := range n.Addrs {
			s.known[n.ID][a.Unmap()] |= 1 << l
		}
	}
	return s
}

func (s *sources) allow(id messaging.NodeID, src netip.Addr) bool {
	if s.known == nil {
		return true
	}
	addrs, ok := s.known[id]
	return ok && (!s.strict || addrs[src.Unmap()] != 0)
}

// allowOn tells whether a node may speak from an address on that link: what
// comes on one link is no sign of life for another.
func (s *sources) allowOn(id messaging.NodeID, src netip.Addr, link int) bool {
	return s.known == nil || !s.strict || s.known[id][src.Unmap()]&(1<<link) != 0
}

// knownSource is the check of senders and their addresses: those that run, and
// those of a draft.
type knownSource struct{ present, staged atomic.Pointer[sources] }

func (k *knownSource) allow(id messaging.NodeID, src netip.Addr) bool {
	if k.present.Load().allow(id, src) {
		return true
	}
	s := k.staged.Load()
	return s != nil && s.allow(id, src)
}

func (k *knownSource) allowOn(id messaging.NodeID, src netip.Addr, link int) bool {
	if k.present.Load().allowOn(id, src, link) {
		return true
	}
	s := k.staged.Load()
	return s != nil && s.allowOn(id, src, link)
}

// maxFaultText bounds what one node says about its file, in bytes.
const maxFaultText = reload.MaxFault * reload.MaxFaults

// faults turns an error into the faults of a vote, one per line.
func faults(err error) []string {
	text := err.Error()
	return slices.DeleteFunc(strings.Split(text[:min(len(text), maxFaultText)], "\n"), func(s string) bool { return s == "" })
}

// check finds what keeps this node from running a draft.
func (e *Engine) check(d *Draft) (out []string) {
	c := &d.Config
	if c.Self != e.cfg.Self {
		out = append(out, fmt.Sprintf("this node's id would change from %d to %d: that needs a restart", e.cfg.Self, c.Self))
	}
	_, badTotem := totem.New(c.Totem)
	_, badLink := link.New(c.Link)
	_, badQuorum := quorum.New(c.Quorum)
	if err := errors.Join(badTotem, badLink, badQuorum, c.validate()); err != nil {
		out = append(out, faults(err)...)
	}
	for _, id := range e.ringSet {
		if len(c.Nodes) > 0 && !slices.ContainsFunc(c.Nodes, func(n Node) bool { return n.ID == id }) {
			out = append(out, fmt.Sprintf("node %d is a member of the ring and not in the new nodelist: stop it first", id))
		}
	}
	if want := c.Quorum.ExpectedVotes; want > e.votes.Result().ExpectedVotes {
		if err := e.votes.CheckExpected(want); err != nil {
			out = append(out, fmt.Sprintf("%s: start the missing nodes first", err))
		}
	}
	return out
}

// stage makes this node able to take what nodes that run the draft send. What
// runs goes on as before.
func (e *Engine) stage(d *Draft) error {
	if r, ok := e.wire.(transport.Rewirer); ok {
		if err := r.Stage(d.Wire); err != nil {
			return err
		}
	} else if !slices.EqualFunc(d.Config.Links, e.cfg.Links, func(a, b Link) bool { return a == b }) {
		return fmt.Errorf("%w: the links of this transport cannot change at run time", messaging.ErrInvalid)
	}
	e.guard.Stage(d.Config.Key)
	e.known.staged.Store(sourcesOf(&d.Config))
	return nil
}

// retire ends the time in which both what was and what runs are accepted.
func (e *Engine) retire() {
	e.reload.overlap = nil
	e.known.staged.Store(nil)
	e.guard.Retire()
	if r, ok := e.wire.(transport.Rewirer); ok {
		if err := r.Retire(); err != nil {
			e.cfg.Log.Warn("old sockets not closed", "error", err)
		}
	}
}

// apply lets a draft run. It was staged here and on all nodes.
func (e *Engine) apply(d *Draft) error {
	old, c := e.cfg, &d.Config
	if err := e.guard.Switch(c.Key); err != nil {
		return err
	}
	e.cfg.Name, e.cfg.ConfVersion, e.cfg.Nodes, e.cfg.Links = c.Name, c.ConfVersion, c.Nodes, c.Links
	e.cfg.Totem, e.cfg.Link, e.cfg.Quorum, e.cfg.StrictSource = c.Totem, c.Link, c.Quorum, c.StrictSource
	e.names[e.cfg.Self] = c.Name
	if r, ok := e.wire.(transport.Rewirer); ok {
		r.Switch(d.Wire)
	}
	// Until retire both sets of addresses may send.
	e.known.staged.Store(sourcesOf(&old))
	e.known.present.Store(sourcesOf(c))
	if err := e.links.Reconfigure(c.Link); err != nil {
		return err
	}
	for _, p := range e.peers {
		p.limit = [maxLinks]int{} // until the next tick
	}
	e.movePeers()
	e.ringMTU = c.Totem.MTU
	e.reconfigureRing(c.Totem)
	e.switchDevice(c.Device)
	e.actQuorum(e.votes.Reconfigure(c.Quorum))
	return nil
}

// movePeers brings peers and their addresses in line with the nodelist.
func (e *Engine) movePeers() {
	if len(e.cfg.Nodes) == 0 {
		return
	}
	defer func() { e.fan = e.fan[:0] }()
	listed := map[messaging.NodeID]bool{}
	for _, n := range e.cfg.Nodes {
		if n.ID == e.cfg.Self {
			continue
		}
		listed[n.ID] = true
		p := e.peers[n.ID]
		if p == nil {
			e.addPeer(n.ID, n.Addrs)
			continue
		}
		for _, l := range slices.Sorted(maps.Keys(p.addrs)) {
			if !e.hasLink(l) || !n.Addrs[l].IsValid() {
				delete(p.addrs, l)
				e.actLinks(e.links.Remove(n.ID, l))
			}
		}
		e.address(n.ID, p, n.Addrs)
	}
	for _, id := range slices.Sorted(maps.Keys(e.peers)) {
		if listed[id] {
			continue
		}
		for _, l := range slices.Sorted(maps.Keys(e.peers[id].addrs)) {
			e.actLinks(e.links.Remove(id, l))
		}
		delete(e.peers, id)
	}
}

func (e *Engine) hasLink(number int) bool {
	return slices.ContainsFunc(e.cfg.Links, func(l Link) bool { return l.Number == number })
}
