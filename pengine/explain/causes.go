// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain

import (
	"strings"

	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/status"
)

// The kinds of cause beyond those of scores, which package sched names.
const (
	KindUnmanaged = "unmanaged"   // the cluster leaves the resource alone
	KindBlocked   = "blocked"     // it needs a clean-up first
	KindStopAll   = "stop-all"    // the option stop-all-resources
	KindNoFencing = "no-fencing"  // fencing is wanted but nothing can fence
	KindRemoved   = "removed"     // it is not in the configuration any more
	KindOffline   = "offline"     // the node is not a member
	KindUnclean   = "unclean"     // the node is to be fenced
	KindStandby   = "standby"     // the node is in standby
	KindMaint     = "maintenance" // the node is in maintenance
	KindShutdown  = "shutdown"    // the node is leaving
	KindPending   = "pending"     // the node has not joined yet
	KindOptIn     = "opt-in"      // symmetric-cluster is false and nothing allows the node
	KindScore     = "score"       // other nodes are better
	KindTie       = "tie"         // all else is equal
	KindAction    = "action"      // what is done to another resource
	KindQuorum    = "quorum"      // the cluster has none
	KindFailure   = "failure"     // an operation failed
	KindChanged   = "changed"     // the definition changed
	KindMultiple  = "multiple"    // it is active more than once
	KindRole      = "role"        // of a promotable clone's instance
	KindReason    = "reason"      // the scheduler's own words
)

// causes finds what decided a fate.
func (x *search) causes(f Fate, node string) {
	t := x.instance(f)
	switch x.goal.aim {
	case aimRun:
		x.whyNot(t, node, 0)
	case aimRunAny:
		x.whyStops(t, f, node)
	case aimLeave:
		if f.Blocked {
			x.whyBlocked(t, 0)
		}
		x.whyHere(t, node)
	case aimKeep:
		x.whyDisturbed(t, f)
	case aimPromote:
		x.whyNotPromoted(t, node)
	case aimUnpromote:
		x.whyPromoted(t, node)
	}
	if len(x.found) == 0 && f.Reason != "" {
		x.add(finding{Cause: Cause{Kind: KindReason, Text: x.subject.name + ": " + f.Reason}})
	}
}

// again tells whether a question came up before, or lies too deep.
func (x *search) again(key string, depth int) bool {
	if depth > maxDepth || x.seen[key] || len(x.found) >= maxFound {
		return true
	}
	x.seen[key] = true
	return false
}

// whyStops is about what stops, or runs nowhere.
func (x *search) whyStops(t *sched.ResourceTrace, f Fate, node string) {
	x.unmanaged(t)
	x.whyBlocked(t, 0)
	if node != "" {
		x.whyNot(t, node, 0)
	}
	for _, n := range x.v.c.Nodes {
		if n.Name != node && (!n.IsGuest() || place(t, n.Name) != nil) {
			x.whyNot(t, n.Name, 0)
		}
	}
	if f.Now != "" {
		x.failures(t.Resource, f.Now)
	}
}

// general finds what keeps a resource down everywhere. It is true where that is
// all there is to say.
func (x *search) general(t *sched.ResourceTrace) bool {
	r, c := t.Resource, x.v.c
	say := func(kind, id, text string, edits ...Edit) {
		x.add(finding{Cause{Kind: kind, ID: id, With: x.other(r), Text: text}, edits})
	}
	switch {
	case r.Is(status.Removed):
		say(KindRemoved, r.ID, r.ID+" is no longer in the configuration", Edit{Kind: SetOption, Name: "stop-removed-resources", Value: "false"})
		return true
	case c.Options.FencingEnabled && !c.HaveFencing:
		say(KindNoFencing, "fencing-enabled", "nothing is started: fencing is enabled, but no fence device is configured",
			Edit{Kind: SetOption, Name: "fencing-enabled", Value: "false"})
		return true
	case c.Options.StopAll:
		say(KindStopAll, "stop-all-resources", "the option stop-all-resources is set", Edit{Kind: SetOption, Name: "stop-all-resources", Value: "false"})
		return true
	}
	x.targetRole(r)
	if !c.Quorate && (c.Options.NoQuorum != status.NoQuorumIgnore) {
		say(KindQuorum, "no-quorum-policy", "the cluster has no quorum and no-quorum-policy is "+c.Options.Get("no-quorum-policy"),
			Edit{Kind: RegainQuorum}, Edit{Kind: SetOption, Name: "no-quorum-policy", Value: "ignore"})
	}
	return false
}

// other is the resource's id where it is not the subject.
func (x *search) other(r *status.Resource) string {
	if x.subject != nil && r != nil {
		for _, t := range x.subject.prims {
			if t.Resource == r {
				return ""
			}
		}
	}
	return r.ID
}

func (x *search) targetRole(r *status.Resource) {
	role, ok := r.TargetRole()
	if !ok || role != status.RoleStopped {
		return
	}
	h := holder(r, "target-role")
	x.add(finding{
		Cause{Kind: string(sched.CauseTargetRole), ID: configID(h), With: x.other(r), Text: "target-role of " + configID(h) + " is " + role.String()},
		[]Edit{{Kind: SetMeta, Resource: configID(h), Name: "target-role", Value: "Started"}, {Kind: SetMeta, Resource: configID(r), Name: "target-role", Value: "Started"}},
	})
}

// unmanaged tells why the cluster leaves a resource alone.
func (x *search) unmanaged(t *sched.ResourceTrace) bool {
	r, c := t.Resource, x.v.c
	if r.Is(status.Managed) {
		return false
	}
	edits := []Edit{}
	id, text := r.ID, r.ID+" is unmanaged"
	switch {
	case r.Is(status.Removed) && !c.Options.StopRemovedResources:
		x.add(finding{
			Cause{Kind: KindRemoved, ID: r.ID, Text: r.ID + " is no longer in the configuration, and stop-removed-resources is false"},
			[]Edit{{Kind: SetOption, Name: "stop-removed-resources", Value: "true"}},
		})
		return true
	case r.Is(status.Blocked):
		x.add(finding{Cause{Kind: KindBlocked, ID: r.ID, Text: r.ID + " is blocked: a failure needs a clean-up first"}, x.cleanUps(r, "")})
		x.failures(r, "")
		x.tickets(r)
		return true
	case c.Options.Maintenance:
		text, id = "the cluster is in maintenance mode", "maintenance-mode"
		edits = append(edits, Edit{Kind: SetOption, Name: "maintenance-mode", Value: "false"})
	}
	for _, n := range r.ActiveOn {
		if n.Maintenance {
			text, id = n.Name+" is in maintenance", n.Name
			edits = append(edits, x.setAttr(n.Name, "maintenance", ""))
		}
	}
	for _, name := range []string{"is-managed", "maintenance"} {
		h, value := holder(r, name), "true"
		if name == "maintenance" {
			value = "false"
		}
		edits = append(edits, Edit{Kind: SetMeta, Resource: configID(h), Name: name, Value: value})
	}
	x.add(finding{Cause{Kind: KindUnmanaged, ID: id, Text: text}, edits})
	x.tickets(r)
	return true
}

// cleanUps are the edits that clear a resource's failures.
func (x *search) cleanUps(r *status.Resource, node string) []Edit {
	id := status.StripInstance(r.ID)
	if r.Is(status.Unique) {
		id = r.ID
	}
	if node != "" {
		return []Edit{{Kind: CleanUp, Resource: id, Node: node}, {Kind: CleanUp, Resource: id}, {Kind: Forget, Resource: id, Node: node}}
	}
	return []Edit{{Kind: CleanUp, Resource: id}}
}

// failures lists the failed operations of a resource on a node, "" for all.
func (x *search) failures(r *status.Resource, node string) bool {
	any := false
	for _, f := range x.v.c.Failed {
		if f.Rsc != r && !x.v.sameThing(f.Rsc, r) || node != "" && f.Node.Name != node {
			continue
		}
		any = true
		x.add(finding{
			Cause{
				Kind: KindFailure, Node: f.Node.Name, ID: f.Key, With: x.other(r),
				Text: f.Node.Name + ": " + f.Task + " of " + f.Rsc.ID + " failed (" + f.Exit.String() + ")",
			}, x.cleanUps(f.Rsc, f.Node.Name),
		})
	}
	return any
}

// tickets lists the tickets that a resource needs and that are not held.
func (x *search) tickets(r *status.Resource) {
	for i := range x.constraints {
		k := &x.constraints[i]
		if k.tag != "rsc_ticket" || !k.mentions(r) {
			continue
		}
		id := k.e.SelectAttrValue("ticket", "")
		if t := x.v.c.Tickets[id]; t != nil && t.Granted && !t.Standby {
			continue
		}
		x.ticket(r, id, "")
	}
}

func (x *search) ticket(r *status.Resource, id, node string) {
	f := finding{
		Cause{Kind: string(sched.CauseTicket), ID: id, With: x.other(r), Score: "-INFINITY", Text: r.ID + " needs ticket " + id + ", which is not granted or is in standby"},
		[]Edit{{Kind: GrantTicket, ID: id}},
	}
	for i := range x.constraints {
		if k := &x.constraints[i]; k.tag == "rsc_ticket" && k.mentions(r) && k.e.SelectAttrValue("ticket", "") == id {
			f.edits = append(f.edits, Edit{Kind: RemoveConstraint, ID: k.id})
		}
	}
	x.add(f)
}

// node tells why a node can run nothing. It is true where it cannot.
func (x *search) node(n *status.Node, depth int) bool {
	if mayRun(n) && !n.Pending {
		return false
	}
	up := []Edit{{Kind: BringUp, Node: n.Name}}
	say := func(kind, text string, edits ...Edit) {
		x.add(finding{Cause{Kind: kind, Node: n.Name, Text: n.Name + ": " + text}, edits})
	}
	if n.Remote && n.Connection != nil && !n.Online {
		say(KindOffline, "its connection "+n.Connection.ID+" is not up", Edit{Kind: CleanUp, Resource: n.Connection.ID})
		x.failures(n.Connection, "")
		if t := x.v.trace(n.Connection); t != nil && !x.again("conn "+n.Name, depth) {
			x.whyDown(t, depth+1)
		}
		return true
	}
	if n.Unclean {
		var edits []Edit
		for _, f := range x.v.c.Failed {
			if f.Node == n {
				edits = append(edits, x.cleanUps(f.Rsc, n.Name)[0])
			}
		}
		say(KindUnclean, "the node is unclean and has to be fenced"+x.fencingReason(n), append(edits, up...)...)
	} else if !n.Online {
		say(KindOffline, "the node is offline", up...)
	}
	if n.Pending {
		say(KindPending, "the node has not joined the cluster yet", up...)
	}
	if n.Standby {
		edits := []Edit{x.setAttr(n.Name, "standby", "")}
		if n.StandbyOnFail {
			for _, f := range x.v.c.Failed {
				if f.Node == n {
					edits = append(edits, x.cleanUps(f.Rsc, n.Name)[0])
				}
			}
		}
		say(KindStandby, "the node is in standby", edits...)
	}
	if n.Maintenance {
		say(KindMaint, "the node is in maintenance", x.setAttr(n.Name, "maintenance", ""))
	}
	if n.Online && n.Shutdown {
		say(KindShutdown, "the node is shutting down", up...)
	}
	return true
}

func (x *search) fencingReason(n *status.Node) string {
	for _, c := range x.v.result.Changes {
		if c.Node == n.Name && strings.HasPrefix(c.Verb, "Fence") && c.Reason != "" {
			return ": " + c.Reason
		}
	}
	return ""
}

// whyDown is about another resource that is needed but does not run, or does not
// stay as it is.
func (x *search) whyDown(t *sched.ResourceTrace, depth int) {
	if t == nil || x.again("down "+t.Resource.ID, depth) {
		return
	}
	r := t.Resource
	if r.Variant != status.Primitive {
		for _, k := range x.v.deciding(r) {
			kt := x.v.trace(k)
			if f := x.v.fate(k, kt.Assigned); f.Next == "" || f.Verb != "" {
				x.whyDown(kt, depth)
				return
			}
		}
		return
	}
	f := x.v.fate(r, t.Assigned)
	x.unmanaged(t)
	x.whyBlocked(t, depth)
	if f.Next == "" {
		for _, n := range x.v.c.Nodes {
			x.whyNot(t, n.Name, depth)
		}
	}
	x.failures(r, "")
	if f.Now != "" && f.Next != f.Now {
		x.whyNot(t, f.Now, depth)
	}
}
