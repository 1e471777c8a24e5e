// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package transition

import (
	"context"

	"github.com/quorate/quorate/transition/graph"
)

// An Engine carries transition graphs out, one at a time.
type Engine interface {
	// Begin starts a graph. A run that is still under way is aborted first.
	Begin(ctx context.Context, g *graph.Graph, opts Options) (Run, error)
	Close() error
}

// Options bound a run.
type Options struct {
	BatchLimit int // actions in flight at once, 0 is no limit
	// NodeLimit bounds the actions in flight on one node, 0 is no limit.
	NodeLimit      int
	MigrationLimit int // −1 is no limit
}

// A Run is one graph being carried out.
type Run interface {
	// Next blocks for the next thing to do: *Fire for an action to carry out,
	// *Timeout for one that did not answer in time, and at last *Done.
	Next(ctx context.Context) (Step, error)
	// Confirm reports that an action was carried out.
	Confirm(ctx context.Context, c Confirm) error
	// Abort ends the run: nothing new starts, what runs is awaited, Done follows.
	// Of several aborts the one of the highest priority decides.
	Abort(ctx context.Context, a Abort) error
}

// A Step is what Next gives.
type Step interface{ step() }

// Fire asks for one action to be carried out.
type Fire struct{ Action *graph.Action }

// Timeout tells that an action did not answer within its time.
type Timeout struct{ Action *graph.Action }

// Done ends a run.
type Done struct {
	Complete bool // every action was carried out
	Aborted  bool
	// Status is the word of Pacemaker's log for it: Complete, Stopped (some were
	// skipped after an abort) or Terminated (some could not run).
	Status string
	// Follow is what to do next (see Completion), and Why the reason of the abort.
	Follow Completion
	Why    string
	// Counts of actions.
	Completed, Pending, Fired, Skipped, Incomplete int
}

func (*Fire) step()    {}
func (*Timeout) step() {}
func (*Done) step()    {}

// Confirm is the result of one action.
type Confirm struct {
	ActionID int
	Failed   bool
	// CanFail marks a failure that the graph allows (on-fail ignore, can_fail).
	CanFail bool
	// Quiet marks a failure that holds back what depends on the action and does
	// not abort the rest: fencing that will be tried again after a pause.
	Quiet bool
}

// Completion is what follows a run, in rising order of strength.
type Completion int

// The completions of Pacemaker's pcmk__graph_next.
const (
	FollowDone Completion = iota
	FollowWait
	FollowRestart
	FollowShutdown
)

// An Abort ends a run early.
type Abort struct {
	Priority int // as in Pacemaker: 1000000 is INFINITY
	Follow   Completion
	Why      string
}
