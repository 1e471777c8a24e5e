// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"fmt"

	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/crmd/fsa"
	"github.com/quorate/quorate/crmd/history"
	"github.com/quorate/quorate/crmd/wire"
)

// Status describes the controller.
func (c *Core) Status() crmd.Status {
	s := crmd.Status{
		Node: c.cfg.Name, ID: uint32(c.cfg.Self), State: string(c.state), Quorate: c.view.Quorate,
		Transition: c.dcSays.Transition, Idle: c.dcSays.Idle && c.state == fsa.NotDC,
		Version: c.cfg.Version, FeatureSet: history.FeatureSet,
	}
	if n := c.peers.ByMember(c.dc); n != nil {
		s.DC = n.Name
	}
	if c.am {
		s.Transition, s.Idle = c.te.last, c.idle()
	}
	return s
}

// idle tells whether this DC has nothing left to do.
func (c *Core) idle() bool {
	return c.state == fsa.Idle && c.te.run == nil && !c.te.dirty && c.te.computing == 0 && len(c.writes) == 0
}

// tellState tells the members when the DC becomes busy or idle.
func (c *Core) tellState() {
	if !c.am {
		return
	}
	if now := (wire.DCState{Idle: c.idle(), Transition: c.te.last}); c.told == nil || *c.told != now {
		c.told = &now
		c.send(&wire.Message{DCState: &now})
	}
}

// NodeStatus asks another node's controller to describe itself.
func (c *Core) NodeStatus(now Time, t Token, node string) {
	c.call(now, t, func() error {
		n := c.peers.ByName(node)
		if n == nil || !n.Online() {
			return fmt.Errorf("%w: node %s is not online", crmd.ErrNoNode, node)
		}
		id := c.cfg.NewID()
		c.calls.asks[id] = askCall{t, n.ID}
		c.send(&wire.Message{Ask: &wire.Ask{ID: id, To: n.ID}})
		return nil
	})
}

func (c *Core) onAsk(a *wire.Ask) {
	if a.To != c.cfg.Self {
		return
	}
	s := c.Status()
	c.send(&wire.Message{Answer: &wire.Answer{
		ID: a.ID, Node: s.Node, NodeID: s.ID, DC: s.DC, State: s.State, Quorate: s.Quorate, Transition: s.Transition,
		Idle: s.Idle, Version: s.Version, FeatureSet: s.FeatureSet,
	}})
}

func (b *callbook) answered(c *Core, a *wire.Answer) {
	call, ok := b.asks[a.ID]
	if !ok {
		return
	}
	delete(b.asks, a.ID)
	c.emit(Reply{Token: call.token, Value: crmd.Status{
		Node: a.Node, ID: a.NodeID, DC: a.DC, State: a.State, Quorate: a.Quorate, Transition: a.Transition,
		Idle: a.Idle, Version: a.Version, FeatureSet: a.FeatureSet,
	}})
}
