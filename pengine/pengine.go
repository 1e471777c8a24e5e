// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package pengine

import (
	"context"
	"time"
)

// An Engine computes transitions; it is the daemon's interface, in process or
// over pengine/client. The decision itself is Schedule of pengine/sched, a pure
// function.
type Engine interface {
	// Compute schedules the CIB and keeps it as an input for replay.
	Compute(ctx context.Context, req Request) (Reply, error)
	Close() error
}

// A Request is one cluster state to decide on.
type Request struct {
	CIB []byte // XML text, with status; have-quorum and dc-uuid set
	Now time.Time
	// Reference names the request in the log.
	Reference string
}

// A Reply is the decision.
type Reply struct {
	Graph []byte // <transition_graph>, XML text
	// InputFile is where the input was kept: …/pengine/pe-input-N.bz2 (pe-warn,
	// pe-error likewise).
	InputFile string
	// Actions tells whether the graph has any action.
	Actions  int
	Warnings []string // problems of the configuration or the cluster, in words
	Errors   []string
	// RecheckBy is when the outcome would change by itself (failure-timeout,
	// rules), zero where it would not.
	RecheckBy time.Time
	// FenceNodes are the names of nodes that the graph fences.
	FenceNodes []string
	Elapsed    time.Duration
}
