// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"maps"

	"github.com/quorate/quorate/pengine/status"
)

// A Line is one line of what crm_simulate -s and -U show.
type Line struct {
	// Where names the step that made the score, in Pacemaker's words.
	Where    string
	Resource string
	Node     string // or "none"
	Score    score
	Kind     LineKind
	Values   map[string]string // of a capacity or utilization
}

// LineKind tells what a Line is about.
type LineKind int

// The kinds of line.
const (
	LineScore LineKind = iota
	LinePromotion
	LineCapacity
	LineUtilization
)

func (s *scheduler) showScores(r *rsc, where string) {
	if !s.in.Scores || r.Is(status.Removed) {
		return
	}
	for _, a := range r.allowed.list() {
		s.scores = append(s.scores, Line{Where: where, Resource: r.ID, Node: a.node.Name, Score: a.score})
	}
	for _, k := range r.children {
		s.showScores(k, where)
	}
}

func (s *scheduler) showPromotion(r *rsc) {
	if !s.in.Scores {
		return
	}
	l := Line{Kind: LinePromotion, Resource: r.ID, Node: "none", Score: r.promotionPriority}
	if a := r.assignedTo(); a != nil {
		l.Node = a.node.Name
	}
	s.scores = append(s.scores, l)
}

func (s *scheduler) showCapacities(where string) {
	if !s.in.Utilization {
		return
	}
	for _, n := range s.nodes {
		if n.IsGuest() && s.of[n.Connection.Launcher].Is(status.ReplicaContainer) {
			continue
		}
		s.scores = append(s.scores, Line{Kind: LineCapacity, Where: where, Node: n.Name, Values: copyMap(s.capacity[n.Index])})
	}
}

func (s *scheduler) showUtilization(r *rsc, n *node) {
	if s.in.Utilization {
		s.scores = append(s.scores, Line{Kind: LineUtilization, Where: "pcmk__assign_resource", Resource: r.ID, Node: n.Name, Values: copyMap(r.Utilization)})
	}
}

func copyMap(m map[string]string) map[string]string {
	out := make(map[string]string, len(m))
	maps.Copy(out, m)
	return out
}
