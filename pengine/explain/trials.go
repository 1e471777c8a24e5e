// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain

import (
	"slices"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/status"
)

// Apply makes the change in a CIB. It is false where the CIB has nothing to
// change.
func (c *Change) Apply(cib *etree.Element) bool {
	any := false
	for _, e := range c.Edits {
		any = e.Apply(cib) || any
	}
	return any
}

// Single tells whether one edit is enough.
func (c *Change) Single() bool { return len(c.Edits) == 1 }

// changes tries out the edits that undo the causes; where none helps, those that
// outweigh them; then several together; then those that at least lift a ban.
func (x *search) changes() []Change {
	edits := x.candidates()
	out := x.singles(edits, false)
	if len(out) == 0 {
		out = x.singles(x.overrides(), true)
	}
	if len(out) == 0 {
		out = x.together(edits)
	}
	if len(out) == 0 && x.goal.aim == aimRun {
		out = x.lifted(edits)
	}
	if len(out) == 0 {
		out = x.managed(edits)
	}
	return out
}

// candidates lists the edits of all causes, each once: those of a state before
// those of the configuration, and among these the first ones of each cause, then
// the second ones, and so on.
func (x *search) candidates() []Edit {
	var out []Edit
	for rank, more := 0, true; more; rank++ {
		more = false
		for _, f := range x.found {
			if rank < len(f.edits) {
				more = true
				if !slices.Contains(out, f.edits[rank]) {
					out = append(out, f.edits[rank])
				}
			}
		}
	}
	slices.SortStableFunc(out, func(a, b Edit) int { return a.class() - b.class() })
	return out
}

// class ranks edits by how much they interfere with what was configured: what is
// wrong is put right first, then constraints go, then settings, then other
// resources move.
func (e Edit) class() int {
	switch e.Kind {
	case CleanUp, BringUp, GrantTicket, RegainQuorum, SetNodeAttr:
		return 0
	case SetMeta:
		if e.Name == "target-role" && e.Value != "Stopped" || e.Name == "is-managed" && e.Value == "true" || e.Name == "maintenance" {
			return 0
		}
		return 2
	case SetOption:
		if e.Name == "maintenance-mode" || e.Name == "stop-all-resources" {
			return 0
		}
		return 2
	case RemoveConstraint, SetScore, Allow:
		return 1
	case Prefer, Ban, Forget:
		return 3
	}
	return 2
}

func (x *search) singles(edits []Edit, override bool) []Change {
	var out []Change
	for _, e := range edits {
		if len(out) >= maxChanges || x.trials >= maxTrials {
			break
		}
		if effect, ok := x.try(e); ok {
			out = append(out, Change{Edits: []Edit{e}, Effect: effect, Override: override})
		}
	}
	return out
}

// together makes all edits at once, and where that helps drops those that are not
// needed.
func (x *search) together(edits []Edit) []Change {
	var list []Edit
	for _, f := range x.found {
		if len(f.edits) > 0 && !slices.Contains(list, f.edits[0]) && len(list) < maxTogether*2 {
			list = append(list, f.edits[0])
		}
	}
	list = append(list, x.overrides()...)
	if len(list) < 2 {
		return nil
	}
	effect, ok := x.try(list...)
	if !ok {
		return nil
	}
	for i := 0; i < len(list) && len(list) > 1; {
		fewer := slices.Delete(slices.Clone(list), i, i+1)
		if e, ok := x.try(fewer...); ok {
			list, effect = fewer, e
		} else {
			i++
		}
	}
	if len(list) > maxTogether {
		return nil
	}
	return []Change{{Edits: list, Effect: effect}}
}

// try makes edits in a copy and tells whether the outcome is what is aimed at.
func (x *search) try(edits ...Edit) (Effect, bool) {
	v := x.replay(edits...)
	if v == nil {
		return Effect{}, false
	}
	s := v.refreshed(x.subject.name)
	if s == nil {
		return Effect{}, false
	}
	return x.goal.met(x.subject.name, v.fates(s))
}

func (x *search) replay(edits ...Edit) *view {
	in := x.in
	in.CIB = document.Clone(x.in.CIB)
	if c := (Change{Edits: edits}); !c.Apply(in.CIB) {
		return nil
	}
	x.trials++
	r, err := sched.Schedule(in)
	if err != nil {
		return nil
	}
	return newView(r)
}

// managed finds edits that at least let the cluster manage the subject again.
func (x *search) managed(edits []Edit) []Change {
	isManaged := func(s *subject) bool {
		return !slices.ContainsFunc(s.prims, func(t *sched.ResourceTrace) bool { return !t.Resource.Is(status.Managed) })
	}
	if isManaged(x.subject) {
		return nil
	}
	var out []Change
	for _, e := range edits {
		if len(out) >= maxChanges || x.trials >= maxTrials {
			break
		}
		v := x.replay(e)
		if v == nil {
			continue
		}
		if s := v.refreshed(x.subject.name); s != nil && isManaged(s) {
			out = append(out, Change{Edits: []Edit{e}, Effect: Effect{Kind: EffectManaged, Resource: x.subject.name}})
		}
	}
	return out
}

// lifted finds edits that at least lift the ban from the node.
func (x *search) lifted(edits []Edit) []Change {
	banned := func(v *view, s *subject) bool {
		for _, t := range s.prims {
			if p := place(t, x.goal.node); p != nil && p.Score >= 0 && p.Available {
				return false
			}
		}
		return true
	}
	if !banned(x.v, x.subject) || x.subject.prims[0].Resource.Is(status.Removed) {
		return nil
	}
	var out []Change
	for _, e := range edits {
		if len(out) >= maxChanges || x.trials >= maxTrials {
			break
		}
		v := x.replay(e)
		if v == nil {
			continue
		}
		if s := v.refreshed(x.subject.name); s != nil && !banned(v, s) {
			out = append(out, Change{Edits: []Edit{e}, Effect: Effect{Kind: EffectAllowed, Resource: x.subject.name, Node: x.goal.node}})
		}
	}
	return out
}

// overrides are the edits that an administrator has against any cause.
func (x *search) overrides() []Edit {
	r := x.subject.prims[0].Resource
	top := topID(r)
	n := x.goal.node
	switch x.goal.aim {
	case aimLeave:
		return []Edit{{Kind: Ban, Resource: top, Node: n}, {Kind: SetMeta, Resource: configID(r.Top(true)), Name: "target-role", Value: "Stopped"}}
	case aimUnpromote:
		return []Edit{{Kind: SetMeta, Resource: configID(r.Top(true)), Name: "target-role", Value: "Unpromoted"}, {Kind: Ban, Resource: top, Node: n}}
	case aimKeep:
		return []Edit{{Kind: SetMeta, Resource: configID(r.Top(true)), Name: "is-managed", Value: "false"}, {Kind: Prefer, Resource: top, Node: n}}
	case aimRunAny:
		out := []Edit{{Kind: SetMeta, Resource: configID(r.Top(true)), Name: "is-managed", Value: "false"}}
		if n != "" {
			out = append(out, Edit{Kind: Prefer, Resource: top, Node: n})
		}
		return out
	default:
		out := []Edit{{Kind: Prefer, Resource: top, Node: n}}
		for _, f := range x.fates {
			if f.Next != "" && f.Next != n && !x.subject.anonymous && len(out) <= maxTogether {
				out = append(out, Edit{Kind: Ban, Resource: top, Node: f.Next})
			}
		}
		return out
	}
}
