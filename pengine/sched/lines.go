// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"fmt"
	"maps"
	"strings"

	"github.com/quorate/quorate/pengine/status"
)

// A Line is one line of what crm_simulate -s and -U show.
type Line struct {
	// Where names the step that made the score, in Pacemaker's words.
	Where    string
	Text     string // of a note
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
	LineNote // of what is not shown otherwise
)

func (s *scheduler) showNotes(notes ...string) {
	if !s.in.Scores && !s.in.Utilization {
		return
	}
	for _, n := range notes {
		s.scores = append(s.scores, Line{Kind: LineNote, Text: n})
	}
}

// privateNote tells of a resource whose private parameters are missing or
// changed.
func (r *rsc) privateNote(task string, intervalMS uint, n *node, magic string) string {
	return fmt.Sprintf("Only 'private' parameters to %s-interval %s for %s on %s changed: %s",
		readable(intervalMS), task, r.ID, n.Name, magic)
}

// readable writes an interval as Pacemaker does.
func readable(ms uint) string {
	if ms == 0 {
		return "0s"
	}
	var b strings.Builder
	for _, unit := range []struct {
		ms   uint
		name string
	}{{24 * 60 * 60 * 1000, "d"}, {60 * 60 * 1000, "h"}, {60 * 1000, "m"}} {
		if n := ms / unit.ms; n > 0 {
			fmt.Fprintf(&b, "%d%s", n, unit.name)
			ms %= unit.ms
		}
	}
	switch {
	case ms == 0:
	case ms < 1000:
		fmt.Fprintf(&b, "%dms", ms)
	case ms%1000 == 0:
		fmt.Fprintf(&b, "%ds", ms/1000)
	default:
		fmt.Fprintf(&b, "%d.%03ds", ms/1000, ms%1000)
	}
	return b.String()
}

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
