// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain

import (
	"strings"

	"github.com/quorate/quorate/pengine/status"
)

// An EffectKind is how the outcome differs once a change is made.
type EffectKind string

// The kinds of effect.
const (
	EffectRuns        EffectKind = "runs"         // it is active on Node
	EffectLeaves      EffectKind = "leaves"       // it is not active on Node; To is where it goes, if anywhere
	EffectUndisturbed EffectKind = "undisturbed"  // it stays active on Node, and nothing is done to it
	EffectPromoted    EffectKind = "promoted"     // it has the promoted role on Node
	EffectNotPromoted EffectKind = "not-promoted" // it has not the promoted role on Node
	EffectAllowed     EffectKind = "allowed"      // it is no longer banned from Node, though it runs elsewhere
	EffectManaged     EffectKind = "managed"      // the cluster manages it again
)

// An Effect is what a change does to the outcome for a resource.
type Effect struct {
	Kind     EffectKind
	Resource string
	Node, To string
}

func (e Effect) String() string {
	switch e.Kind {
	case EffectRuns:
		return e.Resource + " would run on " + e.Node
	case EffectLeaves:
		if e.To == "" {
			return e.Resource + " would not run on " + e.Node
		}
		return e.Resource + " would run on " + e.To + " instead"
	case EffectUndisturbed:
		return e.Resource + " would stay on " + e.Node + " undisturbed"
	case EffectPromoted:
		return e.Resource + " would be promoted on " + e.Node
	case EffectNotPromoted:
		return e.Resource + " would not be promoted on " + e.Node
	case EffectManaged:
		return "the cluster would manage " + e.Resource + " again"
	default:
		return e.Resource + " would no longer be banned from " + e.Node
	}
}

// aim is what a question asks for: the outcome that would be an answer to "what
// would change that".
type aim int

const (
	aimRun       aim = iota // active on the node
	aimRunAny               // active on the node, or for what can run anywhere, anywhere
	aimLeave                // not active on the node
	aimKeep                 // undisturbed on the node, else at least active there
	aimPromote              // promoted on the node
	aimUnpromote            // not promoted on the node
)

type goal struct {
	aim  aim
	node string
}

// at is what a subject is on one node once the transition is done.
type at struct {
	active, promoted, touched bool
}

func on(fates []Fate, node string) (a at) {
	if node == "" {
		return a
	}
	for _, f := range fates {
		if f.Next == node {
			a.active = true
			a.promoted = a.promoted || f.NextRole == status.RolePromoted
		}
		if (f.Verb != "" || f.pending) && (f.Now == node || f.Next == node) {
			a.touched = true
		}
	}
	return a
}

// met tells whether the fates are what the goal asks for, and what they are.
func (g goal) met(name string, fates []Fate) (Effect, bool) {
	a := on(fates, g.node)
	e := Effect{Resource: name, Node: g.node}
	switch g.aim {
	case aimRun, aimRunAny:
		e.Kind = EffectRuns
		if !a.active && g.aim == aimRunAny {
			for _, f := range fates {
				if f.Next != "" {
					e.Node = f.Next
					return e, true
				}
			}
		}
		return e, a.active
	case aimLeave:
		e.Kind = EffectLeaves
		if len(fates) == 1 {
			e.To = fates[0].Next
		}
		return e, !a.active
	case aimKeep:
		if e.Kind = EffectUndisturbed; a.touched {
			e.Kind = EffectRuns
		}
		return e, a.active
	case aimPromote:
		e.Kind = EffectPromoted
		return e, a.promoted
	default:
		e.Kind = EffectNotPromoted
		return e, !a.promoted
	}
}

// goalOf is what a question about a fate asks for.
func goalOf(f Fate, node string, fates []Fate) goal {
	a := on(fates, node)
	switch {
	case f.Verb == "Promote":
		return goal{aimUnpromote, node}
	case f.Verb == "Demote":
		return goal{aimPromote, node}
	case !a.active && f.Now == node && f.Next != "":
		return goal{aimKeep, node} // it moves away
	case !a.active && f.Now == node:
		return goal{aimRunAny, node} // it stops
	case !a.active && f.Now == "" && f.Next == "" && node == "":
		return goal{aimRunAny, node}
	case !a.active:
		return goal{aimRun, node}
	case strings.HasPrefix(f.Verb, "Re") && f.Next == f.Now:
		return goal{aimKeep, node} // restart, reload, recover, re-promote
	case f.NextRole == status.RolePromoted:
		return goal{aimUnpromote, node}
	}
	return goal{aimLeave, node}
}
