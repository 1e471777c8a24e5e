// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain

import (
	"errors"
	"fmt"

	"github.com/quorate/quorate/pengine/sched"
)

// Errors of Explain.
var (
	ErrUnknownResource = errors.New("explain: no such resource")
	ErrUnknownNode     = errors.New("explain: no such node")
)

// Bounds of the work for one question.
const (
	maxTrials   = 40 // decisions made to try changes out
	maxChanges  = 3  // changes that are offered
	maxTogether = 4  // edits of one change
	maxCauses   = 12 // causes that are told
	maxFound    = 60 // causes that are looked into
	maxDepth    = 4  // how far causes of causes are followed
)

// A Question asks about a resource, and where Node is set about that node.
type Question struct {
	Resource, Node string
}

// A Cause is one thing that decided.
type Cause struct {
	Kind  string // see the constants of this package and of pengine/sched
	Node  string // "" where it is about none
	ID    string // of a constraint, rule, ticket, attribute, operation…
	With  string // the other resource
	Score string
	Text  string // in words
}

// A Change is what would alter the outcome, and how: a single edit wherever one
// suffices, else a few that have to be made together.
type Change struct {
	Edits  []Edit
	Effect Effect
	// Override is set where the edit does not undo a cause but outweighs all of
	// them, as a ban or a preference of the administrator's does.
	Override bool
}

// An Answer tells why.
type Answer struct {
	Question Question
	Subject  string // the resource that it is about
	Node     string // the node that it is about, "" for none
	Fates    []Fate // of the subject's instances that matter
	Outcome  string // in words
	Causes   []Cause
	Changes  []Change
	Trials   int // decisions that were made to find the changes
}

// An Explainer answers questions about one state of the cluster. It is not safe
// for use by several goroutines at once.
type Explainer struct {
	in          sched.Input
	v           *view
	constraints []constraint
}

// search is the work on one question.
type search struct {
	*Explainer

	subject *subject
	fates   []Fate
	goal    goal
	found   []finding
	seen    map[string]bool // causes that were followed
	trials  int
}

// finding is a cause with the edits that would undo it.
type finding struct {
	Cause
	edits []Edit
}

// New schedules the input with all causes remembered. The input is not changed,
// and must not be while questions are asked.
func New(in sched.Input) (*Explainer, error) {
	in.Trace, in.Scores, in.Utilization = true, false, false
	base, err := sched.Schedule(in)
	if err != nil {
		return nil, fmt.Errorf("explain: schedule: %w", err)
	}
	return &Explainer{in: in, v: newView(base), constraints: constraints(base.Cluster)}, nil
}

// Explain answers one question about what the scheduler makes of the input.
func Explain(in sched.Input, q Question) (*Answer, error) {
	e, err := New(in)
	if err != nil {
		return nil, err
	}
	return e.Ask(q)
}

// Ask answers a question.
func (e *Explainer) Ask(q Question) (*Answer, error) {
	x := &search{Explainer: e, seen: map[string]bool{}}
	subjects := x.v.subjects(q.Resource)
	if len(subjects) == 0 {
		return nil, fmt.Errorf("%w: %s", ErrUnknownResource, q.Resource)
	}
	node := ""
	if q.Node != "" {
		n := x.v.node(q.Node)
		if n == nil {
			return nil, fmt.Errorf("%w: %s", ErrUnknownNode, q.Node)
		}
		node = n.Name
		if !n.IsGuest() {
			subjects = x.v.hosts(subjects)
		}
	}
	fate := x.focus(subjects, q.Resource, node)
	if node == "" {
		node = nodeOf(fate)
	}
	x.goal = goalOf(fate, node, x.fates)
	x.causes(fate, node)
	a := &Answer{Question: q, Subject: x.subject.name, Node: node, Fates: x.fatesAt(fate, node)}
	a.Outcome = x.outcome(fate, node)
	for _, f := range x.found {
		if len(a.Causes) < maxCauses {
			a.Causes = append(a.Causes, f.Cause)
		}
	}
	a.Changes = x.changes()
	a.Trials = x.trials
	return a, nil
}

// nodeOf is the node that a question without node is about: where the instance
// is, else where it will be.
func nodeOf(f Fate) string {
	if f.Now != "" && f.Verb != "Start" {
		return f.Now
	}
	return f.Next
}

// focus chooses, of the things and instances that a name stands for, the one that
// the answer is about: what something is done to, else what runs not, else the
// first.
func (x *search) focus(subjects []subject, name, node string) Fate {
	best, rank := Fate{}, -1
	for i := range subjects {
		s := &subjects[i]
		fates := x.v.fates(s)
		for _, f := range fates {
			if r := rankOf(f, name, node); r > rank {
				best, rank = f, r
				x.subject, x.fates = s, fates
			}
		}
	}
	return best
}

func rankOf(f Fate, name, node string) int {
	rank := 0
	switch {
	case f.Verb != "" && f.Now != "":
		rank = 4
	case f.Verb != "":
		rank = 3
	case f.Now == "":
		rank = 1
	default:
		rank = 2
	}
	if node != "" {
		switch {
		case f.Now == node || f.Next == node:
			return 10 + rank
		case f.Next == "":
			return 5 // an instance that is free
		default:
			return 1
		}
	}
	if f.Instance == name {
		rank += 20
	}
	return rank
}

// fatesAt are the fates that the answer shows.
func (x *search) fatesAt(f Fate, node string) []Fate {
	out := []Fate{f}
	for _, o := range x.fates {
		if o.Instance != f.Instance && (o.Now == node || o.Next == node) && node != "" {
			out = append(out, o)
		}
	}
	return out
}

// add notes a cause once.
func (x *search) add(f finding) {
	for i := range x.found {
		o := &x.found[i]
		if o.Kind == f.Kind && (o.Text == f.Text || o.Kind == string(sched.CauseLocation) && o.Node == f.Node && o.ID == f.ID && o.Score == f.Score) {
			return
		}
	}
	x.found = append(x.found, f)
}

// instance is the trace of the instance that a fate is of.
func (x *search) instance(f Fate) *sched.ResourceTrace { return x.v.byID[f.Instance] }
