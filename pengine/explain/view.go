// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain

import (
	"slices"
	"strings"

	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/status"
)

// view is one decision, indexed.
type view struct {
	result  *sched.Result
	c       *status.Cluster
	traces  []*sched.ResourceTrace
	byID    map[string]*sched.ResourceTrace
	changes map[string]*sched.Change // by resource, the first of each
}

func newView(r *sched.Result) *view {
	v := &view{result: r, c: r.Cluster, byID: map[string]*sched.ResourceTrace{}, changes: map[string]*sched.Change{}}
	list := r.Trace()
	for i := range list {
		t := &list[i]
		v.traces = append(v.traces, t)
		if v.byID[t.Resource.ID] == nil {
			v.byID[t.Resource.ID] = t
		}
	}
	for i := range r.Changes {
		if c := &r.Changes[i]; c.Resource != "" && v.changes[c.Resource] == nil {
			v.changes[c.Resource] = c
		}
	}
	return v
}

// trace is what is known of a resource, nil for none.
func (v *view) trace(r *status.Resource) *sched.ResourceTrace {
	if r == nil {
		return nil
	}
	return v.byID[r.ID]
}

// place is a node as a place for the resource, nil where it is none.
func place(t *sched.ResourceTrace, node string) *sched.PlaceTrace {
	if t == nil {
		return nil
	}
	for i := range t.Places {
		if t.Places[i].Node == node {
			return &t.Places[i]
		}
	}
	return nil
}

// A Fate is what becomes of one resource instance.
type Fate struct {
	Instance string
	// Now and Next are the nodes, "" for none, NowRole and NextRole the roles there.
	Now, Next         string
	NowRole, NextRole status.Role
	// Verb is what is done, as a transition summary has it ("Move", "Restart"…);
	// "" for nothing.
	Verb    string
	Reason  string
	Blocked bool
	pending bool // a start is under way
}

// fate tells what becomes of a primitive.
func (v *view) fate(r *status.Resource, assigned string) Fate {
	f := Fate{Instance: r.ID, NowRole: status.RoleStopped, pending: r.Is(status.StartPending)}
	if n := r.CurrentNode(); n != nil {
		f.Now, f.NowRole = n.Name, max(r.Role, status.RoleStarted)
	}
	f.Next, f.NextRole = f.Now, f.NowRole
	c := v.changes[r.ID]
	if c == nil {
		if slices.Contains(v.result.Fence, f.Now) { // whatever is there goes down with the node
			f.Next, f.NextRole = "", status.RoleStopped
		}
		return f
	}
	f.Verb, f.Reason, f.Blocked = c.Verb, c.Reason, c.Blocked
	if c.Blocked {
		return f
	}
	f.NextRole = c.Next
	switch c.Verb {
	case "Start", "Move", "Migrate":
		f.Next = c.To
	case "Recover":
		if c.To != "" {
			f.Next = c.To
		} else if assigned != "" {
			f.Next = assigned
		}
	case "Stop":
		f.Next, f.NextRole = "", status.RoleStopped
	}
	return f
}

// subject is what a question is about: primitives that stand for one thing.
type subject struct {
	name      string // as the user knows it
	anonymous bool   // its instances cannot be told apart
	prims     []*sched.ResourceTrace
}

// primitives lists the primitives at or below a resource.
func (v *view) primitives(r *status.Resource) []*sched.ResourceTrace {
	if r.Variant == status.Primitive {
		if t := v.trace(r); t != nil {
			return []*sched.ResourceTrace{t}
		}
		return nil
	}
	var out []*sched.ResourceTrace
	for _, k := range r.Children {
		out = append(out, v.primitives(k)...)
	}
	return out
}

// subjects finds what a name stands for: the resource itself, or for a group,
// clone or bundle each of the things it is made of, in their order.
func (v *view) subjects(name string) []subject {
	var found []*status.Resource
	if t := v.byID[name]; t != nil {
		found = v.deciding(t.Resource)
	} else {
		for _, t := range v.traces {
			if r := t.Resource; r.Variant == status.Primitive && (status.StripInstance(r.ID) == name || r.XMLID() == name || r.HistoryID == name) {
				found = append(found, r)
			}
		}
		if found == nil {
			for _, t := range v.traces { // a group within a clone
				if r := t.Resource; status.StripInstance(r.ID) == name {
					found = append(found, v.deciding(r)...)
				}
			}
		}
	}
	var out []subject
	for _, r := range found {
		out = v.addSubject(out, r)
	}
	return out
}

// deciding lists the primitives that decide about a resource.
func (v *view) deciding(r *status.Resource) []*status.Resource {
	var out []*status.Resource
	for _, t := range v.primitives(r) {
		if r.Variant == status.BundleVariant && !t.Resource.Is(status.ReplicaContainer) {
			continue
		}
		out = append(out, t.Resource)
	}
	return out
}

func (v *view) addSubject(list []subject, r *status.Resource) []subject {
	t := v.trace(r)
	name, anonymous := r.ID, false
	switch {
	case r.Top(false).IsAnonymousClone():
		name, anonymous = status.StripInstance(r.ID), true
	case r.Parent != nil && r.Parent.Variant == status.BundleVariant: // all parts of a replica go with the container
		return v.addBundle(list, r.Parent)
	}
	for i := range list {
		if list[i].name == name {
			list[i].prims = append(list[i].prims, t)
			return list
		}
	}
	s := subject{name: name, anonymous: anonymous, prims: []*sched.ResourceTrace{t}}
	if anonymous { // all instances count, whichever was named
		s.prims = nil
		for _, o := range v.traces {
			if o.Resource.Variant == status.Primitive && v.sameThing(o.Resource, r) {
				s.prims = append(s.prims, o)
			}
		}
	}
	return append(list, s)
}

// addBundle adds a bundle as a subject: its containers.
func (v *view) addBundle(list []subject, b *status.Resource) []subject {
	if slices.ContainsFunc(list, func(s subject) bool { return s.name == b.ID }) {
		return list
	}
	s := subject{name: b.ID, anonymous: true}
	for _, k := range v.deciding(b) {
		s.prims = append(s.prims, v.trace(k))
	}
	return append(list, s)
}

// hosts replaces what runs inside containers by the containers, for questions
// about a node that is none.
func (v *view) hosts(list []subject) []subject {
	var out []subject
	for _, s := range list {
		if r := s.prims[0].Resource; r.InBundle() {
			out = v.addBundle(out, r.Top(true))
		} else {
			out = append(out, s)
		}
	}
	return out
}

// sameThing tells whether two primitives are instances of one thing that cannot
// be told apart.
func (v *view) sameThing(a, b *status.Resource) bool {
	if a.Is(status.ReplicaContainer) || b.Is(status.ReplicaContainer) {
		return a.Is(status.ReplicaContainer) && b.Is(status.ReplicaContainer) && a.Top(true) == b.Top(true)
	}
	return status.StripInstance(a.ID) == status.StripInstance(b.ID) && a.Top(false) == b.Top(false)
}

// fates lists what becomes of each instance of a subject.
func (v *view) fates(s *subject) []Fate {
	var out []Fate
	for _, t := range s.prims {
		out = append(out, v.fate(t.Resource, t.Assigned))
	}
	return out
}

// refreshed finds the subject again in another decision.
func (v *view) refreshed(name string) *subject {
	list := v.subjects(name)
	if len(list) == 0 {
		return nil
	}
	return &list[0]
}

// node finds a node by name, nil for none.
func (v *view) node(name string) *status.Node {
	i := slices.IndexFunc(v.c.Nodes, func(n *status.Node) bool { return strings.EqualFold(n.Name, name) })
	if i < 0 {
		return nil
	}
	return v.c.Nodes[i]
}

// mayRun tells whether a node can run anything now.
func mayRun(n *status.Node) bool {
	return n != nil && n.Online && !n.Shutdown && !n.Unclean && !n.Standby && !n.Maintenance
}
