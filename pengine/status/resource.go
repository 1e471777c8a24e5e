// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// Variant is the kind of a resource.
type Variant int

// The variants.
const (
	Primitive Variant = iota
	Group
	Clone
	BundleVariant
)

// Flags are a resource's yes-or-no properties.
type Flags uint64

// The flags.
const (
	Managed Flags = 1 << iota
	Blocked
	Removed         // in the history only ("orphan")
	RemovedLaunched // removed, and it ran inside another resource
	Failed
	StopIfFailed
	Unique
	Notify
	Promotable
	FenceDevice
	NeedsQuorum
	NeedsFencing
	NeedsUnfencing
	Critical
	IsConnection // of a remote or guest node
	Migratable
	InMaintenance
	StartPending
	IgnoreFailure
	ExclusiveProbes
	ReplicaContainer // the container of a bundle's replica
)

// MultipleActive is what to do with a resource active more often than allowed.
type MultipleActive int

// The policies.
const (
	MultipleRestart MultipleActive = iota
	MultipleStop
	MultipleBlock
	MultipleUnexpected
)

// A Resource is a primitive, group, clone, bundle, or an instance of one.
type Resource struct {
	ID          string
	Variant     Variant
	XML         *etree.Element // with its template merged in
	Flags       Flags
	Cluster     *Cluster
	Parent      *Resource
	Children    []*Resource
	Meta        map[string]string
	Utilization map[string]string

	Role, NextRole     Role
	NextRoleWhy        string
	Priority           Score
	Stickiness         Score
	MigrationThreshold Score
	FailureTimeoutMS   uint
	ReconnectMS        uint
	MultipleActive     MultipleActive

	ActiveOn  []*Node
	Probed    NodeSet
	Allowed   Places
	HistoryID string

	PendingAction      string
	PendingNode        *Node
	MigrationTarget    *Node // of a migration under way
	MigrationSource    *Node
	DanglingMigrations []*Node
	LockNode           *Node // shutdown lock
	LockTime           time.Time
	Launcher           *Resource   // the resource this one runs inside of
	Launched           []*Resource // what runs inside this one

	// Of a clone: limits and the element that is cloned.
	CloneMax, CloneNodeMax, PromotedMax, PromotedNodeMax int
	ChildXML                                             *etree.Element
	Ordered                                              bool // instances one after the other; or a group's default
	Colocated                                            bool // a group's default
	instances                                            int
	// Bundle is set for a bundle.
	Bundle *Bundle

	ops    *etree.Element
	params map[*Node]map[string]string
	place  int  // among its siblings, or in Cluster.Resources
	filed  bool // in Cluster.named

	stopIntended bool // by the history
}

// Is tells whether all the flags are set.
func (r *Resource) Is(f Flags) bool { return r.Flags&f == f }

// Any tells whether any of the flags is set.
func (r *Resource) Any(f Flags) bool { return r.Flags&f != 0 }

// Set sets flags.
func (r *Resource) Set(f Flags) { r.Flags |= f }

// Clear clears flags.
func (r *Resource) Clear(f Flags) { r.Flags &^= f }

// SetAll sets flags of the resource and all below.
func (r *Resource) SetAll(f Flags) {
	r.Set(f)
	for _, k := range r.Children {
		k.SetAll(f)
	}
}

// Top is the outermost resource that holds this one; inside a bundle it ends
// below the bundle unless withBundle is set.
func (r *Resource) Top(withBundle bool) *Resource {
	for r.Parent != nil && (withBundle || r.Parent.Variant != BundleVariant) {
		r = r.Parent
	}
	return r
}

// XMLID is the id in the configuration, without an instance number.
func (r *Resource) XMLID() string { return document.ID(r.XML) }

// PrintableID is the id that status tools show.
func (r *Resource) PrintableID() string {
	if r.Is(Unique) {
		return r.ID
	}
	return r.XMLID()
}

// Agent names the agent: class, provider and type.
func (r *Resource) Agent() string {
	s := document.Get(r.XML, "class")
	if p := document.Get(r.XML, "provider"); p != "" && hasCap(s, capProvider) {
		s += ":" + p
	}
	return s + ":" + document.Get(r.XML, "type")
}

// IsAnonymousClone tells whether the resource is a clone whose instances cannot
// be told apart.
func (r *Resource) IsAnonymousClone() bool { return r.Variant == Clone && !r.Is(Unique) }

// InBundle tells whether a bundle holds the resource.
func (r *Resource) InBundle() bool {
	return r.Top(true).Variant == BundleVariant && r.Variant != BundleVariant
}

// Disabled tells whether target-role keeps the resource from full activity.
func (r *Resource) Disabled() bool {
	switch ParseRole(r.Meta["target-role"]) {
	case RoleStopped:
		return true
	case RoleUnpromoted:
		return r.Top(false).Is(Promotable)
	}
	return false
}

// TargetRole is the role the configuration limits the resource to; ok is false
// where it does not.
func (r *Resource) TargetRole() (role Role, ok bool) {
	v, has := r.Meta["target-role"]
	if !has || strings.EqualFold(v, "Started") || strings.EqualFold(v, "default") {
		return 0, false
	}
	role = ParseRole(v)
	switch {
	case role == RoleUnknown:
		r.Cluster.errorf("ignoring 'target-role' for %s because '%s' is not valid", r.ID, v)
		return 0, false
	case role <= RoleStarted:
		return role, true
	case !r.Top(false).Is(Promotable):
		r.Cluster.errorf("ignoring 'target-role' for %s because '%s' only makes sense for promotable clones", r.ID, v)
		return 0, false
	case role > RoleUnpromoted:
		return 0, false
	}
	return role, true
}

// SetNextRole sets the role to reach.
func (r *Resource) SetNextRole(role Role, why string) {
	if r.NextRole != role {
		r.NextRole, r.NextRoleWhy = role, why
	}
}

// Active tells whether any (all: each) part of the resource is active.
func (r *Resource) Active(all bool) bool {
	if r.Variant == Primitive {
		for _, n := range r.ActiveOn {
			if n.Unclean || n.Online || !r.Is(Managed) {
				return true
			}
		}
		return false
	}
	if r.Bundle != nil {
		return r.Bundle.active(all)
	}
	any := false
	for _, k := range r.Children {
		if k.Active(all) {
			any = true
		} else if all {
			return false
		}
	}
	return any || all && r.Variant == Clone
}

// State is the highest role of the resource's parts, now or next.
func (r *Resource) State(current bool) Role {
	if r.Bundle != nil {
		return RoleUnknown
	}
	if r.Variant == Primitive {
		if current {
			return r.Role
		}
		return r.NextRole
	}
	role := RoleUnknown
	for _, k := range r.Children {
		role = max(role, k.State(current))
	}
	return role
}

// Nodes lists where the parts of the resource are active; pending adds where an
// operation is under way.
func (r *Resource) Nodes(pending bool) []*Node {
	var out []*Node
	add := func(n *Node) {
		if slices.Contains(out, n) {
			return
		}
		out = append(out, n)
	}
	if len(r.Children) > 0 {
		for _, k := range r.Children {
			for _, n := range k.Nodes(pending) {
				add(n)
			}
		}
		return out
	}
	for _, n := range r.ActiveOn {
		add(n)
	}
	if pending && r.PendingNode != nil {
		add(r.PendingNode)
	}
	return out
}

// ActiveNode picks, of the nodes where the resource is active, the one that
// counts as its current one, and counts all and those that are clean and online.
func (r *Resource) ActiveNode() (node *Node, all, clean int) {
	if r.Bundle != nil {
		return r.Bundle.activeNode(r)
	}
	for _, n := range r.ActiveOn {
		node, all, clean = r.countActive(n, node, all, clean)
	}
	return node, all, clean
}

func (r *Resource) countActive(n, best *Node, all, clean int) (*Node, int, int) {
	happy := n.Online && !n.Unclean
	all++
	if happy {
		clean++
	}
	switch {
	case r.MigrationSource != nil:
		if n == r.MigrationSource {
			best = n
		}
	case !r.Is(NeedsFencing):
		if happy && (best == nil || !best.Online || best.Unclean) {
			best = n
		}
	}
	if best == nil {
		best = n
	}
	return best, all, clean
}

// CurrentNode is the node that counts as the resource's current one.
func (r *Resource) CurrentNode() *Node {
	n, _, _ := r.ActiveNode()
	return n
}

// ActiveRequires is the current node and on how many nodes the resource counts
// as active: all of them where it needs fencing, else the clean ones.
func (r *Resource) ActiveRequires() (*Node, int) {
	n, all, clean := r.ActiveNode()
	if r.Is(NeedsFencing) {
		return n, all
	}
	return n, clean
}

// Ban adds a score to the resource, and to all below it, on a node (nil: all).
func (r *Resource) Ban(n *Node, s Score, why string) {
	if n != nil {
		r.addScore(n, s, why)
		return
	}
	for _, o := range r.Cluster.Nodes {
		r.addScore(o, s, why)
	}
}

const symmetricDefault = "symmetric default"

func (r *Resource) addScore(n *Node, s Score, why string) {
	if why == symmetricDefault && (r.Is(ExclusiveProbes) || n.BaseProbe == ProbeNever) {
		return
	}
	for _, k := range r.Children {
		k.addScore(n, s, why)
	}
	a := r.Allowed.at(n, len(r.Cluster.Nodes))
	a.Score = a.Score.Add(s)
	if s != 0 {
		a.Why = append(a.Why, Reason{s, why})
	}
}

// banEverywhere makes the resource unable to run anywhere.
func (r *Resource) banEverywhere(why string) {
	r.Allowed = Places{}
	for _, n := range r.Cluster.Nodes {
		r.Allowed.put(n, Allowed{Score: -Infinity, Probe: n.BaseProbe, Why: []Reason{{-Infinity, why}}})
	}
}
