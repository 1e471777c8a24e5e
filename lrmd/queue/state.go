// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package queue

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/lrmd"
)

// LostReason is the exit reason of operations that an executor's death lost.
const LostReason = "the executor was restarted before the operation ended"

// Restore fills an empty core with what a dead executor left: operations given
// once are lost and reported so, recurring ones go on at once.
func (c *Core) Restore(now time.Duration, wall time.Time, s Saved) []Output {
	c.lastCall = s.LastCall
	for _, r := range s.Results {
		c.history[KeyOf(r.Op)] = r
	}
	for _, p := range s.Once {
		c.lastCall = max(c.lastCall, p.CallID)
		res := lrmd.Result{
			Op: p.Op, CallID: p.CallID, ExitCode: 1, Status: lrmd.StatusError,
			ExitReason: LostReason, Started: wall, Ended: wall, Lost: true,
		}
		c.history[KeyOf(p.Op)] = res
		c.emit(Save{Change{Result: &res, CallID: p.CallID}})
		c.emit(Report{res})
	}
	for _, p := range s.Recurring {
		c.lastCall = max(c.lastCall, p.CallID)
		if c.byKey[KeyOf(p.Op)] != nil || p.Op.Interval <= 0 {
			continue
		}
		e := &entry{call: p.CallID, op: p.Op, heapAt: -1}
		if last, ok := c.history[KeyOf(p.Op)]; ok && last.CallID == p.CallID {
			e.reported, e.last = true, verdict{last.ExitCode, last.Status}
		}
		c.own(e)
		c.enqueue(now, e)
	}
	c.dispatch(now)
	return c.take()
}

// Snapshot returns what is known, in the order of call ids.
func (c *Core) Snapshot() lrmd.Snapshot {
	var s lrmd.Snapshot
	for _, r := range c.history {
		s.Results = append(s.Results, r)
	}
	slices.SortFunc(s.Results, func(a, b lrmd.Result) int { return cmp.Compare(a.CallID, b.CallID) })
	for _, e := range c.entries() {
		if e.recurs() && !e.cancelled {
			s.Recurring = append(s.Recurring, e.op)
		}
		if e.phase == running || !e.recurs() {
			s.InFlight = append(s.InFlight, e.op)
		}
	}
	return s
}

// Saved returns what must survive, for a journal written anew.
func (c *Core) Saved() Saved {
	s := Saved{LastCall: c.lastCall, Results: c.Snapshot().Results}
	for _, e := range c.entries() {
		p := Pending{CallID: e.call, Op: e.op}
		if e.cancelled {
			continue
		}
		if e.recurs() {
			s.Recurring = append(s.Recurring, p)
		} else {
			s.Once = append(s.Once, p)
		}
	}
	return s
}

// entries lists all operations by call id.
func (c *Core) entries() []*entry {
	seen := map[*entry]bool{}
	var all []*entry
	add := func(e *entry) {
		if e != nil && !seen[e] {
			seen[e] = true
			all = append(all, e)
		}
	}
	for _, r := range c.resources {
		add(r.busy)
		for _, e := range r.queue {
			add(e)
		}
		for _, e := range r.delay {
			add(e)
		}
	}
	for _, e := range c.byKey {
		add(e)
	}
	slices.SortFunc(all, func(a, b *entry) int { return cmp.Compare(a.call, b.call) })
	return all
}

// Counts returns how many operations run, and how many wait for their turn.
func (c *Core) Counts() (running, waiting int) {
	for _, r := range c.resources {
		waiting += len(r.queue)
	}
	return len(c.running), waiting
}

// String shows the state for tests and debugging.
func (c *Core) String() string {
	var b strings.Builder
	for _, e := range c.entries() {
		fmt.Fprintf(&b, "%d %s %s", e.call, name(e.op), phaseNames[e.phase])
		if e.heapAt >= 0 {
			fmt.Fprintf(&b, " due=%v", e.due)
		}
		if e.cancelled {
			b.WriteString(" cancelled")
		}
		if e.again {
			b.WriteString(" again")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func name(op lrmd.Op) string {
	return fmt.Sprintf("%s_%s_%d", op.Resource, op.Action, op.Interval.Milliseconds())
}
