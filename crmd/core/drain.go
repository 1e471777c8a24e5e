// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd"
	"github.com/quorate/quorate/crmd/fsa"
	"github.com/quorate/quorate/crmd/history"
	"github.com/quorate/quorate/messaging"
)

// A node that is to shut down looks after its request until it has left: it
// makes it again where the CIB has lost it, tells what it waits for, and gives up
// after shutdown-escalation.

// Times of a shutdown.
const (
	drainEvery      = time.Second
	drainTellEvery  = 10 * time.Second
	drainEscalation = 20 * time.Minute // shutdown-escalation until the CIB says otherwise
)

// watchDrain begins to look after a request that was just made.
func (c *Core) watchDrain() {
	c.calls.asked, c.calls.told = c.now.Mono, c.now.Mono
	c.emit(SetTimer{Name: timerDrain, At: c.now.Mono + drainEvery})
}

// draining tells whether this node is to shut down.
func (c *Core) draining() bool { return len(c.calls.shutdown) > 0 && !c.leaving }

func (c *Core) drainTick() {
	if !c.draining() {
		return
	}
	limit := c.durationOption("shutdown-escalation", drainEscalation)
	if limit > 0 && c.now.Mono-c.calls.asked >= limit {
		c.giveUpDrain("the shutdown takes too long")
		return
	}
	if c.coldStart() {
		c.shutDownAlone()
	} else if !c.alone && c.joined > 0 && c.seen.attr(c.uuid(), "shutdown") == "" {
		c.askDrain()
	}
	if c.leaving {
		return
	}
	if c.now.Mono-c.calls.told >= drainTellEvery {
		c.calls.told = c.now.Mono
		c.logf(Warn, "shutdown waits", "for", c.drainWaitsFor(), "since", c.now.Mono-c.calls.asked, "at_most", limit)
	}
	c.emit(SetTimer{Name: timerDrain, At: c.now.Mono + drainEvery})
}

// coldStart tells whether this node has joined a cluster in which nothing was
// computed yet: no DC will drain it before all nodes are there or dc-deadtime has
// passed.
func (c *Core) coldStart() bool {
	return !c.settled && c.joined > 0 && c.dc != (messaging.MemberID{})
}

// askDrain puts the request into the CIB, where each DC finds it.
func (c *Core) askDrain() {
	c.logf(Info, "shutdown requested", "node", c.cfg.Name)
	tok := c.nextToken()
	c.lrm.writes[tok] = func(c *Core, _ cib.Version, err error) {
		if err != nil {
			c.logf(Error, "shutdown attribute not set", "error", err.Error())
		}
	}
	c.emit(Attr{Token: tok, Up: cib.AttrUpdate{
		Node: c.cfg.Name, Name: "shutdown", Value: strconv.FormatInt(c.now.Wall.Unix(), 10),
	}})
}

// drainWaitsFor tells in words why this node has not left yet.
func (c *Core) drainWaitsFor() string {
	var list []string
	for _, r := range c.lrm.node.Resources() {
		if r.Active() {
			list = append(list, r.ID+": "+whyActive(r))
		}
	}
	switch {
	case len(list) > 0:
		return strings.Join(list, "; ")
	case c.dc == (messaging.MemberID{}):
		return "a dc"
	case c.am:
		if why := c.holdBack(); c.te.dirty && why != "" {
			return "the next computation: " + why
		}
		return "this node, the dc, to be released by a transition"
	}
	return "the dc to release this node"
}

func whyActive(r *history.Resource) string {
	last := r.Records[r.ID+"_last_0"]
	if document.Get(last, "operation") != "stop" {
		return "runs, and is not being stopped"
	}
	if document.Get(last, "op-status") == "-1" {
		return "is stopping"
	}
	why := document.Get(last, "exit-reason")
	if why == "" {
		why = "no reason given"
	}
	return fmt.Sprintf("its stop failed with %s (%s)", document.Get(last, "rc-code"), why)
}

func (c *Core) anyActive() bool {
	return slices.ContainsFunc(c.lrm.node.Resources(), (*history.Resource).Active)
}

// giveUpDrain ends a shutdown that cannot be completed. The group sees this
// controller lost, not leave: what still runs here is not known to be stopped.
func (c *Core) giveUpDrain(why string) {
	c.logf(Error, "shutdown given up: leaving the node as it is", "why", why, "waited_for", c.drainWaitsFor())
	c.leaving = true
	for _, t := range c.calls.shutdown {
		c.reply(t, fmt.Errorf("%w: waiting for %s", crmd.ErrNotDrained, c.drainWaitsFor()))
	}
	c.calls.shutdown = nil
	c.emit(Exit{Err: crmd.ErrNotDrained})
	c.input(fsa.InHalt, why)
}
