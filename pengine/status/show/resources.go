// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package show

import (
	"sort"
	"strconv"
	"strings"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/status"
)

// Resources adds the list of resources.
func Resources(t *Text, c *status.Cluster, o Options) {
	head, none := "Active Resources", "No active resources"
	if o.Inactive {
		head, none = "Full List of Resources", "No resources"
	}
	t.Begin(head)
	shown := false
	for _, r := range c.Resources {
		all, part := r.Active(true), r.Active(false)
		if r.Is(status.Removed) && !all || !part && !o.Inactive {
			continue
		}
		shown = Resource(t, r, o) || shown
	}
	if !shown {
		t.Item(none)
	}
	t.End()
}

// Resource adds one resource with its parts. It is false where there is nothing
// to show.
func Resource(t *Text, r *status.Resource, o Options) bool {
	switch r.Variant {
	case status.Group:
		return group(t, r, o)
	case status.Clone:
		return clone(t, r, o)
	case status.BundleVariant:
		return bundle(t, r, o)
	}
	if status.IsTrue(r.Meta["internal_rsc"]) && !o.Implicit {
		return false
	}
	n := r.CurrentNode()
	if n == nil {
		n = r.PendingNode
	}
	t.Item(Primitive(r, r.PrintableID(), n, o))
	return true
}

// Role is the role that is shown.
func Role(r *status.Resource) status.Role {
	if r.Role == status.RoleStarted && r.Top(false).Is(status.Promotable) {
		return status.RoleUnpromoted
	}
	return r.Role
}

var pendingWords = map[string]string{
	"start": "Starting", "stop": "Stopping", "migrate_to": "Migrating", "migrate_from": "Migrating",
	"promote": "Promoting", "demote": "Demoting",
}

// State words a resource's state: its role, or what is under way.
func State(r *status.Resource, pending bool) string {
	if w := pendingWords[r.PendingAction]; pending && w != "" {
		return w
	}
	return Role(r).String()
}

// Primitive is the line of one resource.
func Primitive(r *status.Resource, name string, n *status.Node, o Options) string {
	if n == nil {
		n = r.LockNode
	}
	if len(r.ActiveOn) > 1 {
		n = nil
	}
	var b strings.Builder
	b.WriteString(name + "\t(" + r.Agent() + "):\t")
	if r.Is(status.Removed) {
		b.WriteString(" ORPHANED")
	}
	if r.Is(status.Failed) {
		b.WriteString(" FAILED")
		if role := Role(r); role > status.RoleUnpromoted {
			b.WriteString(" " + role.String())
		}
	} else {
		b.WriteString(" " + State(r, o.Pending))
	}
	if n != nil {
		b.WriteString(" " + n.Name)
	}
	if Role(r) == status.RoleStopped {
		on := ""
		if n != nil {
			on = n.Name
		}
		if f := r.Cluster.FailedProbe(r, on); f != nil {
			b.WriteString(" (" + f.Exit.String() + ") ")
		}
	}
	if f := flags(r, n, o); len(f) > 0 {
		b.WriteString(" (" + strings.Join(f, ", ") + ")")
	}
	if len(r.ActiveOn) > 1 {
		if d := document.Get(r.XML, "description"); d != "" {
			b.WriteString(" (" + d + ")")
		}
		b.WriteString(" [")
		for _, a := range r.ActiveOn {
			b.WriteString(" " + a.Name)
		}
		b.WriteString(" ]")
	}
	return b.String()
}

// flags are the remarks about a resource.
func flags(r *status.Resource, n *status.Node, o Options) []string {
	var f []string
	if n != nil && !n.Online && n.Unclean {
		f = append(f, "UNCLEAN")
	}
	if n != nil && n == r.LockNode {
		f = append(f, "LOCKED")
	}
	if o.Pending && r.PendingAction == "monitor" {
		f = append(f, "Monitoring")
	}
	target := r.Meta["target-role"]
	switch status.ParseRole(target) {
	case status.RoleStopped:
		f = append(f, "disabled")
	case status.RoleUnpromoted:
		if r.Top(false).Is(status.Promotable) {
			f = append(f, "target-role:"+target)
		}
	}
	switch {
	case r.Is(status.Blocked):
		f = append(f, "blocked")
	case r.Is(status.InMaintenance):
		f = append(f, "maintenance")
	case !r.Is(status.Managed):
		f = append(f, "unmanaged")
	}
	if r.Is(status.IgnoreFailure) {
		f = append(f, "failure ignored")
	}
	return f
}

func remarks(r *status.Resource, words ...string) string {
	if r.Disabled() {
		words = append(words, "disabled")
	}
	if r.Is(status.InMaintenance) {
		words = append(words, "maintenance")
	} else if !r.Is(status.Managed) {
		words = append(words, "unmanaged")
	}
	if len(words) == 0 {
		return ""
	}
	return " (" + strings.Join(words, ", ") + ")"
}

func group(t *Text, r *status.Resource, o Options) bool {
	var words []string
	if !o.Inactive && !r.Active(true) && r.Active(false) {
		n := 0
		for _, k := range r.Children {
			if !k.Active(true) {
				n++
			}
		}
		s := "s"
		if n == 1 {
			s = ""
		}
		words = append(words, strconv.Itoa(n)+" member"+s+" inactive")
	}
	var shown []*status.Resource
	for _, k := range r.Children {
		if o.Inactive || k.Active(false) {
			shown = append(shown, k)
		}
	}
	if len(shown) == 0 {
		return false
	}
	t.Begin("Resource Group: " + r.ID + remarks(r, words...))
	for _, k := range shown {
		Resource(t, k, o)
	}
	t.End()
	return true
}

// cloneList is what is shown of a clone.
type cloneList struct {
	full              []*status.Resource
	promoted, started []*status.Node
	stopped           map[string]string // name → state
}

func clone(t *Text, r *status.Resource, o Options) bool {
	l := cloneList{stopped: map[string]string{}}
	for _, k := range r.Children {
		l.sort(r, k, o)
	}
	var words []string
	if r.Is(status.Promotable) {
		words = append(words, "promotable")
	}
	if r.Is(status.Unique) {
		words = append(words, "unique")
	}
	inside := &Text{depth: t.depth + 1}
	for _, k := range l.full {
		Resource(inside, k, o)
	}
	if !o.Detail {
		l.lists(inside, r, o)
	}
	if inside.b.Len() == 0 && !o.Inactive {
		return false
	}
	t.Begin("Clone Set: " + r.ID + " [" + document.ID(r.ChildXML) + "]" + remarks(r, words...))
	t.b.WriteString(inside.String())
	t.End()
	return true
}

// sort decides how one instance is shown.
func (l *cloneList) sort(r, k *status.Resource, o Options) {
	part := k.Active(false)
	switch {
	case o.Detail, r.Is(status.Unique) && (part || !r.Is(status.Removed)), o.Pending && !r.Is(status.Unique) && k.PendingAction != "" && k.PendingAction != "probe":
		l.full = append(l.full, k)
	case r.Is(status.Unique):
	case !part:
		if !k.Is(status.Removed) && o.Inactive {
			l.stopped[k.ID] = "Stopped"
		}
	case anyPart(k, status.Removed), !allParts(k, status.Managed), anyPart(k, status.Failed), !k.Active(true):
		l.full = append(l.full, k)
	default:
		nodes := k.Nodes(false)
		switch {
		case len(nodes) != 1 || !nodes[0].Online && nodes[0].Unclean:
			l.full = append(l.full, k)
		case k.State(true) > status.RoleUnpromoted:
			l.promoted = append(l.promoted, nodes[0])
		default:
			l.started = append(l.started, nodes[0])
		}
	}
}

func anyPart(r *status.Resource, f status.Flags) bool {
	if r.Is(f) {
		return true
	}
	for _, k := range r.Children {
		if anyPart(k, f) {
			return true
		}
	}
	return false
}

func allParts(r *status.Resource, f status.Flags) bool {
	if !r.Is(f) {
		return false
	}
	for _, k := range r.Children {
		if !allParts(k, f) {
			return false
		}
	}
	return true
}

func names(nodes []*status.Node) string {
	sort.SliceStable(nodes, func(i, j int) bool { return status.CompareNames(nodes[i].Name, nodes[j].Name) < 0 })
	var out []string
	for _, n := range nodes {
		out = append(out, n.Name)
	}
	return "[ " + strings.Join(out, " ") + " ]"
}

func configuredRole(r *status.Resource) status.Role {
	v, has := r.Meta["target-role"]
	if !has && len(r.Children) > 0 {
		v = r.Children[0].Meta["target-role"]
	}
	return status.ParseRole(v)
}

func (l *cloneList) lists(t *Text, r *status.Resource, o Options) {
	if len(l.promoted) > 0 {
		t.Item("Promoted: " + names(l.promoted))
	}
	if len(l.started) > 0 {
		word := "Started: "
		if r.Is(status.Promotable) {
			word = "Unpromoted: "
			if configuredRole(r) == status.RoleUnpromoted {
				word = "Unpromoted (target-role): "
			}
		}
		t.Item(word + names(l.started))
	}
	if !o.Inactive {
		return
	}
	if active := len(l.promoted) + len(l.started); !r.Is(status.Unique) && r.CloneMax > active {
		l.stopped = stoppedOn(r)
	}
	byState := map[string][]string{}
	var states []string
	for name, state := range l.stopped {
		if byState[state] == nil {
			states = append(states, state)
		}
		byState[state] = append(byState[state], name)
	}
	sort.Strings(states)
	for _, state := range states {
		list := byState[state]
		sort.Slice(list, func(i, j int) bool { return status.CompareNames(list[i], list[j]) < 0 })
		t.Item(state + ": [ " + strings.Join(list, " ") + " ]")
	}
}

// stoppedOn tells where a clone has no instance, and why.
func stoppedOn(r *status.Resource) map[string]string {
	out := map[string]string{}
	for _, n := range r.Cluster.Nodes {
		if r.Allowed.On(n) == nil && (r.Allowed.Len() > 0 || !r.Probed.Has(n)) {
			continue
		}
		active := false
		for _, a := range r.ActiveOn {
			active = active || a == n
		}
		if active {
			continue
		}
		out[n.Name] = "Stopped"
		if configuredRole(r) == status.RoleStopped {
			out[n.Name] = "Stopped (disabled)"
		}
		if f := r.Cluster.FailedProbe(r, n.Name); f != nil {
			out[n.Name] = "Stopped (" + f.Exit.String() + ")"
		}
	}
	return out
}

func bundle(t *Text, r *status.Resource, o Options) bool {
	head := "Container bundle"
	if len(r.Bundle.Replicas) > 1 {
		head += " set"
	}
	head += ": " + r.ID + " [" + r.Bundle.Image + "]"
	if r.Is(status.Unique) {
		head += " (unique)"
	}
	if r.Is(status.InMaintenance) {
		head += " (maintenance)"
	} else if !r.Is(status.Managed) {
		head += " (unmanaged)"
	}
	t.Begin(head)
	for _, rep := range r.Bundle.Replicas {
		if !o.Implicit {
			t.Item(replica(rep, o))
			continue
		}
		if len(r.Bundle.Replicas) > 1 {
			t.Item("Replica[" + strconv.Itoa(rep.Offset) + "]")
		}
		for _, k := range rep.Parts() {
			Resource(t, k, o)
		}
	}
	t.End()
	return true
}

// replica is the line of one replica of a bundle.
func replica(rep *status.BundleReplica, o Options) string {
	shown, named := rep.Child, rep.Remote
	if shown == nil {
		shown = rep.Container
	}
	if named == nil {
		named = rep.Container
	}
	name := named.PrintableID()
	if rep.Address != "" {
		name += " (" + rep.Address + ")"
	}
	return Primitive(shown, name, rep.Container.CurrentNode(), o)
}
