// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package statusview

import (
	"fmt"
	"slices"
	"sort"
	"strings"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/status"
)

// displayRole is the role that is shown: an instance of a promotable clone that
// runs is unpromoted.
func displayRole(r *status.Resource) status.Role {
	if r.Role == status.RoleStarted && r.Top(false).Is(status.Promotable) {
		return status.RoleUnpromoted
	}
	return r.Role
}

// displayState is the role, or what is being done to the resource.
func displayState(r *status.Resource) string {
	switch r.PendingAction {
	case "start":
		return "Starting"
	case "stop":
		return "Stopping"
	case "migrate_to", "migrate_from":
		return "Migrating"
	case "promote":
		return "Promoting"
	case "demote":
		return "Demoting"
	}
	return displayRole(r).String()
}

// pendingTask is an operation under way that is shown as a flag.
func pendingTask(r *status.Resource) string {
	if r.PendingAction == "monitor" {
		return "Monitoring"
	}
	return ""
}

// agentText names the agent as lists do: ocf:heartbeat:IPaddr2.
func agentText(r *status.Resource) string { return r.Agent() }

// place tells primitiveText whether to name the node.
type place bool

const (
	placeNode place = true
	placeNone place = false
)

// primitiveText is the line of one primitive.
func (v *View) primitiveText(r *status.Resource, where place) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\t(%s):\t", r.PrintableID(), agentText(r))
	if r.Is(status.Removed) {
		b.WriteString(" ORPHANED")
	}
	role := displayRole(r)
	if r.Is(status.Failed) {
		b.WriteString(" FAILED")
		if role > status.RoleUnpromoted {
			b.WriteString(" " + role.String())
		}
	} else {
		b.WriteString(" " + displayState(r))
	}
	node := r.CurrentNode()
	if node == nil {
		node = r.PendingNode
	}
	several := len(r.ActiveOn) > 1
	if several || where == placeNone {
		node = nil
	}
	if node != nil {
		b.WriteString(" " + v.hostName(node))
	}
	if role == status.RoleStopped {
		if f := v.Cluster.FailedProbe(r, nameOf(node)); f != nil {
			b.WriteString(" (" + exitText(f.Exit) + ") ")
		}
	}
	if flags := resourceFlags(r, node); len(flags) > 0 {
		b.WriteString(" (" + strings.Join(flags, ", ") + ")")
	}
	if desc := document.Get(r.XML, "description"); desc != "" && where == placeNone {
		b.WriteString(" " + desc)
	}
	if several && where == placeNode {
		names := make([]string, 0, len(r.ActiveOn))
		for _, n := range r.ActiveOn {
			names = append(names, v.hostName(n))
		}
		b.WriteString(" [ " + strings.Join(names, " ") + " ]")
	}
	return b.String()
}

func nameOf(n *status.Node) string {
	if n == nil {
		return ""
	}
	return n.Name
}

// resourceFlags are the remarks in parentheses.
func resourceFlags(r *status.Resource, node *status.Node) []string {
	var flags []string
	add := func(on bool, word string) {
		if on {
			flags = append(flags, word)
		}
	}
	add(node != nil && !node.Online && node.Unclean, "UNCLEAN")
	add(node != nil && node == r.LockNode, "LOCKED")
	if task := pendingTask(r); task != "" {
		flags = append(flags, task)
	}
	switch target := status.ParseRole(r.Meta["target-role"]); {
	case target == status.RoleStopped:
		flags = append(flags, "disabled")
	case target == status.RoleUnpromoted && r.Top(false).Is(status.Promotable):
		flags = append(flags, "target-role:Unpromoted")
	}
	switch {
	case r.Is(status.Blocked):
		flags = append(flags, "blocked")
	case !r.Is(status.Managed):
		flags = append(flags, "unmanaged")
	}
	add(r.Is(status.IgnoreFailure), "failure ignored")
	return flags
}

// resource writes a resource with what is below it.
func (v *View) resource(s sink, r *status.Resource) {
	switch r.Variant {
	case status.Group:
		v.group(s, r)
	case status.Clone:
		v.clone(s, r)
	case status.BundleVariant:
		v.bundle(s, r)
	default:
		s.item(v.primitiveText(r, v.place()))
	}
}

func (v *View) place() place { return place(!v.Options.RscOnly) }

// PrimitiveText is the line of one primitive, without the node where nodes are
// not to be shown.
func (v *View) PrimitiveText(r *status.Resource) string { return v.primitiveText(r, v.place()) }

// headFlags are the remarks behind the name of a group or clone.
func headFlags(r *status.Resource, first ...string) string {
	flags := first
	if r.Disabled() {
		flags = append(flags, "disabled")
	}
	if !r.Is(status.Managed) {
		flags = append(flags, "unmanaged")
	}
	if len(flags) == 0 {
		return ""
	}
	return " (" + strings.Join(flags, ", ") + ")"
}

func (v *View) group(s sink, r *status.Resource) {
	var members []*status.Resource
	inactive := 0
	whole := v.showsResource(r)
	for _, k := range r.Children {
		switch {
		case !whole && !v.showsResource(k):
		case !v.Options.Inactive && !k.Active(false):
			inactive++
		default:
			members = append(members, k)
		}
	}
	var first []string
	if inactive > 0 {
		first = append(first, plural(inactive, "member")+" inactive")
	}
	s.open("Resource Group: " + r.ID + headFlags(r, first...))
	if v.Options.Brief {
		for _, line := range brief(members, true, true) {
			s.item(line)
		}
	} else {
		for _, k := range members {
			s.item(v.primitiveText(k, v.place()))
		}
	}
	s.close()
}

func (v *View) clone(s sink, r *status.Resource) {
	var first []string
	if r.Is(status.Promotable) {
		first = append(first, "promotable")
	}
	if r.Is(status.Unique) {
		first = append(first, "unique")
	}
	child := ""
	if r.ChildXML != nil {
		child = document.ID(r.ChildXML)
	}
	s.open(fmt.Sprintf("Clone Set: %s [%s]%s", r.ID, child, headFlags(r, first...)))
	sum := v.sortInstances(r)
	for _, k := range sum.full {
		v.resource(s, k)
	}
	list := func(label string, nodes []*status.Node) {
		if names := v.shownNames(nodes); len(names) > 0 {
			s.item(fmt.Sprintf("%s: [ %s ]", label, strings.Join(names, " ")))
		}
	}
	list("Promoted", sum.promoted)
	list(startedLabel(r), sum.started)
	if v.Options.Inactive && !r.Is(status.Unique) && sum.active < r.CloneMax {
		v.stoppedInstances(s, r)
	}
	s.close()
}

func startedLabel(r *status.Resource) string {
	switch {
	case !r.Is(status.Promotable):
		return "Started"
	case status.ParseRole(r.Meta["target-role"]) == status.RoleUnpromoted:
		return "Unpromoted (target-role)"
	}
	return "Unpromoted"
}

// instances are the instances of a clone by how they are shown.
type instances struct {
	full              []*status.Resource
	promoted, started []*status.Node
	active            int
}

func (v *View) sortInstances(r *status.Resource) instances {
	var out instances
	for _, k := range r.Children {
		some := k.Active(false)
		if some {
			out.active++
			if !v.runsOnShown(k) {
				continue
			}
		}
		switch {
		case v.Options.Detail && (some || v.Options.Inactive), v.shownAlone(r, k, some):
			out.full = append(out.full, k)
		case some:
			if k.State(true) > status.RoleUnpromoted {
				out.promoted = append(out.promoted, k.Nodes(false)[0])
			} else {
				out.started = append(out.started, k.Nodes(false)[0])
			}
		}
	}
	return out
}

// shownAlone tells whether there is more to say of an instance than where it
// runs.
func (v *View) shownAlone(clone, k *status.Resource, some bool) bool {
	if clone.Is(status.Unique) {
		return some && (v.Options.Inactive || some) || !k.Is(status.Removed) && v.Options.Inactive
	}
	if k.Variant == status.Primitive && k.PendingAction != "" && k.PendingAction != "monitor" {
		return true
	}
	if !some {
		return false
	}
	if recursive(k, status.Removed, true) || !recursive(k, status.Managed, false) || recursive(k, status.Failed, true) {
		return true
	}
	nodes := k.Nodes(false)
	return !k.Active(true) || len(nodes) != 1 || !nodes[0].Online && nodes[0].Unclean
}

// recursive tells whether the flag is set on the resource and all below, or on
// any of them.
func recursive(r *status.Resource, f status.Flags, anyOf bool) bool {
	if r.Is(f) == anyOf {
		return anyOf
	}
	for _, k := range r.Children {
		if recursive(k, f, anyOf) == anyOf {
			return anyOf
		}
	}
	return !anyOf
}

// shownNames sorts nodes that are shown by name.
func (v *View) shownNames(nodes []*status.Node) []string {
	shown := slices.DeleteFunc(slices.Clone(nodes), func(n *status.Node) bool { return !v.showsNode(n) })
	slices.SortStableFunc(shown, func(a, b *status.Node) int { return status.CompareNames(a.Name, b.Name) })
	names := make([]string, 0, len(shown))
	for _, n := range shown {
		names = append(names, v.nodeName(n))
	}
	return names
}

// stoppedInstances lists the nodes where an anonymous clone could run and does
// not, by the reason.
func (v *View) stoppedInstances(s sink, r *status.Resource) {
	running := r.Nodes(false)
	byState := map[string][]*status.Node{}
	for _, n := range v.Cluster.Nodes {
		if slices.Contains(running, n) || r.Allowed.Len() > 0 && r.Allowed.On(n) == nil {
			continue
		}
		state := "Stopped"
		if status.ParseRole(r.Meta["target-role"]) == status.RoleStopped {
			state = "Stopped (disabled)"
		} else if len(r.Children) > 0 {
			if f := v.Cluster.FailedProbe(r.Children[0], n.Name); f != nil {
				state = "Stopped (" + exitText(f.Exit) + ")"
			}
		}
		byState[state] = append(byState[state], n)
	}
	states := make([]string, 0, len(byState))
	for state := range byState {
		states = append(states, state)
	}
	sort.Strings(states)
	for _, state := range states {
		if names := v.shownNames(byState[state]); len(names) > 0 {
			s.item(fmt.Sprintf("%s: [ %s ]", state, strings.Join(names, " ")))
		}
	}
}

func (v *View) bundle(s sink, r *status.Resource) {
	s.open("Container bundle: " + r.ID + headFlags(r))
	for _, rep := range r.Bundle.Replicas {
		for _, part := range []*status.Resource{rep.IP, rep.Child, rep.Container, rep.Remote} {
			if part != nil {
				v.resource(s, part)
			}
		}
	}
	s.close()
}

// resourceList writes the section of resources.
func (v *View) resourceList(s sink) {
	o := v.Options
	if o.ByNode && !o.Inactive {
		return
	}
	header := "Active Resources"
	none := "No active resources"
	switch {
	case o.ByNode:
		header, none = "Inactive Resources", "No inactive resources"
	case o.Inactive:
		header, none = "Full List of Resources", "No resources"
	}
	s.open(header)
	written := 0
	if o.Brief && !o.ByNode {
		for _, line := range brief(v.topPrimitives(), o.Inactive, true) {
			s.item(line)
			written++
		}
	}
	for _, r := range v.Cluster.Resources {
		if v.listed(r) {
			v.resource(s, r)
			written++
		}
	}
	if written == 0 {
		s.item(none)
	}
	s.close()
}

func (v *View) topPrimitives() []*status.Resource {
	return slices.DeleteFunc(slices.Clone(v.Cluster.Resources), func(r *status.Resource) bool {
		return r.Variant != status.Primitive || !v.showsResource(r) || r.Is(status.Removed) && !r.Active(true)
	})
}

// listed tells whether a top resource is shown in the section of resources.
func (v *View) listed(r *status.Resource) bool {
	o := v.Options
	some, all := r.Active(false), r.Active(true)
	switch {
	case !v.showsPart(r), r.Is(status.Removed) && !all:
		return false
	case o.ByNode:
		return !all
	case o.Brief && r.Variant == status.Primitive:
		return false
	case !some:
		return o.Inactive
	}
	return v.runsOnShown(r)
}

// ResourceText writes one resource with what is below it, as the lists do.
func (v *View) ResourceText(r *status.Resource) string {
	var b strings.Builder
	v.resource(&textSink{w: &b, depth: 1}, r)
	return b.String()
}
