// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package pengine_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/transition/graph"
)

// laws hold before each action of each legal execution of a graph.
var laws = []law{
	{"managed", lawManaged},
	{"node", lawNode},
	{"ban", lawBan},
	{"once", lawOnce},
	{"limit", lawLimit},
	{"role", lawRole},
	{"order", lawOrder},
	{"colocation", lawColocation},
	{"apart", lawApart},
	{"ticket", lawTicket},
	{"quorum", lawQuorum},
	{"capacity", lawCapacity},
}

// strange tells of a remote or guest node of which there is no state yet. It has
// no name to compare in colocations, so that all such nodes look alike, and what
// must be together lands on several of them. Pacemaker has it so; controllers
// write a state before they connect a node.
func (w *walk) strange(node string) bool {
	n := w.c.FindNode(node)
	return n != nil && n.Attrs["#uname"] == ""
}

// begins tells whether an action makes something active on its node.
func begins(a *graph.Action) bool {
	return a.Kind == graph.RscOp && (a.Operation == "start" || a.Operation == "migrate_from")
}

func lawManaged(w *walk, a *graph.Action, r *status.Resource) string {
	if a.Kind != graph.RscOp || r == nil {
		return ""
	}
	switch a.Operation {
	case "start", "stop", "promote", "demote", "migrate_to", "migrate_from":
		if !r.Is(status.Managed) {
			return r.ID + " is not managed"
		}
	}
	return ""
}

// lawNode: nothing begins on a node that cannot run anything, least of all on
// one that still awaits its fencing, or on a guest whose machine is not there.
// Four things are as with Pacemaker: live migrations to a guest do not wait for
// it, what requires nothing does not wait for a remote node, a guest that is on
// standby for a failure gets its resource back, and a remote node whose host is
// lost, with nothing to fence it, counts as connected.
func lawNode(w *walk, a *graph.Action, r *status.Resource) string {
	if !begins(a) && (a.Kind != graph.RscOp || a.Operation != "promote") {
		return ""
	}
	n := w.c.FindNode(a.OnNode)
	switch {
	case n == nil:
		return "no such node: " + a.OnNode
	case n.Unclean && !n.Remote:
		return a.OnNode + " awaits fencing"
	case w.gone[a.OnNode]:
		return a.OnNode + " is gone"
	case !n.Remote && !n.Online:
		return a.OnNode + " is offline"
	case n.Standby && !(n.StandbyOnFail && n.Remote) || n.Maintenance || n.Shutdown && !n.Remote:
		return a.OnNode + " is on standby, in maintenance or about to leave"
	}
	if !n.Remote || a.Operation == "migrate_from" || !r.Any(status.NeedsQuorum|status.NeedsFencing) {
		return ""
	}
	lost := n.Connection != nil && slices.ContainsFunc(n.Connection.ActiveOn, func(h *status.Node) bool { return !h.Online })
	if n.Connection == nil || n.Connection.Is(status.Managed) && !lost && len(w.where(n.Connection)) == 0 {
		return "nothing connects " + a.OnNode
	}
	if n.IsGuest() && len(w.where(n.Connection.Launcher)) == 0 {
		return "what holds " + a.OnNode + " is not active"
	}
	return ""
}

// lawBan: nothing begins where a mandatory ban holds.
func lawBan(w *walk, a *graph.Action, r *status.Resource) string {
	if !begins(a) || r == nil || w.strange(a.OnNode) {
		return ""
	}
	for x := r; x != nil; x = x.Parent {
		// A ban of what is cloned, instead of the clone, is one of its first
		// instance alone. One of a bundle is one of its containers.
		if w.plan.bans[x.ID][a.OnNode] && x.Variant != status.BundleVariant {
			return r.ID + " is banned from " + a.OnNode
		}
	}
	return ""
}

// lawOnce: no primitive, and no instance of a unique clone, begins where it is
// active already, or while it is active on another node.
func lawOnce(w *walk, a *graph.Action, r *status.Resource) string {
	if !begins(a) || r == nil {
		return ""
	}
	me := historyName(r)
	if _, here := w.roles[place{me, a.OnNode}]; here && !w.unsure[place{me, a.OnNode}] && a.Operation == "start" && !w.strange(a.OnNode) {
		return r.ID + " is active on " + a.OnNode + " already"
	}
	if !r.Is(status.Unique) {
		return ""
	}
	for _, n := range w.where(r) {
		if n == a.OnNode || a.Operation == "migrate_from" && n == a.Attr("CRM_meta_migrate_source") {
			continue
		}
		if !r.Is(status.NeedsFencing) && (!w.before.FindNode(n).Online || w.c.FindNode(n).Unclean) {
			continue // it asked not to wait for the fencing
		}
		return fmt.Sprintf("%s begins on %s while active on %s", r.ID, a.OnNode, n)
	}
	return ""
}

// lawLimit: a clone has no more instances, or promoted ones, than it may have.
// Instances that are to stop do not count: stops and starts of different
// instances have no order, here as with Pacemaker.
func lawLimit(w *walk, a *graph.Action, r *status.Resource) string {
	if r == nil || a.Kind != graph.RscOp || r.Top(false).Variant != status.Clone || r.Is(status.Removed) {
		return ""
	}
	top := r.Top(false)
	on := map[string]int{}
	for p := range w.first {
		if on[p.rsc]++; on[p.rsc] > 1 && top.Is(status.Unique) && status.StripInstance(p.rsc) == r.XMLID() {
			return "" // one instance is active twice, which is another matter
		}
	}
	count := func(roles map[place]status.Role, least status.Role) int {
		n := 0
		for p, role := range roles {
			same := p.rsc == historyName(r) || top.Is(status.Unique) && status.StripInstance(p.rsc) == r.XMLID()
			ends := w.plan.leaving[p] || w.c.FindNode(p.node).Unclean
			if same && role >= least && (least == status.RolePromoted || !ends) && (a.Operation != "migrate_from" || p.node != a.Attr("CRM_meta_migrate_source")) {
				n++
			}
		}
		return n
	}
	switch {
	case begins(a) && count(w.roles, status.RoleStarted) >= max(top.CloneMax, count(w.first, status.RoleStarted)):
		return fmt.Sprintf("%s begins although %d instances are active", r.ID, count(w.roles, status.RoleStarted))
	case a.Operation == "promote" && w.roles[place{historyName(r), a.OnNode}] != status.RolePromoted &&
		count(w.roles, status.RolePromoted) >= max(top.PromotedMax, count(w.first, status.RolePromoted)):
		return fmt.Sprintf("%s is promoted although %d instances are", r.ID, count(w.roles, status.RolePromoted))
	}
	return ""
}

// lawRole: only what is active is promoted.
func lawRole(w *walk, a *graph.Action, r *status.Resource) string {
	if r == nil || a.Kind != graph.RscOp || a.Operation != "promote" {
		return ""
	}
	if _, active := w.roles[place{historyName(r), a.OnNode}]; !active {
		return r.ID + " is promoted where it is not active"
	}
	return ""
}

// members are the primitives of a resource.
func (w *walk) members(id string) []*status.Resource {
	r := w.c.FindResource(id, status.MatchExact)
	if r == nil {
		return nil
	}
	var out []*status.Resource
	for _, p := range primitives(w.c) {
		for x := p; x != nil; x = x.Parent {
			if x == r {
				out = append(out, p)
			}
		}
	}
	return out
}

// up tells whether a resource does what an order asks for. Of a clone or bundle
// one instance is enough.
func (w *walk) up(id, task, node string) bool {
	r := w.c.FindResource(id, status.MatchExact)
	least := status.RoleStarted
	if task == "promote" {
		least = status.RolePromoted
	}
	list := w.members(id)
	any := r != nil && (r.Variant == status.Clone || r.Variant == status.BundleVariant)
	for _, p := range list {
		have := status.RoleUnknown
		for _, n := range w.where(p) {
			if node == "" || n == node {
				have = max(have, w.roles[place{historyName(p), n}])
			}
		}
		if any && have >= least {
			return true
		}
		if !any && have < least {
			return false
		}
	}
	return !any && len(list) > 0
}

func (w *walk) below(r *status.Resource, id string) bool {
	for x := r; x != nil; x = x.Parent {
		if x.ID == id {
			return true
		}
	}
	return false
}

// lawOrder: what comes after a mandatory order begins once what comes before is
// there, and what comes before ends once what comes after has ended. Four things
// are as with Pacemaker: it does not wait for live migrations of clones; a bundle
// that cannot start holds nothing up; nor does anything hold up a clone by an
// order that is not symmetrical; and an order is void where what comes first is to
// run inside what comes after.
func lawOrder(w *walk, a *graph.Action, r *status.Resource) string {
	if r == nil || a.Kind != graph.RscOp {
		return ""
	}
	for _, o := range w.plan.orders {
		first := w.c.FindResource(o.a, status.MatchExact)
		if first == nil || o.sameNode && w.strange(a.OnNode) || w.c.FindResource(o.b, status.MatchExact) == nil {
			continue
		}
		if then := w.c.FindResource(o.b, status.MatchExact); o.oneWay && then.Variant == status.Clone {
			continue
		}
		node := ""
		if o.sameNode {
			node = a.OnNode
		}
		begun := a.Operation == o.bTask || o.bTask == "start" && begins(a)
		if begun && w.below(r, o.b) && !w.up(o.a, o.aTask, node) && first.Variant != status.BundleVariant && !w.inside(o.a, o.b) {
			return fmt.Sprintf("%s %ss before %s (%s)", r.ID, o.bTask, o.a, o.id)
		}
		ends := o.aTask == "start" && a.Operation == "stop" || o.aTask == "promote" && a.Operation == "demote"
		if !ends || o.oneWay || !w.below(r, o.a) || first.Variant == status.Clone || first.Variant == status.BundleVariant || o.bTask != "start" {
			continue
		}
		if _, here := w.roles[place{historyName(r), a.OnNode}]; !here {
			continue // it only cleans up
		}
		for _, m := range w.members(o.b) {
			for _, n := range w.where(m) {
				on := w.before.FindNode(n)
				if node != "" && n != node || on.Maintenance || w.plan.migrated[place{historyName(m), n}] && m.Top(false).Variant == status.Clone {
					continue
				}
				if m.Is(status.Managed) && !m.Is(status.Blocked) && on.Online && !on.Unclean && !w.c.FindNode(n).Unclean && !w.unsure[place{historyName(m), n}] {
					return fmt.Sprintf("%s ends before %s (%s)", r.ID, m.ID, o.id)
				}
			}
		}
	}
	return ""
}

// inside tells whether a is to run on a guest node that b holds.
func (w *walk) inside(a, b string) bool {
	for _, m := range w.members(a) {
		for _, node := range append(w.where(m), w.plan.landing[historyName(m)]...) {
			if n := w.c.FindNode(node); n.IsGuest() && (w.below(n.Connection.Launcher, b) || w.below(n.Connection, b)) {
				return true
			}
		}
	}
	return false
}

// value is what a colocation compares of a node.
func (w *walk) value(node, attr string) string {
	if attr == "" || attr == "#uname" {
		return node
	}
	if n := w.c.FindNode(node); n != nil {
		return n.Attrs[attr]
	}
	return ""
}

func (w *walk) holdsBundle(id string) bool {
	r := w.c.FindResource(id, status.MatchExact)
	return r == nil || r.Variant == status.BundleVariant || r.InBundle()
}

// lawColocation: what must run with another begins only where that one is, or
// is to be.
func lawColocation(w *walk, a *graph.Action, r *status.Resource) string {
	if r == nil || a.Kind != graph.RscOp {
		return ""
	}
	for _, c := range w.plan.together {
		switch {
		case w.holdsBundle(c.a) || w.holdsBundle(c.b) || !w.below(r, c.a) || w.strange(a.OnNode):
			continue
		case c.attr != "" && (c.aRole != "" || c.bRole != ""):
			continue // goes by scores alone
		case c.aRole == "Promoted" && a.Operation != "promote", c.aRole == "" && !begins(a):
			continue
		}
		at := w.value(a.OnNode, c.attr)
		ok := false
		for _, m := range w.members(c.b) {
			list := append(w.where(m), w.plan.landing[historyName(m)]...)
			if c.bRole == "Promoted" {
				list = slices.DeleteFunc(list, func(n string) bool {
					return w.roles[place{historyName(m), n}] != status.RolePromoted && !slices.Contains(w.plan.promoting[historyName(m)], n)
				})
			}
			for _, n := range list {
				ok = ok || w.value(n, c.attr) == at
			}
		}
		if !ok {
			return fmt.Sprintf("%s begins on %s without %s (%s)", r.ID, a.OnNode, c.b, c.id)
		}
	}
	return ""
}

// lawApart: what must not run together never does. Live migrations have no such
// order, and clones of groups do not see each other's instances, here as with
// Pacemaker.
func lawApart(w *walk, a *graph.Action, r *status.Resource) string {
	if r == nil || a.Kind != graph.RscOp || a.Operation != "start" {
		return ""
	}
	for _, c := range w.plan.apart {
		other := ""
		switch {
		case c.aRole != "" || c.bRole != "" || c.attr != "" || w.holdsBundle(c.a) || w.holdsBundle(c.b):
			continue
		case w.below(r, c.a):
			other = c.b
		case w.below(r, c.b):
			other = c.a
		default:
			continue
		}
		if o := w.c.FindResource(other, status.MatchExact); o.Variant == status.Clone && r.Top(false).Variant == status.Clone {
			continue
		}
		for _, m := range w.members(other) {
			places := append(w.where(m), w.plan.landing[historyName(m)]...)
			if slices.Contains(w.where(m), a.OnNode) && m.Is(status.Managed) && !slices.ContainsFunc(places, w.strange) {
				return fmt.Sprintf("%s begins on %s, where %s is (%s)", r.ID, a.OnNode, m.ID, c.id)
			}
		}
	}
	return ""
}

// lawTicket: nothing begins without the tickets it needs.
func lawTicket(w *walk, a *graph.Action, r *status.Resource) string {
	if r == nil || !begins(a) {
		return ""
	}
	for x := r; x != nil; x = x.Parent {
		for _, id := range w.plan.tickets[x.ID] {
			if t := w.before.Tickets[id]; t == nil || !t.Granted {
				return r.ID + " begins without its ticket " + id
			}
		}
	}
	return ""
}

// lawQuorum: nothing that needs quorum begins without.
func lawQuorum(w *walk, a *graph.Action, r *status.Resource) string {
	if r == nil || !begins(a) || w.c.Quorate || w.c.Options.NoQuorum != status.NoQuorumStop {
		return ""
	}
	if r.Any(status.NeedsQuorum | status.NeedsFencing | status.NeedsUnfencing) {
		return r.ID + " begins without quorum"
	}
	return ""
}

// lawCapacity: nothing begins on a node that it would overload. What the cluster
// does not manage takes room only from what is placed after it, here as with
// Pacemaker, so it does not count.
func lawCapacity(w *walk, a *graph.Action, r *status.Resource) string {
	if r == nil || !begins(a) || w.c.Options.Placement == "default" {
		return ""
	}
	n := w.c.FindNode(a.OnNode)
	room, err := strconv.Atoi(n.Utilization["cpu"])
	if err != nil || len(r.Utilization) == 0 {
		return ""
	}
	load := func(roles map[place]status.Role) int {
		sum := 0
		for p := range roles {
			if p.node == a.OnNode && w.byHist[p.rsc][0].Is(status.Managed) {
				v, _ := strconv.Atoi(w.byHist[p.rsc][0].Utilization["cpu"])
				sum += v
			}
		}
		return sum
	}
	own, _ := strconv.Atoi(r.Utilization["cpu"])
	if sum := load(w.roles) + own; sum > room && load(w.first) <= room {
		return fmt.Sprintf("%s overloads %s: %d of %d (%s)", r.ID, a.OnNode, sum, room, strings.Join(w.where(r), " "))
	}
	return ""
}

// atRest checks what has to hold once a graph was carried out in full.
func (w *walk) atRest() string {
	if w.aborted || len(w.waiting()) > 0 || slices.ContainsFunc(primitives(w.c), func(r *status.Resource) bool { return r.Is(status.Blocked) || !managed(r) }) {
		return "" // what is blocked or not managed holds up others
	}
	for _, r := range primitives(w.c) {
		free := managed(r) && !r.Is(status.Removed)
		for x := r; x != nil; x = x.Parent {
			for node := range w.plan.bans[x.ID] {
				if _, here := w.roles[place{historyName(r), node}]; here && free && w.orderly(node) && x.Variant != status.BundleVariant {
					return fmt.Sprintf("ban at rest: %s is active on %s", r.ID, node)
				}
			}
		}
		if on := slices.DeleteFunc(w.where(r), func(n string) bool { return !w.orderly(n) }); len(on) > 1 && free && r.Is(status.Unique) {
			return fmt.Sprintf("once at rest: %s is active on %s", r.ID, strings.Join(on, " "))
		}
	}
	for _, c := range w.plan.together {
		if c.aRole != "" || c.bRole != "" || w.holdsBundle(c.a) || w.holdsBundle(c.b) {
			continue
		}
		for _, a := range w.members(c.a) {
			for _, n := range w.where(a) {
				ok := !managed(a) || a.Is(status.Removed) || !w.orderly(n)
				for _, b := range w.members(c.b) {
					ok = ok || !managed(b) || slices.ContainsFunc(w.where(b), func(o string) bool { return w.value(o, c.attr) == w.value(n, c.attr) || w.strange(o) })
				}
				if !ok {
					return fmt.Sprintf("colocation at rest: %s is on %s without %s (%s)", a.ID, n, c.b, c.id)
				}
			}
		}
	}
	return ""
}

// managed tells whether the cluster manages a resource and all that it is part of.
func managed(r *status.Resource) bool {
	for ; r != nil; r = r.Parent {
		if !r.Is(status.Managed) {
			return false
		}
	}
	return true
}

// orderly tells of a node on which the cluster can do what it wants.
func (w *walk) orderly(node string) bool {
	n := w.c.FindNode(node)
	if n == nil || !n.Online || n.Unclean || n.Maintenance || n.Pending || w.strange(node) {
		return false
	}
	return n.Connection == nil || n.Connection.Is(status.Managed) && !slices.ContainsFunc(n.Connection.ActiveOn, func(h *status.Node) bool { return !w.orderly(h.Name) })
}
