// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package fencing

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Bounds of the coordinator.
const (
	MaxHistory = 500
	maxOps     = 256
	// slack is awaited over a run's own timeout for its answer.
	slack = 5 * time.Second
	// Back-off between attempts of the cluster itself: doubled after each failure
	// in a row.
	firstPause = time.Second
	longPause  = time.Minute
)

// States of an operation in the history.
const (
	StatePending = "pending"
	StateSuccess = "success"
	StateFailed  = "failed"
)

// A Request asks for a target to be fenced.
type Request struct {
	ID, Target, Action, Client, Origin string
	Timeout                            time.Duration
	Delay                              time.Duration // before the first device
	NoDelay                            bool          // the devices' own delays are left out too
}

// A Runner is a node that may run devices, best first.
type Runner struct{ Name string }

// An Event is one line of the history.
type Event struct {
	ID, Target, Action, Device, Client, Origin, Delegate, State, Why string
	Completed                                                        time.Time
}

// A Run asks a node to run a device.
type Run struct {
	ID, Op                string
	Node                  string
	Device                Device
	Target, Action        string
	Timeout               time.Duration
	DelayBase, DelayLimit time.Duration
}

// Output is what a step asks for.
type Output struct {
	Runs   []Run
	Events []Event
}

type step struct {
	device  Device
	action  string
	lenient bool // a failure does not matter: the "on" after an "off"
}

type op struct {
	req      Request
	levels   [][]step
	level    int
	at       int // step of the level
	tried    map[string]bool
	runID    string
	node     string
	deadline time.Duration
	joined   []string // ids of requests that joined this one
	lastWhy  string
}

type attempts struct {
	failed int
	until  time.Duration
}

// A Coordinator carries fencing operations out, on the DC.
type Coordinator struct {
	ops      map[string]*op
	history  []Event // oldest first
	failures map[string]attempts
	runs     int
	prefix   string
}

// New makes a coordinator; prefix makes its run ids unique in the cluster.
func New(prefix string) *Coordinator {
	return &Coordinator{ops: map[string]*op{}, failures: map[string]attempts{}, prefix: prefix}
}

// Start begins an operation. devices are the levels to try (see [Levels]) and
// runners the nodes that may run them, best first.
func (c *Coordinator) Start(now time.Duration, wall time.Time, req Request, levels [][]Device, runners []Runner) Output {
	var out Output
	for _, o := range c.ops {
		if o.req.ID == req.ID {
			return out
		}
		if strings.EqualFold(o.req.Target, req.Target) && o.req.Action == req.Action {
			o.joined = append(o.joined, req.ID)
			c.event(&out, eventOf(req, "", "", StatePending, "", wall))
			return out
		}
	}
	c.event(&out, eventOf(req, "", "", StatePending, "", wall))
	if len(c.ops) >= maxOps {
		c.event(&out, eventOf(req, "", "", StateFailed, "too many fencing operations at once", wall))
		return out
	}
	if len(levels) == 0 {
		c.failed(now, req)
		c.event(&out, eventOf(req, "", "", StateFailed, "no fence device can fence "+req.Target, wall))
		return out
	}
	o := &op{req: req, levels: plan(levels, req.Action), tried: map[string]bool{}}
	c.ops[req.ID] = o
	c.next(now, wall, o, runners, &out)
	return out
}

// plan gives the steps of each level. Where several devices must cut a node off
// together, a reboot is off on all of them and then on.
func plan(levels [][]Device, action string) [][]step {
	var list [][]step
	for _, l := range levels {
		var steps []step
		first := action
		if action == "reboot" && len(l) > 1 {
			first = "off"
		}
		for _, d := range l {
			steps = append(steps, step{device: d, action: first})
		}
		if first != action {
			for _, d := range l {
				steps = append(steps, step{device: d, action: "on", lenient: true})
			}
		}
		list = append(list, steps)
	}
	return list
}

// next starts the present step of an operation on the best runner that was not
// tried yet, or moves to the next level, or gives up.
func (c *Coordinator) next(now time.Duration, wall time.Time, o *op, runners []Runner, out *Output) {
	for o.level < len(o.levels) {
		steps := o.levels[o.level]
		if o.at >= len(steps) {
			c.finish(now, wall, o, true, "", out)
			return
		}
		st := steps[o.at]
		if node, ok := pick(o, st, runners); ok {
			c.run(now, o, st, node, out)
			return
		}
		if st.lenient {
			o.at++
			o.tried = map[string]bool{}
			continue
		}
		o.level++
		o.at = 0
		o.tried = map[string]bool{}
	}
	why := o.lastWhy
	if why == "" {
		why = "no node may run a fence device for " + o.req.Target
	}
	c.finish(now, wall, o, false, why, out)
}

func pick(o *op, st step, runners []Runner) (string, bool) {
	order := slices.Clone(runners)
	rank := func(r Runner) int {
		switch {
		case strings.EqualFold(r.Name, o.req.Target):
			return 2
		case st.device.Active[r.Name]:
			return 0
		}
		return 1
	}
	slices.SortStableFunc(order, func(a, b Runner) int { return cmp.Compare(rank(a), rank(b)) })
	for _, r := range order {
		if o.tried[r.Name] || st.device.Banned[r.Name] {
			continue
		}
		if rank(r) == 2 && (st.action == "on" || len(o.tried) > 0) {
			continue // a target fences itself only where nobody else could try
		}
		return r.Name, true
	}
	return "", false
}

func (c *Coordinator) run(now time.Duration, o *op, st step, node string, out *Output) {
	c.runs++
	o.tried[node] = true
	o.node = node
	o.runID = fmt.Sprintf("%s.%d", c.prefix, c.runs)
	r := Run{
		ID: o.runID, Op: o.req.ID, Node: node, Device: st.device, Target: o.req.Target, Action: st.action,
		Timeout: st.device.Timeout(st.action, o.req.Timeout),
	}
	if !o.req.NoDelay {
		r.DelayBase, r.DelayLimit = st.device.Delay(st.action, o.req.Target)
		r.DelayBase += o.req.Delay
		r.DelayLimit += o.req.Delay
		o.req.Delay = 0
	}
	o.deadline = now + r.DelayLimit + r.Timeout + slack
	out.Runs = append(out.Runs, r)
}

// Ran takes in the answer of a run.
func (c *Coordinator) Ran(now time.Duration, wall time.Time, runID string, ok bool, why string, runners []Runner) Output {
	var out Output
	for _, o := range c.sorted() {
		if o.runID != runID {
			continue
		}
		c.answer(now, wall, o, ok, why, runners, &out)
	}
	return out
}

func (c *Coordinator) answer(now time.Duration, wall time.Time, o *op, ok bool, why string, runners []Runner, out *Output) {
	o.runID = ""
	if ok {
		o.at++
		o.tried = map[string]bool{}
	} else {
		o.lastWhy = why
	}
	c.next(now, wall, o, runners, out)
}

// Tick gives up runs that did not answer.
func (c *Coordinator) Tick(now time.Duration, wall time.Time, runners []Runner) Output {
	var out Output
	for _, o := range c.sorted() {
		if o.runID != "" && o.deadline <= now {
			c.answer(now, wall, o, false, "no answer from "+o.node+" in time", runners, &out)
		}
	}
	return out
}

// Lost tells that a node that may run devices is gone.
func (c *Coordinator) Lost(now time.Duration, wall time.Time, node string, runners []Runner) Output {
	var out Output
	for _, o := range c.sorted() {
		if o.runID != "" && strings.EqualFold(o.node, node) {
			c.answer(now, wall, o, false, node+" was lost while it ran the device", runners, &out)
		}
	}
	return out
}

// Deadline is when Tick is due next.
func (c *Coordinator) Deadline() (at time.Duration, ok bool) {
	for _, o := range c.ops {
		if o.runID != "" && (!ok || o.deadline < at) {
			at, ok = o.deadline, true
		}
	}
	return at, ok
}

func (c *Coordinator) finish(now time.Duration, wall time.Time, o *op, ok bool, why string, out *Output) {
	delete(c.ops, o.req.ID)
	state := StateSuccess
	if ok {
		delete(c.failures, strings.ToLower(o.req.Target))
	} else {
		state = StateFailed
		c.failed(now, o.req)
	}
	device := ""
	if ok {
		device = o.levels[o.level][0].device.ID
	}
	for _, id := range append([]string{o.req.ID}, o.joined...) {
		req := o.req
		req.ID = id
		c.event(out, eventOf(req, device, o.node, state, why, wall))
	}
}

func (c *Coordinator) failed(now time.Duration, req Request) {
	key := strings.ToLower(req.Target)
	a := c.failures[key]
	a.failed++
	pause := longPause
	if a.failed < 7 {
		pause = min(firstPause<<(a.failed-1), longPause)
	}
	a.until = now + pause
	c.failures[key] = a
}

// Pause is how long the cluster itself is to wait before it tries a target
// again, and how often in a row that failed.
func (c *Coordinator) Pause(now time.Duration, target string) (wait time.Duration, failed int) {
	a := c.failures[strings.ToLower(target)]
	return max(a.until-now, 0), a.failed
}

// Forgive forgets failures to fence a target.
func (c *Coordinator) Forgive(target string) { delete(c.failures, strings.ToLower(target)) }

// Busy tells whether a target is being fenced.
func (c *Coordinator) Busy(target string) bool {
	for _, o := range c.ops {
		if strings.EqualFold(o.req.Target, target) {
			return true
		}
	}
	return false
}

// Drop forgets the operations under way without recording them: another DC is
// in office.
func (c *Coordinator) Drop() { clear(c.ops) }

func (c *Coordinator) event(out *Output, e Event) { out.Events = append(out.Events, e) }

func eventOf(req Request, device, delegate, state, why string, wall time.Time) Event {
	e := Event{
		ID: req.ID, Target: req.Target, Action: req.Action, Device: device, Client: req.Client,
		Origin: req.Origin, Delegate: delegate, State: state, Why: why,
	}
	if state != StatePending {
		e.Completed = wall
	}
	return e
}

// Record takes an event into this node's history, replacing an earlier state of
// the same operation. It tells whether that was news.
func (c *Coordinator) Record(e Event) bool {
	for i, h := range c.history {
		if h.ID == e.ID {
			if h.State == e.State || h.State != StatePending {
				return false
			}
			c.history[i] = e
			return true
		}
	}
	c.history = append(c.history, e)
	if over := len(c.history) - MaxHistory; over > 0 {
		c.history = slices.Delete(c.history, 0, over)
	}
	return true
}

// History lists the events of a target ("" and "*" are all), newest first.
func (c *Coordinator) History(target string) []Event {
	var list []Event
	for _, e := range slices.Backward(c.history) {
		if target == "" || target == "*" || strings.EqualFold(target, e.Target) {
			list = append(list, e)
		}
	}
	return list
}

// ClearHistory forgets the finished operations of a target.
func (c *Coordinator) ClearHistory(target string) {
	c.history = slices.DeleteFunc(c.history, func(e Event) bool {
		return e.State != StatePending && (target == "" || target == "*" || strings.EqualFold(target, e.Target))
	})
}

func (c *Coordinator) sorted() []*op {
	var list []*op
	for _, id := range slices.Sorted(maps.Keys(c.ops)) {
		list = append(list, c.ops[id])
	}
	return list
}
