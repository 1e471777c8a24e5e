// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"slices"
	"time"

	"github.com/quorate/quorate/crmd/wire"
	"github.com/quorate/quorate/transition"
)

// The names of timers.
const (
	timerElection = "election"
	timerJoin     = "join"
	timerGrace    = "grace"
	timerHold     = "hold" // something that holds a computation back is over
	timerRecheck  = "recheck"
	timerFence    = "fence"
	timerRefence  = "refence"
	timerOrphans  = "orphans"
	timerAlone    = "alone"
	timerOffer    = "offer"
	timerAnnounce = "announce"
	timerDrain    = "drain"
)

// TimerFired tells that a timer's time has come.
func (c *Core) TimerFired(now Time, name string) {
	c.step(now, func() {
		switch name {
		case timerElection:
			c.electionTimedOut()
		case timerJoin:
			if c.am {
				c.joinTimedOut()
			}
		case timerGrace:
			c.graceOver()
		case timerRecheck:
			if c.am && c.te.run == nil {
				c.te.want("cluster recheck interval passed")
			}
		case timerRefence:
			if c.am {
				c.te.want("fencing is to be tried again")
			}
		case timerFence:
			for _, e := range c.fenceOut(c.fence.Tick(c.now.Mono, c.now.Wall, c.runners())) {
				c.emit(e)
			}
		case timerAlone:
			if c.alone && !c.leaving {
				c.stopNext()
			} else {
				c.shutDownAlone()
			}
		case timerOffer:
			if c.am {
				c.offerAgain()
			}
		case timerDrain:
			c.drainTick()
		case timerAnnounce:
			c.announce()
		case timerOrphans:
			c.orphansOver()
		}
	})
}

func (c *Core) electionTimedOut() {
	missing := c.election.Missing()
	if len(missing) == 0 || slices.Contains(missing, c.member) {
		return
	}
	c.logf(Warn, "votes are missing", "members", len(missing))
	c.send(&wire.Message{Force: &wire.Force{Round: c.election.Round()}})
	c.emit(SetTimer{Name: timerElection, At: c.now.Mono + c.cfg.ElectionTimeout})
}

func (c *Core) graceOver() {
	for id, at := range c.lostAt {
		if at+c.cfg.Grace > c.now.Mono {
			continue
		}
		delete(c.lostAt, id)
		if n := c.peers.Get(id); c.am && n.Ring && !n.Online() {
			c.logf(Warn, "the controller of a node did not come back", "node", n.Name)
			c.abort(transition.Infinity, "controller of "+n.Name+" lost")
		}
	}
}

// orphansOver gives up waiting for actions of a lost transition engine.
func (c *Core) orphansOver() {
	for id, f := range c.te.orphans {
		if f.deadline <= c.now.Mono {
			c.logf(Error, "no result of an action in time", "key", f.action.OperationKey)
			delete(c.te.orphans, id)
		}
	}
}

// armTimers sets the timers that follow from the state.
func (c *Core) armTimers() {
	if !c.am {
		return
	}
	if at, ok := c.fence.Deadline(); ok {
		c.emit(SetTimer{Name: timerFence, At: at})
	}
	var orphan time.Duration
	for _, f := range c.te.orphans {
		if orphan == 0 || f.deadline < orphan {
			orphan = f.deadline
		}
	}
	if orphan > 0 {
		c.emit(SetTimer{Name: timerOrphans, At: orphan})
	}
	if !c.te.dirty {
		return
	}
	// What holds a computation back by time alone ends at a known moment.
	wait := max(c.te.notBefore-c.now.Mono, c.coldLeft(), c.graceLeft(), c.isolationLeft())
	if c.view.Ring.Seq < c.ring.Seq {
		wait = max(wait, c.ringSince+ringPatience-c.now.Mono)
	}
	if wait > 0 {
		c.emit(SetTimer{Name: timerHold, At: c.now.Mono + wait})
	}
}
