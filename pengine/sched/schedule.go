// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/transition/graph"
)

// An Input is all that a decision depends on.
type Input struct {
	CIB       *etree.Element // with the status section
	Now       time.Time
	Sanitized bool // private parameters are missing; compare secure digests
	// TransitionID numbers the graph.
	TransitionID int
	// FeatureSet stands in the graph as that of who decided, where it is given.
	FeatureSet string
	// Scores and Utilization ask for what crm_simulate -s and -U show.
	Scores, Utilization bool
	// Trace asks that all causes be remembered, for Result.Trace.
	Trace bool
}

// A Result is a decision.
type Result struct {
	Cluster *status.Cluster // as unpacked, changed by scheduling
	Graph   *graph.Graph
	Changes []Change // what is done to nodes and resources, in words
	Scores  []Line   // where asked for
	Notes   []string // of changed fence devices, from reading the state
	Dot     []DotNode
	Fence   []string // names of the nodes that are fenced
	// RecheckBy is when the outcome would change by itself, zero for never.
	RecheckBy        time.Time
	Errors, Warnings []string
	s                *scheduler
}

// Schedule decides what is to be done.
func Schedule(in Input) (*Result, error) {
	c, err := status.Unpack(in.CIB, status.Settings{Now: in.Now, Sanitized: in.Sanitized})
	if err != nil {
		return nil, err
	}
	s := newScheduler(c, in)
	s.notes = c.UnfencingNotes()
	s.takeIntents()
	s.scores = nil // s.notes has them
	s.applyHealth()
	s.unpackConstraints()
	s.applyNodeCriteria()
	s.internalConstraints()
	s.checkHistory()
	s.assignResources()
	s.scheduleActions()
	s.orderRemoteConnections()
	s.fenceAndShutDown()
	s.applyOrderings()
	s.makeGraph()
	return s.result(), nil
}
