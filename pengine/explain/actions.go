// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain

import (
	"strconv"
	"strings"

	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/status"
)

// whyBlocked finds what keeps the actions of a resource from being carried out.
func (x *search) whyBlocked(t *sched.ResourceTrace, depth int) {
	for i := range t.Actions {
		a := &t.Actions[i]
		if a.Runnable || a.Task != "start" && a.Task != "promote" && a.Task != "stop" && a.Task != "demote" {
			continue
		}
		x.actionLosses(t, a, "runnable", depth)
		if n := x.v.node(a.Node); n != nil {
			x.node(n, depth)
		}
		x.noQuorum(t.Resource)
		if len(a.Losses) == 0 && a.Reason != "" && !x.again("reason "+t.Resource.ID+a.Task, depth) {
			x.add(finding{Cause: Cause{Kind: KindReason, Node: a.Node, With: x.other(t.Resource), Text: t.Resource.ID + ": the " + a.Task + " cannot run: " + a.Reason}})
		}
	}
}

func (x *search) noQuorum(r *status.Resource) {
	c := x.v.c
	if c.Quorate || c.Options.NoQuorum == status.NoQuorumIgnore {
		return
	}
	x.add(finding{
		Cause{Kind: KindQuorum, ID: "no-quorum-policy", With: x.other(r), Text: "the cluster has no quorum and no-quorum-policy is " + c.Options.Get("no-quorum-policy")},
		[]Edit{{Kind: RegainQuorum}, {Kind: SetOption, Name: "no-quorum-policy", Value: "ignore"}},
	})
}

// actionLosses follows an action's lost flag to the actions that caused it.
func (x *search) actionLosses(t *sched.ResourceTrace, a *sched.ActionTrace, flag string, depth int) {
	for _, l := range a.Losses {
		if l.Flag == "optional" && l.Resource == t.Resource.ID && l.Task == "" {
			x.changed(t.Resource, a.Node)
			continue
		}
		if l.Flag != flag || l.Resource == "" || x.again("loss "+t.Resource.ID+a.Task+l.Resource+l.Task+flag, depth) {
			continue
		}
		other := x.v.byID[l.Resource]
		if other == nil {
			continue
		}
		if other.Resource == t.Resource || other.Resource.Variant != status.Primitive && contains(other.Resource, t.Resource) {
			x.within(other, l, flag, depth)
			continue
		}
		f := finding{Cause: Cause{Kind: KindAction, Node: l.Node, With: l.Resource, Text: x.lossText(t, a, l, flag)}}
		for _, tag := range []string{"rsc_order", "rsc_colocation"} {
			for _, id := range x.between(tag, t.Resource, other.Resource) {
				if f.ID == "" {
					f.ID = id
					f.Text += " (constraint " + id + ")"
				}
				f.edits = append(f.edits, Edit{Kind: RemoveConstraint, ID: id})
			}
		}
		x.add(f)
		if flag == "runnable" {
			x.whyDown(other, depth+1)
		} else {
			x.whyTouched(other, depth+1)
		}
	}
}

// within follows a loss that comes from another action of the same resource,
// or of what holds it.
func (x *search) within(other *sched.ResourceTrace, l sched.LossTrace, flag string, depth int) {
	for i := range other.Actions {
		if b := &other.Actions[i]; b.Task == l.Task && (l.Node == "" || b.Node == l.Node) {
			x.actionLosses(other, b, flag, depth+1)
			if flag == "optional" { // a stop that is needed since the start cannot be
				x.actionLosses(other, b, "runnable", depth+1)
			}
		}
	}
}

func contains(outer, r *status.Resource) bool {
	for p := r.Parent; p != nil; p = p.Parent {
		if p == outer {
			return true
		}
	}
	return false
}

func (x *search) lossText(t *sched.ResourceTrace, a *sched.ActionTrace, l sched.LossTrace, flag string) string {
	task := l.Task
	if task == "" {
		task = "start"
	}
	what := "the " + a.Task + " of " + t.Resource.ID
	if flag == "runnable" {
		return what + " cannot run: it needs the " + task + " of " + l.Resource + ", which cannot run"
	}
	return what + " is required by the " + task + " of " + l.Resource
}

// whyTouched is about another resource to which something is done.
func (x *search) whyTouched(t *sched.ResourceTrace, depth int) {
	if t == nil || x.again("touched "+t.Resource.ID, depth) {
		return
	}
	if t.Resource.Variant != status.Primitive {
		for _, k := range x.v.deciding(t.Resource) {
			kt := x.v.trace(k)
			if f := x.v.fate(k, kt.Assigned); f.Verb != "" {
				x.whyTouched(kt, depth)
				return
			}
		}
		return
	}
	f := x.v.fate(t.Resource, t.Assigned)
	switch {
	case f.Now == "" && f.Next != "":
		x.add(finding{
			Cause{Kind: KindAction, With: t.Resource.ID, Node: f.Next, Text: t.Resource.ID + " is started on " + f.Next},
			[]Edit{{Kind: SetMeta, Resource: configID(t.Resource), Name: "target-role", Value: "Stopped"}},
		})
		return
	case f.Now != "" && f.Next != f.Now:
		x.whyNot(t, f.Now, depth)
		if f.Next == "" {
			x.whyDown(t, depth)
		}
		return
	}
	x.disturbed(t, f, depth)
}

// whyDisturbed is about what moves, or is restarted in its place.
func (x *search) whyDisturbed(t *sched.ResourceTrace, f Fate) {
	if f.Now != "" && f.Next != f.Now {
		x.failures(t.Resource, f.Now)
		x.whyNot(t, f.Now, 0)
		if p := place(t, f.Now); p != nil && p.Score >= 0 && p.Available {
			x.whyHere(t, f.Next)
		}
	}
	x.disturbed(t, f, 0)
}

// disturbed finds what makes stops and starts of a running resource necessary.
func (x *search) disturbed(t *sched.ResourceTrace, f Fate, depth int) {
	r := t.Resource
	x.failures(r, f.Now)
	if len(r.ActiveOn) > 1 {
		fd := finding{Cause: Cause{Kind: KindMultiple, With: x.other(r), Text: r.ID + " is active on more than one node"}}
		for _, n := range r.ActiveOn {
			fd.edits = append(fd.edits, Edit{Kind: Forget, Resource: status.StripInstance(r.ID), Node: n.Name})
		}
		h := holder(r, "multiple-active")
		fd.edits = append(fd.edits, Edit{Kind: SetMeta, Resource: configID(h), Name: "multiple-active", Value: "block"})
		x.add(fd)
	}
	for i := range t.Actions {
		a := &t.Actions[i]
		if !a.Required || a.Task == "monitor" {
			continue
		}
		if strings.HasPrefix(a.Reason, "resource definition change") || strings.Contains(a.Reason, "changed") || t.Reloading {
			x.changed(r, f.Now)
		}
		x.actionLosses(t, a, "optional", depth)
		x.actionLosses(t, a, "runnable", depth)
	}
	for h := r.Parent; h != nil; h = h.Parent {
		ht := x.v.trace(h)
		for i := range ht.Actions {
			x.actionLosses(ht, &ht.Actions[i], "optional", depth+1)
		}
	}
	if f.Now != "" {
		if n := x.v.node(f.Now); n != nil && n.IsGuest() {
			x.whyTouched(x.v.trace(n.Connection.Launcher), depth+1)
			x.whyTouched(x.v.trace(n.Connection), depth+1)
		} else if n != nil && n.Remote && n.Connection != nil {
			x.whyTouched(x.v.trace(n.Connection), depth+1)
		}
	}
	for _, n := range r.ActiveOn {
		x.node(n, depth)
	}
}

// changed is about a definition that is another than when the resource started.
func (x *search) changed(r *status.Resource, node string) {
	x.add(finding{
		Cause{Kind: KindChanged, Node: node, ID: r.ID, With: x.other(r), Text: "the definition of " + r.ID + " changed since it was started"},
		[]Edit{{Kind: SetMeta, Resource: configID(r), Name: "is-managed", Value: "false"}},
	})
}

// whyHere finds what speaks for a place: what draws the resource there and what
// keeps it off the others.
func (x *search) whyHere(t *sched.ResourceTrace, node string) {
	if x.unmanaged(t) {
		return
	}
	p := place(t, node)
	if p != nil {
		for i := range p.Steps {
			if s := &p.Steps[i]; s.Score > 0 {
				x.step(t, p, s, 0)
			}
		}
	}
	for h := t.Resource.Parent; h != nil && t.Resource.Top(false).Variant == status.Clone; h = h.Parent {
		if hp := place(x.v.trace(h), node); hp != nil {
			for i := range hp.Steps {
				if s := &hp.Steps[i]; s.Score > 0 {
					x.step(x.v.trace(h), hp, s, 0)
				}
			}
		}
	}
	for _, n := range x.v.c.Nodes {
		if n.Name == node || n.IsGuest() && place(t, n.Name) == nil {
			continue
		}
		if q := place(t, n.Name); q == nil || p == nil || q.Score < p.Score || !q.Available {
			x.whyNot(t, n.Name, 0)
		} else {
			x.worse(t, q, 0)
		}
	}
	if len(x.found) == 0 {
		x.add(finding{Cause: Cause{Kind: KindTie, Node: node, Text: node + ": it is the only node, or all are equal"}})
	}
}

// promotionEdits set what an agent says about its promotion on a node.
func (x *search) promotionEdits(r *status.Resource, node, value string) []Edit {
	n := x.v.node(node)
	if n == nil {
		return nil
	}
	name := status.StripInstance(r.ID)
	if r.Is(status.Unique) {
		name = r.ID
	}
	if h := r.HistoryID; h != "" {
		if _, has := n.Attrs["master-"+h]; has {
			name = h
		}
	}
	return []Edit{x.setAttr(node, "master-"+name, value)}
}

// whyNotPromoted is about an instance that is not promoted, or demoted.
func (x *search) whyNotPromoted(t *sched.ResourceTrace, node string) {
	r := t.Resource
	top := r.Top(false)
	if x.general(t) {
		return
	}
	x.unmanaged(t)
	x.failures(r, node)
	if role, ok := r.TargetRole(); ok {
		h := holder(r, "target-role")
		x.add(finding{
			Cause{Kind: string(sched.CauseTargetRole), ID: configID(h), Text: "target-role of " + configID(h) + " is " + role.String()},
			[]Edit{{Kind: SetMeta, Resource: configID(h), Name: "target-role", Value: "Promoted"}},
		})
	}
	if t.Assigned != node {
		x.whyNot(t, node, 0)
	}
	if x.v.fate(r, t.Assigned).Next != "" {
		x.add(finding{
			Cause{Kind: KindRole, Node: node, ID: r.ID, Score: t.Promotion.String(), Text: node + ": the promotion score of " + r.ID + " is " + t.Promotion.String()},
			x.promotionEdits(r, node, "INFINITY"),
		})
	}
	promoted := 0
	for _, k := range x.v.primitives(top) {
		if x.v.fate(k.Resource, k.Assigned).NextRole == status.RolePromoted {
			promoted++
		}
	}
	if promoted >= top.PromotedMax {
		x.add(finding{
			Cause{Kind: string(sched.CauseInstances), ID: "promoted-max", With: top.ID, Text: "as many instances of " + top.ID + " are promoted as promoted-max allows: " + strconv.Itoa(promoted)},
			[]Edit{{Kind: SetMeta, Resource: configID(top), Name: "promoted-max", Value: strconv.Itoa(promoted + 1)}},
		})
	}
	x.roleConstraints(r)
	x.tickets(r)
	x.whyBlocked(t, 0)
	x.disturbed(t, x.v.fate(r, t.Assigned), 0)
}

// roleConstraints lists the constraints that are about the promoted role.
func (x *search) roleConstraints(r *status.Resource) {
	for i := range x.constraints {
		k := &x.constraints[i]
		if !k.mentions(r) || k.tag == "rsc_order" || k.tag == "rsc_ticket" || !namesRole(k) {
			continue
		}
		x.add(finding{
			Cause{Kind: string(sched.CauseLocation), ID: k.id, Text: "constraint " + k.id + " is about the promoted role"},
			[]Edit{{Kind: RemoveConstraint, ID: k.id}},
		})
	}
}

func namesRole(k *constraint) bool {
	for _, e := range append(k.e.FindElements(".//*"), k.e) {
		for _, name := range []string{"role", "rsc-role", "with-rsc-role"} {
			if status.ParseRole(e.SelectAttrValue(name, "")) == status.RolePromoted {
				return true
			}
		}
	}
	return false
}

// whyPromoted is about an instance that is promoted.
func (x *search) whyPromoted(t *sched.ResourceTrace, node string) {
	r := t.Resource
	if x.unmanaged(t) {
		return
	}
	x.add(finding{
		Cause{Kind: KindRole, Node: node, ID: r.ID, Score: t.Promotion.String(), Text: node + ": the promotion score of " + r.ID + " is " + t.Promotion.String()},
		append(x.promotionEdits(r, node, "-INFINITY"), x.promotionEdits(r, node, "")...),
	})
	x.roleConstraints(r)
	for _, k := range x.v.primitives(r.Top(false)) {
		if k == t || k.Assigned == "" || k.Assigned == node || !x.v.sameThing(k.Resource, r) {
			continue
		}
		x.add(finding{
			Cause{Kind: KindRole, Node: k.Assigned, ID: k.Resource.ID, With: k.Resource.ID, Score: k.Promotion.String(), Text: k.Assigned + ": the promotion score of " + k.Resource.ID + " is " + k.Promotion.String()},
			x.promotionEdits(k.Resource, k.Assigned, "INFINITY"),
		})
	}
}
