// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package queue

import (
	"cmp"
	"container/heap"
	"fmt"
	"slices"
	"time"

	"github.com/quorate/quorate/internal/invariant"
	"github.com/quorate/quorate/lrmd"
)

// A Core is the state of all operations. It is not safe for concurrent use.
type Core struct {
	cfg       Config
	lastCall  int
	lastRun   Run
	byKey     map[Key]*entry // recurring operations
	running   map[Run]*entry
	resources map[string]*resource
	timers    timers
	once      lane
	recurring lane
	known     int
	history   map[Key]lrmd.Result
	out       []Output
}

type phase int

const (
	delayed phase = iota // waits for its timer, for its first run
	queued
	running
	waiting // waits for its timer, for its next run
)

var phaseNames = map[phase]string{delayed: "delayed", queued: "queued", running: "running", waiting: "waiting"}

// An entry is one accepted operation.
type entry struct {
	call     int
	op       lrmd.Op
	phase    phase
	run      Run
	due      time.Duration // of its timer
	heapAt   int           // -1 without timer
	queuedAt time.Duration
	waited   time.Duration
	// cancelled ends a running recurring operation; again tells that a running
	// one was replaced by its like, whose first run is still to come.
	cancelled, again bool
	// forgotten keeps the result of what runs out of the history.
	forgotten bool
	// reported tells that last is what watchers know.
	reported bool
	last     verdict
}

type verdict struct {
	exit   lrmd.ExitCode
	status lrmd.OpStatus
}

func (e *entry) recurs() bool { return e.op.Interval > 0 }

// A resource orders its operations.
type resource struct {
	name  string
	queue []*entry
	busy  *entry
	delay []*entry // operations given once whose start is delayed
	ops   int      // all its operations, recurring ones that wait included
}

// A lane is one of the two bounded kinds of work.
type lane struct {
	max, running int
	ready        []*resource // whose next operation is of this kind
}

// New returns an empty core.
func New(cfg Config) *Core {
	return &Core{
		cfg: cfg, byKey: map[Key]*entry{}, running: map[Run]*entry{},
		resources: map[string]*resource{}, history: map[Key]lrmd.Result{},
		once: lane{max: cfg.MaxOnce}, recurring: lane{max: cfg.MaxRecurring},
	}
}

// Submit accepts an operation. A recurring one takes the place of its like,
// which gets no further report, and runs at once.
func (c *Core) Submit(now time.Duration, op lrmd.Op) (int, []Output, error) {
	if err := check(op); err != nil {
		return 0, nil, err
	}
	if op.Timeout == 0 {
		op.Timeout = DefaultTimeout
	}
	old := c.byKey[KeyOf(op)]
	if old != nil && old.cancelled {
		old = nil // it ends in a report of its own
	}
	if old == nil && c.known >= c.cfg.MaxOps {
		return 0, nil, fmt.Errorf("%w: %d", lrmd.ErrBusy, c.known)
	}
	c.lastCall++
	saved := op
	c.emit(Save{Change{Accepted: &saved, CallID: c.lastCall}})
	if op.Interval > 0 && old != nil {
		c.replace(now, old, op)
	} else {
		c.add(now, op)
	}
	c.dispatch(now)
	return c.lastCall, c.take(), nil
}

func check(op lrmd.Op) error {
	switch {
	case op.Resource == "" || op.Action == "" || op.Agent.Class == "" || op.Agent.Type == "":
		return fmt.Errorf("%w: resource, agent and action must be named", lrmd.ErrInvalid)
	case op.Interval < 0 || op.Timeout < 0 || op.StartDelay < 0,
		op.Interval > maxSpan || op.Timeout > maxSpan || op.StartDelay > maxSpan:
		return fmt.Errorf("%w: interval, timeout and start delay are from 0 to ten years", lrmd.ErrInvalid)
	}
	return nil
}

func (c *Core) add(now time.Duration, op lrmd.Op) {
	e := &entry{call: c.lastCall, op: op, heapAt: -1}
	c.own(e)
	r := c.resource(op.Resource)
	if op.StartDelay > 0 {
		e.phase = delayed
		c.arm(e, now+op.StartDelay)
		if !e.recurs() {
			r.delay = append(r.delay, e)
		}
		return
	}
	c.enqueue(now, e)
}

// own counts e among the operations known.
func (c *Core) own(e *entry) {
	c.known++
	c.resource(e.op.Resource).ops++
	if e.recurs() {
		c.byKey[KeyOf(e.op)] = e
	}
}

// replace puts op in the place of its like.
func (c *Core) replace(now time.Duration, e *entry, op lrmd.Op) {
	c.emit(Save{Change{Dropped: true, CallID: e.call}})
	delete(c.history, KeyOf(op))
	e.call, e.op, e.reported, e.cancelled = c.lastCall, op, false, false
	switch e.phase {
	case running:
		e.again = true
	case queued:
	case delayed, waiting:
		c.disarm(e)
		c.enqueue(now, e)
	}
}

func (c *Core) resource(name string) *resource {
	r := c.resources[name]
	if r == nil {
		r = &resource{name: name}
		c.resources[name] = r
	}
	return r
}

// Cancel ends a recurring operation, or one given once that has not started.
func (c *Core) Cancel(now time.Duration, k Key) (bool, []Output) {
	e := c.find(k)
	if e == nil || e.cancelled {
		return e != nil, nil
	}
	c.cancel(now, e)
	c.dispatch(now)
	return true, c.take()
}

func (c *Core) find(k Key) *entry {
	if k.Interval > 0 {
		return c.byKey[k]
	}
	r := c.resources[k.Resource]
	if r == nil {
		return nil
	}
	for _, list := range [][]*entry{r.queue, r.delay} {
		for _, e := range list {
			if KeyOf(e.op) == k {
				return e
			}
		}
	}
	return nil
}

// cancel ends e, at once or, where it runs, when its run has ended. What must
// survive forgets it at once in both cases:
//
//  1. a monitor runs and is cancelled; 2. the executor is killed before the run
//     has ended; 3. the next one must not take the monitor up again.
func (c *Core) cancel(now time.Duration, e *entry) {
	c.emit(Save{Change{Dropped: true, CallID: e.call}})
	if e.recurs() {
		// It is no longer watched: its result means nothing now.
		delete(c.history, KeyOf(e.op))
	}
	if e.phase == running {
		e.cancelled, e.again = true, false
		c.emit(Kill{e.run})
		return
	}
	r := c.resources[e.op.Resource]
	var res lrmd.Result
	if e.phase == queued {
		res.Queued = now - e.queuedAt
		c.unready(r)
		r.queue = remove(r.queue, e)
		c.makeReady(r)
	} else {
		c.disarm(e)
		r.delay = remove(r.delay, e)
	}
	c.reportCancelled(e, res)
	c.drop(e)
}

func (c *Core) reportCancelled(e *entry, r lrmd.Result) {
	r.Op, r.CallID = e.op, e.call
	r.Status, r.ExitCode = lrmd.StatusCancelled, 0
	c.emit(Report{r})
}

// Forget ends what is not running of a resource and drops its history. An
// operation given once that runs is still awaited and reported.
func (c *Core) Forget(now time.Duration, name string) []Output {
	for k := range c.history {
		if k.Resource == name {
			delete(c.history, k)
		}
	}
	c.emit(Save{Change{Forgotten: name}})
	r := c.resources[name]
	if r == nil {
		return c.take()
	}
	list := append(slices.Clone(r.queue), r.delay...)
	if r.busy != nil {
		r.busy.forgotten = true
		if r.busy.recurs() && !r.busy.cancelled {
			list = append(list, r.busy)
		}
	}
	for _, e := range c.byKey {
		if e.op.Resource == name && (e.phase == waiting || e.phase == delayed) {
			list = append(list, e)
		}
	}
	slices.SortFunc(list, func(a, b *entry) int { return cmp.Compare(a.call, b.call) })
	for _, e := range list {
		c.cancel(now, e)
	}
	c.dispatch(now)
	return c.take()
}

// Tick makes happen what has fallen due.
func (c *Core) Tick(now time.Duration) []Output {
	for len(c.timers) > 0 && c.timers[0].due <= now {
		e := c.timers[0]
		c.disarm(e)
		r := c.resources[e.op.Resource]
		r.delay = remove(r.delay, e)
		c.enqueue(now, e)
	}
	c.dispatch(now)
	return c.take()
}

// Next returns when Tick has something to do.
func (c *Core) Next() (at time.Duration, ok bool) {
	if len(c.timers) == 0 {
		return 0, false
	}
	return c.timers[0].due, true
}

// Finished takes the end of a run. A run that is not under way is ignored.
func (c *Core) Finished(now time.Duration, run Run, o Outcome) []Output {
	e := c.running[run]
	if e == nil {
		return nil
	}
	delete(c.running, run)
	c.lane(e).running--
	r := c.resources[e.op.Resource]
	r.busy = nil
	res := lrmd.Result{
		Op: e.op, CallID: e.call, ExitCode: o.ExitCode, Status: o.Status,
		ExitReason: o.ExitReason, Output: o.Output, Started: o.Started, Ended: o.Ended,
		Queued: e.waited, Ran: o.Ran,
	}
	switch {
	case e.cancelled:
		c.reportCancelled(e, res)
		c.drop(e)
	case e.again:
		e.again = false
		c.enqueue(now, e)
	case e.recurs():
		c.note(e, res)
		e.phase = waiting
		c.arm(e, now+e.op.Interval)
	default:
		c.remember(e, res)
		c.emit(Report{res})
		c.drop(e)
	}
	c.makeReady(r)
	c.dispatch(now)
	return c.take()
}

// note reports a recurring operation's result if it is news.
func (c *Core) note(e *entry, res lrmd.Result) {
	v := verdict{res.ExitCode, res.Status}
	if e.reported && v == e.last && !e.op.Every {
		return
	}
	e.reported, e.last = true, v
	c.remember(e, res)
	c.emit(Report{res})
}

func (c *Core) remember(e *entry, res lrmd.Result) {
	if e.forgotten {
		c.emit(Save{Change{Dropped: true, CallID: e.call}})
		return
	}
	c.history[KeyOf(res.Op)] = res
	saved := res
	c.emit(Save{Change{Result: &saved, CallID: e.call}})
}

func (c *Core) drop(e *entry) {
	c.known--
	invariant.Check(c.known >= 0, "operations known: %d", c.known)
	if e.recurs() && c.byKey[KeyOf(e.op)] == e {
		delete(c.byKey, KeyOf(e.op))
	}
	r := c.resources[e.op.Resource]
	if r.ops--; r.ops == 0 {
		delete(c.resources, r.name)
	}
}

func (c *Core) lane(e *entry) *lane {
	if e.recurs() {
		return &c.recurring
	}
	return &c.once
}

func (c *Core) enqueue(now time.Duration, e *entry) {
	r := c.resource(e.op.Resource)
	e.phase, e.queuedAt = queued, now
	r.queue = append(r.queue, e)
	if len(r.queue) == 1 {
		c.makeReady(r)
	}
}

// makeReady puts a resource that has something to run and runs nothing at the
// end of the line.
func (c *Core) makeReady(r *resource) {
	if r.busy != nil || len(r.queue) == 0 {
		return
	}
	l := c.lane(r.queue[0])
	if !slices.Contains(l.ready, r) {
		l.ready = append(l.ready, r)
	}
}

func (c *Core) unready(r *resource) {
	c.once.ready = remove(c.once.ready, r)
	c.recurring.ready = remove(c.recurring.ready, r)
}

func (c *Core) dispatch(now time.Duration) {
	for _, l := range []*lane{&c.once, &c.recurring} {
		for l.running < l.max && len(l.ready) > 0 {
			r := l.ready[0]
			l.ready = l.ready[1:]
			c.start(now, r)
		}
	}
}

func (c *Core) start(now time.Duration, r *resource) {
	e := r.queue[0]
	r.queue = r.queue[1:]
	invariant.Check(r.busy == nil, "two operations of %s at once", r.name)
	r.busy = e
	c.lane(e).running++
	c.lastRun++
	e.phase, e.run, e.waited = running, c.lastRun, now-e.queuedAt
	c.running[e.run] = e
	c.emit(Start{Run: e.run, CallID: e.call, Op: e.op})
}

func (c *Core) arm(e *entry, due time.Duration) {
	e.due = due
	heap.Push(&c.timers, e)
}

func (c *Core) disarm(e *entry) {
	if e.heapAt >= 0 {
		heap.Remove(&c.timers, e.heapAt)
	}
}

func (c *Core) emit(o Output) { c.out = append(c.out, o) }

func (c *Core) take() []Output {
	out := c.out
	c.out = nil
	return out
}

func remove[T comparable](s []T, v T) []T {
	if i := slices.Index(s, v); i >= 0 {
		return slices.Delete(s, i, i+1)
	}
	return s
}
