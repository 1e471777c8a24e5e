// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd/fsa"
	"github.com/quorate/quorate/crmd/join"
	"github.com/quorate/quorate/crmd/wire"
	"github.com/quorate/quorate/pengine"
	"github.com/quorate/quorate/transition"
	"github.com/quorate/quorate/transition/graph"
)

// Bounds of the DC's cycle.
const (
	runRetry      = 250 * time.Millisecond // for the transition engine to be back
	computeRetry  = time.Second            // after the policy engine or the transition engine failed
	ringPatience  = time.Second            // for the quorum view to follow a configuration change
	recheckFloor  = time.Second            // the soonest recheck
	cancelledName = "cancel"               // operation of an action that ends a recurring one
	recheckUsual  = 15 * time.Minute
)

// engineState is what the DC knows of computing and carrying out.
type engineState struct {
	uuid      string // names this DC's transitions
	last      int    // number of the last transition
	dirty     bool   // a computation is wanted
	why       string
	computing Token         // under way, 0 for none
	source    string        // file of the input of the last computation
	notBefore time.Duration // computing failed: pause
	run       *run
	orphans   map[int]*flight // in flight when the transition engine was lost
}

// A run is one transition being carried out.
type run struct {
	id      int
	source  string
	began   time.Duration
	actions map[int]*graph.Action
	prio    map[int]int
	flights map[int]*flight
	done    map[int]bool
	results map[int]event
	aborted string
	// leaveAfter: this node itself leaves when the graph is done.
	leaveAfter bool
	lost       bool // the transition engine went away: nothing is fired any more
}

// A flight is an action that was fired.
type flight struct {
	action   *graph.Action
	key      string
	deadline time.Duration
}

func newEngineState() engineState { return engineState{orphans: map[int]*flight{}} }

func (t *engineState) want(why string) {
	if !t.dirty {
		t.dirty, t.why = true, why
	}
}

// abort ends the run early and asks for a computation.
func (c *Core) abort(priority int, why string) {
	if !c.am {
		return
	}
	c.te.want(why)
	if c.te.computing != 0 {
		c.te.computing = 0 // the answer is for a state that is past
	}
	r := c.te.run
	if r == nil || r.lost {
		return
	}
	if r.aborted == "" {
		r.aborted = why
		c.logf(Info, "transition aborted", "transition", r.id, "why", why)
	}
	c.emit(Abort{transition.Abort{Priority: priority, Follow: transition.FollowRestart, Why: why}})
}

// maybeCompute asks the policy engine when a computation is wanted and nothing
// stands in its way.
func (c *Core) maybeCompute() {
	if !c.am || c.leaving || c.alone {
		return
	}
	if !c.te.dirty {
		if c.te.run == nil && c.te.computing == 0 && c.state == fsa.TransitionEngine {
			c.input(fsa.InTESuccess, "nothing is left to do")
		}
		return
	}
	if c.holdBack() != "" {
		return
	}
	c.input(fsa.InPECalc, c.te.why)
	t := c.nextToken()
	c.te.computing, c.te.dirty = t, false
	if !c.settled {
		// A successor is not to wait for starting nodes again.
		c.settled = true
		c.send(&wire.Message{Offer: &wire.Offer{Settled: true}})
	}
	c.logf(Debug, "computing", "why", c.te.why, "version", c.version.String())
	c.emit(Compute{Token: t, Req: pengine.Request{
		CIB: document.Compact(c.root), Now: c.now.Wall,
		Reference: fmt.Sprintf("pe_calc-dc-%d-%d", c.now.Wall.Unix(), t),
	}})
}

// holdBack tells why no computation may begin now, "" where one may.
func (c *Core) holdBack() string {
	switch {
	case c.root == nil || c.stale:
		return "the CIB is not watched"
	case len(c.election.Missing()) > 0 || !c.allOffered():
		return "members are being elected with"
	case c.te.run != nil || len(c.te.orphans) > 0:
		return "a transition is under way"
	case c.te.computing != 0:
		return "a computation is under way"
	case c.now.Mono < c.te.notBefore:
		return "the last attempt failed"
	case len(c.writes) > 0 || less(c.version, c.need):
		return "own writes are under way"
	case !c.joinsSettled() || (c.state != fsa.PolicyEngine && c.state != fsa.TransitionEngine && c.state != fsa.Idle):
		return "members are joining"
	case c.graceLeft() > 0:
		return "a controller is expected back"
	case c.isolationLeft() > 0:
		return "a node that is cut off may be stopping its resources"
	case c.coldLeft() > 0:
		return "nodes are still starting"
	case c.view.Ring.Seq < c.ring.Seq && c.now.Mono < c.ringSince+ringPatience:
		return "the quorum view is behind the membership"
	}
	return ""
}

// allOffered tells whether each member was invited to join.
func (c *Core) allOffered() bool {
	for _, m := range c.members {
		if c.book.Phase(m) == join.None {
			return false
		}
	}
	return true
}

// coldLeft is how long the first computation of a cluster still waits for
// configured nodes that have not joined: a node that is just booting is not to be
// fenced.
func (c *Core) coldLeft() time.Duration {
	if c.settled {
		return 0
	}
	left := c.started + c.durationOption("dc-deadtime", c.cfg.Deadtime) - c.now.Mono
	if left <= 0 {
		return 0
	}
	for _, n := range c.peers.All() {
		if n.Configured && (!n.Online() || c.book.Phase(n.Member) != join.Confirmed) {
			return left
		}
	}
	return 0
}

// Computed takes in the policy engine's answer.
func (c *Core) Computed(now Time, t Token, g *graph.Graph, reply pengine.Reply, err error) {
	c.step(now, func() {
		if !c.am || c.te.computing != t {
			return // overtaken
		}
		c.te.computing = 0
		if err != nil {
			c.logf(Error, "policy engine failed", "error", err.Error())
			c.te.notBefore = now.Mono + computeRetry
			c.te.want("the last computation failed")
			return
		}
		for _, w := range reply.Errors {
			c.logf(Error, "policy engine error", "text", w)
		}
		for _, w := range reply.Warnings {
			c.logf(Warn, "policy engine warning", "text", w)
		}
		c.recheckBy = reply.RecheckBy
		c.begin(g, reply)
	})
}

func (c *Core) begin(g *graph.Graph, reply pengine.Reply) {
	if c.te.uuid == "" {
		c.te.uuid = c.cfg.NewID()
	}
	id, err := strconv.Atoi(g.Attr("transition_id"))
	if err != nil || id <= c.te.last {
		id = c.te.last + 1
	}
	c.te.last, c.te.source = id, reply.InputFile
	r := &run{
		id: id, source: reply.InputFile, began: c.now.Mono, actions: map[int]*graph.Action{}, prio: map[int]int{},
		flights: map[int]*flight{}, done: map[int]bool{}, results: map[int]event{},
	}
	for _, s := range g.Synapses {
		for _, a := range s.Actions {
			r.actions[a.ID] = a
			r.prio[a.ID] = s.Priority
		}
	}
	c.te.run = r
	c.input(fsa.InPESuccess, "a graph was computed")
	c.logf(Info, fmt.Sprintf("Processing graph %d derived from %s", id, reply.InputFile),
		"actions", len(r.actions), "synapses", len(g.Synapses))
	c.emit(Begin{Graph: g, Opts: transition.Options{
		BatchLimit:     c.batchLimit(g),
		NodeLimit:      c.nodeLimit(),
		MigrationLimit: c.intOption("migration-limit", -1),
	}})
}

func (c *Core) batchLimit(g *graph.Graph) int {
	n, err := strconv.Atoi(g.Attr("batch-limit"))
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func (c *Core) nodeLimit() int {
	if n := c.intOption("node-action-limit", 0); n > 0 {
		return n
	}
	return c.cfg.NodeLimit
}

// Step takes in a step of the transition engine.
func (c *Core) Step(now Time, s transition.Step) {
	c.step(now, func() {
		r := c.te.run
		if r == nil || r.lost {
			return
		}
		switch s := s.(type) {
		case *transition.Fire:
			if r.aborted != "" && r.prio[s.Action.ID] < transition.Infinity {
				// It crossed the abort: nothing new starts, least of all after quorum is
				// lost.
				c.confirm(s.Action.ID, true, true, true)
				return
			}
			c.fire(r, s.Action)
		case *transition.Timeout:
			c.timedOut(r, s.Action)
		case *transition.Done:
			c.runDone(r, *s)
		}
	})
}

// TransitionLost tells that the transition engine went away, or refused. What is
// in flight is awaited, then everything is computed anew.
func (c *Core) TransitionLost(now Time, err error) {
	c.step(now, func() {
		r := c.te.run
		if r == nil {
			return
		}
		c.logf(Error, "transition engine lost", "error", err.Error(), "in_flight", len(r.flights))
		c.te.run = nil
		r.lost = true
		for id, f := range r.flights {
			if f.deadline == 0 {
				f.deadline = now.Mono + flightTimeout(f.action)
			}
			c.te.orphans[id] = f
		}
		c.te.notBefore = now.Mono + runRetry
		if errors.Is(err, transition.ErrInvalid) {
			c.te.notBefore = now.Mono + computeRetry
		}
		c.te.want("the transition engine was lost")
	})
}

const orphanSlack = 60 * time.Second

func flightTimeout(a *graph.Action) time.Duration {
	ms, err := strconv.Atoi(a.Attr("CRM_meta_timeout"))
	if err != nil || ms < 0 {
		ms = 0
	}
	return time.Duration(ms)*time.Millisecond + orphanSlack
}

func (c *Core) runDone(r *run, d transition.Done) {
	level := Info
	if d.Status == "Terminated" {
		level = Warn
	}
	c.logf(level, fmt.Sprintf("Transition %d (Complete=%d, Pending=%d, Fired=%d, Skipped=%d, Incomplete=%d, Source=%s): %s",
		r.id, d.Completed, d.Pending, d.Fired, d.Skipped, d.Incomplete, r.source, d.Status), "why", d.Why)
	c.emit(RunEnded{Done: d, Took: c.now.Mono - r.began})
	c.te.run = nil
	if d.Follow == transition.FollowRestart {
		c.te.want(d.Why)
	}
	if r.leaveAfter && !c.te.dirty {
		c.leave("everything here is stopped, and this node is the dc")
		return
	}
	if !c.te.dirty {
		c.input(fsa.InTESuccess, "the transition is done")
		c.armRecheck()
	}
}

// armRecheck computes anew after cluster-recheck-interval, or when the policy
// engine said that something will change by itself.
func (c *Core) armRecheck() {
	wait := c.durationOption("cluster-recheck-interval", recheckUsual)
	if !c.recheckBy.IsZero() {
		if until := c.recheckBy.Sub(c.now.Wall) + recheckFloor; wait == 0 || until < wait {
			wait = max(until, recheckFloor)
		}
	}
	if wait > 0 {
		c.emit(SetTimer{Name: timerRecheck, At: c.now.Mono + wait})
	}
}

// confirm reports an action's result to the transition engine.
func (c *Core) confirm(id int, failed, canFail, quiet bool) {
	delete(c.te.orphans, id)
	r := c.te.run
	if r == nil || r.done[id] {
		return
	}
	delete(r.flights, id)
	r.done[id] = true
	c.emit(Confirm{transition.Confirm{ActionID: id, Failed: failed, CanFail: canFail, Quiet: quiet}})
}

// setAttr changes a node attribute as the DC.
func (c *Core) setAttr(up cib.AttrUpdate, then func(error)) {
	t := c.nextToken()
	c.writes[t] = func(_ cib.Version, err error) {
		if err != nil {
			c.logf(Error, "attribute not set", "node", up.Node, "name", up.Name, "error", err.Error())
		}
		if then != nil {
			then(err)
		}
	}
	c.emit(Attr{Token: t, Up: up})
}
