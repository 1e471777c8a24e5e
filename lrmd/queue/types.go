// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package queue

import (
	"time"

	"github.com/quorate/quorate/lrmd"
)

// DefaultTimeout is the time an operation has that says nothing of it.
const DefaultTimeout = 20 * time.Second

// maxSpan bounds intervals, delays and timeouts.
const maxSpan = 10 * 365 * 24 * time.Hour

// Config bounds the core.
type Config struct {
	// MaxOnce and MaxRecurring are how many operations given once, and how many
	// recurring ones, run at a time.
	MaxOnce, MaxRecurring int
	// MaxOps is how many operations may be known at a time.
	MaxOps int
}

// DefaultConfig returns the bounds for a machine with that many processors.
func DefaultConfig(cpus int) Config {
	n := max(4, 2*cpus)
	return Config{MaxOnce: n, MaxRecurring: n, MaxOps: 20_000}
}

// A Key names an operation of a resource.
type Key struct {
	Resource, Action string
	Interval         time.Duration
}

// KeyOf returns the operation's key.
func KeyOf(op lrmd.Op) Key { return Key{op.Resource, op.Action, op.Interval} }

// A Run numbers one start of one operation.
type Run uint64

// An Outcome is what the shell tells of the end of a run.
type Outcome struct {
	ExitCode       lrmd.ExitCode
	Status         lrmd.OpStatus
	ExitReason     string
	Output         string
	Started, Ended time.Time
	Ran            time.Duration
}

// An Output is something for the shell to do.
type Output interface{ output() }

// Start says to run an operation now.
type Start struct {
	Run    Run
	CallID int
	Op     lrmd.Op
}

// Kill says to kill a run; its end is still awaited.
type Kill struct{ Run Run }

// Report says to tell watchers.
type Report struct{ Result lrmd.Result }

// Save says to note a change of state durably.
type Save struct{ Change Change }

// A Change is one step of the state that survives the executor's death.
type Change struct {
	// Accepted is a new operation, with its call id.
	Accepted *lrmd.Op
	CallID   int
	// Result is a result to remember.
	Result *lrmd.Result
	// Dropped tells that the operation of CallID is no more.
	Dropped bool
	// Forgotten is a resource whose history is no more.
	Forgotten string
}

func (Start) output()  {}
func (Kill) output()   {}
func (Report) output() {}
func (Save) output()   {}

// A Saved is what survives the executor's death.
type Saved struct {
	LastCall  int
	Results   []lrmd.Result
	Recurring []Pending
	// Once are the operations given once that were accepted and have no result.
	Once []Pending
}

// A Pending is an operation with its call id.
type Pending struct {
	CallID int
	Op     lrmd.Op
}
