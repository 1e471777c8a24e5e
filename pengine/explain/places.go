// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/status"
)

// whyNot finds what keeps a primitive off a node.
func (x *search) whyNot(t *sched.ResourceTrace, node string, depth int) {
	if t == nil || x.again("not "+t.Resource.ID+" "+node, depth) {
		return
	}
	r := t.Resource
	n := x.v.node(node)
	if x.general(t) || n == nil {
		return
	}
	if t.Assigned != node || !r.Is(status.Managed) {
		x.unmanaged(t)
	}
	x.node(n, depth)
	if f := x.v.fate(r, t.Assigned); f.Blocked || f.Verb == "Stop" && t.Assigned != "" {
		x.whyBlocked(t, depth)
	}
	x.unplaced(t, depth)
	if x.inside(t, n, depth) {
		return
	}
	p := place(t, node)
	switch {
	case p == nil:
		x.optIn(r, node)
	case t.Assigned == node:
		x.whyBlocked(t, depth)
	default:
		x.bans(t, p, depth)
		if p.Score >= 0 && p.Available {
			x.worse(t, p, depth)
		}
	}
	for h := r.Parent; h != nil; h = h.Parent { // of clones and groups
		ht := x.v.trace(h)
		if hp := place(ht, node); hp != nil && hp.Score < 0 {
			x.bans(ht, hp, depth)
		} else if ht != nil && hp == nil && h.Variant != status.BundleVariant {
			x.optIn(h, node)
		}
	}
	x.limits(t, depth)
}

// unplaced is about what had to give its place up again.
func (x *search) unplaced(t *sched.ResourceTrace, depth int) {
	u := t.Unplaced
	if u == nil || x.again("unplaced "+t.Resource.ID, depth) {
		return
	}
	other := x.v.byID[u.With]
	if other == nil {
		return
	}
	tag, text := "rsc_colocation", t.Resource.ID+" has to run with "+u.With+", which has no instance for it"
	if u.Kind == sched.CauseOrder {
		tag, text = "rsc_order", t.Resource.ID+" has to start after "+u.With+", which has no instance for it"
	}
	f := finding{Cause: Cause{Kind: string(u.Kind), With: u.With, Text: text}}
	for _, id := range x.between(tag, t.Resource, other.Resource) {
		if f.ID == "" {
			f.ID = id
			f.Text += " (constraint " + id + ")"
		}
		f.edits = append(f.edits, Edit{Kind: RemoveConstraint, ID: id})
	}
	x.add(f)
	x.whyDown(other, depth+1)
}

// inside is about what runs in a container: its place is the container's.
func (x *search) inside(t *sched.ResourceTrace, n *status.Node, depth int) bool {
	r := t.Resource
	if !r.InBundle() || r.Is(status.ReplicaContainer) {
		return false
	}
	b := r.Top(true)
	if n.IsGuest() && n.Connection.Top(true) == b {
		if l := x.v.trace(n.Connection.Launcher); l != nil {
			if f := x.v.fate(l.Resource, l.Assigned); f.Next == "" || f.Verb != "" {
				x.add(finding{Cause: Cause{Kind: string(sched.CauseContainer), Node: n.Name, With: l.Resource.ID, Text: n.Name + ": its container " + l.Resource.ID + " " + word(f)}})
				x.whyDown(l, depth+1)
			}
		}
		return false
	}
	for _, k := range x.v.deciding(b) {
		kt := x.v.trace(k)
		if !n.IsGuest() && kt.Assigned != n.Name {
			x.add(finding{Cause: Cause{Kind: string(sched.CauseContainer), Node: n.Name, With: k.ID, Text: n.Name + ": " + r.ID + " runs where the containers of " + b.ID + " do"}})
			x.whyNot(kt, n.Name, depth+1)
			return true
		}
	}
	return false
}

// word says what becomes of another resource.
func word(f Fate) string {
	switch {
	case f.Verb == "Stop":
		return "stops on " + f.Now
	case f.Verb == "Start" && f.Blocked:
		return "cannot start"
	case f.Verb != "":
		return "is to " + strings.ToLower(f.Verb)
	case f.Next == "":
		return "runs nowhere"
	}
	return "runs on " + f.Next
}

// optIn is about a node that nothing allows.
func (x *search) optIn(r *status.Resource, node string) {
	if x.v.c.Options.SymmetricCluster && !r.Is(status.ExclusiveProbes) {
		return
	}
	x.add(finding{
		Cause{Kind: KindOptIn, Node: node, ID: "symmetric-cluster", With: x.other(r), Text: node + ": nothing allows " + r.ID + " there (symmetric-cluster is false or its discovery is exclusive)"},
		[]Edit{{Kind: Allow, Resource: topID(r), Node: node}, {Kind: SetOption, Name: "symmetric-cluster", Value: "true"}},
	})
}

// bans lists the contributions that make a score negative.
func (x *search) bans(t *sched.ResourceTrace, p *sched.PlaceTrace, depth int) {
	if p.Score >= 0 || x.again("bans "+t.Resource.ID+" "+p.Node, depth) {
		return
	}
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Score >= 0 {
			continue
		}
		switch s.Kind {
		case sched.CauseElsewhere, sched.CauseDependent, sched.CauseColocation, sched.CauseInstances:
			if !p.Available { // nothing is there: that follows from the node's state
				continue
			}
		}
		x.step(t, p, s, depth)
	}
}

// worse compares a place with the one that was chosen.
func (x *search) worse(t *sched.ResourceTrace, p *sched.PlaceTrace, depth int) {
	best := place(t, t.Assigned)
	if best == nil || best == p || x.again("worse "+t.Resource.ID+" "+p.Node, depth) {
		return
	}
	id := t.Resource.ID
	if p.Score == best.Score {
		x.add(finding{Cause: Cause{
			Kind: KindTie, Node: p.Node, With: x.other(t.Resource), Score: p.Score.String(),
			Text: p.Node + ": as good for " + id + " as " + best.Node + " (score " + p.Score.String() + "); fewer resources there, then the name decide",
		}})
	} else {
		x.add(finding{Cause: Cause{
			Kind: KindScore, Node: p.Node, With: x.other(t.Resource), Score: p.Score.String(),
			Text: best.Node + " is better for " + id + ": score " + best.Score.String() + " against " + p.Score.String() + " on " + p.Node,
		}})
	}
	for i := range best.Steps {
		if s := &best.Steps[i]; s.Score > 0 {
			x.step(t, best, s, depth)
		}
	}
	for i := range p.Steps {
		if s := &p.Steps[i]; s.Score < 0 {
			x.step(t, p, s, depth)
		}
	}
	x.raise(t, p, best)
	x.utilized(t.Resource, p.Node)
}

// raise offers higher scores for locations that speak for a place.
func (x *search) raise(t *sched.ResourceTrace, p, best *sched.PlaceTrace) {
	need := best.Score - p.Score + 1
	for i := range p.Steps {
		s := &p.Steps[i]
		k := x.owner(s.ID)
		if s.Kind != sched.CauseLocation || k == nil || s.Score >= status.Infinity || s.Score <= -status.Infinity {
			continue
		}
		tag := document.ByID(k.e, "", s.ID).Tag
		e := Edit{Kind: SetScore, ID: s.ID, Name: tag, Value: (s.Score + need).String()}
		x.add(finding{
			Cause{Kind: string(s.Kind), Node: p.Node, ID: s.ID, With: x.other(t.Resource), Score: s.Score.String(), Text: p.Node + ": preferred by " + k.id + " with only " + s.Score.String()},
			[]Edit{e, {Kind: SetScore, ID: s.ID, Name: tag, Value: "INFINITY"}},
		})
	}
}

// step tells of one contribution to a score, with what would undo it.
func (x *search) step(t *sched.ResourceTrace, p *sched.PlaceTrace, s *sched.Contribution, depth int) {
	r := t.Resource
	f := finding{Cause: Cause{Kind: string(s.Kind), Node: p.Node, ID: s.ID, With: s.With, Score: s.Score.String()}}
	verb, who := attitude(s.Score), ""
	if o := x.other(r); o != "" {
		who = o + " is "
	}
	score := " (score " + s.Score.String() + ")"
	partner := x.v.byID[s.With]
	switch s.Kind {
	case sched.CauseLocation:
		k := x.owner(s.ID)
		if k == nil {
			break
		}
		f.Text = who + verb + " by constraint " + k.id + score
		f.ID = k.id
		f.edits = append(f.edits, Edit{Kind: RemoveConstraint, ID: k.id})
		if n := x.v.node(p.Node); n != nil && document.Child(k.e, "rule") != nil {
			f.Text = who + verb + " by a rule of constraint " + k.id + score
			f.edits = append(x.ruleEdits(k, n), f.edits...)
		}
	case sched.CauseHealth:
		f.Text = who + verb + " for its health" + score
		f.edits = x.healthEdits(p.Node)
	case sched.CauseStickiness:
		f.Text = x.nameOf(r) + " runs there already (stickiness " + s.Score.String() + ")"
		for _, h := range []*status.Resource{holder(r, "resource-stickiness"), r, r.Top(true)} {
			f.edits = append(f.edits, Edit{Kind: SetMeta, Resource: configID(h), Name: "resource-stickiness", Value: "0"})
		}
	case sched.CauseFailCount:
		f = x.failCount(f, r, p.Node)
	case sched.CauseLock:
		f.Text = who + "locked to " + s.ID + " while that node restarts"
		f.edits = []Edit{{Kind: SetOption, Name: "shutdown-lock", Value: "false"}, {Kind: BringUp, Node: s.ID}, {Kind: Forget, Resource: status.StripInstance(r.ID), Node: s.ID}}
	case sched.CauseTicket:
		x.ticket(r, s.ID, p.Node)
		return
	case sched.CauseTargetRole:
		x.targetRole(r)
		if s.ID == "" || s.ID == "target-role" {
			return
		}
		f.Text = r.ID + " is to be stopped: " + s.ID
		x.failures(r, "")
	case sched.CauseCapacity:
		f.Text = "not enough of what " + x.nameOf(r) + " needs is left"
		f.edits = x.capacityEdits(r, p.Node)
	case sched.CauseInstances:
		x.perNode(t, p.Node)
		x.limits(t, depth)
		return
	case sched.CauseRemote:
		f.Text = x.nameOf(r) + " can run on cluster nodes only"
	case sched.CauseDiscovery:
		f.Text = who + "allowed only where a constraint with resource-discovery=exclusive names the node"
		f.edits = []Edit{{Kind: Allow, Resource: topID(r), Node: p.Node, Value: "exclusive"}}
		if id := x.exclusive(r); id != "" {
			f.edits = append(f.edits, Edit{Kind: RemoveConstraint, ID: id})
		}
	case sched.CauseContainer:
		f.Text = x.nameOf(r) + " runs with its container " + s.With
	case sched.CauseHistory:
		f = x.history(f, r, p.Node)
	case sched.CauseNode:
		return
	case sched.CausePromotion:
		f.Text = "the promotion score of " + r.ID + " is " + s.Score.String()
		f.edits = x.promotionEdits(r, p.Node, "0")
	default:
		x.partner(f, t, p, s, partner, depth)
		return
	}
	if f.Text != "" {
		f.Text = p.Node + ": " + f.Text
		x.add(f)
	}
}

// attitude words a score.
func attitude(s status.Score) string {
	switch {
	case s <= -status.Infinity:
		return "banned"
	case s < 0:
		return "disliked"
	}
	return "preferred"
}

// nameOf is the resource's name within a sentence.
func (x *search) nameOf(r *status.Resource) string {
	if x.other(r) == "" {
		return "it"
	}
	return r.ID
}

// partner tells of a contribution that comes from a colocation.
func (x *search) partner(f finding, t *sched.ResourceTrace, p *sched.PlaceTrace, s *sched.Contribution, partner *sched.ResourceTrace, depth int) {
	r := t.Resource
	name := r.ID
	if s.Kind == sched.CauseDependent {
		f.Text = p.Node + ": " + s.With + ", which is to run with " + name + ", counts with " + s.Score.String()
	} else if s.Kind == sched.CauseElsewhere {
		f.Text = p.Node + ": " + name + " has to run with " + s.With + ", which is not there"
	} else {
		f.Text = p.Node + ": colocation of " + name + " with " + s.With + " (score " + s.Score.String() + ")"
	}
	if k := x.owner(s.ID); k != nil {
		f.ID = k.id
		f.Text += " (constraint " + k.id + ")"
		f.edits = append(f.edits, Edit{Kind: RemoveConstraint, ID: k.id})
	}
	if partner != nil {
		kind := Prefer
		if s.Score < 0 && s.Kind == sched.CauseColocation {
			kind = Ban
		}
		if mayRun(x.v.node(p.Node)) {
			f.edits = append(f.edits, Edit{Kind: kind, Resource: topID(partner.Resource), Node: p.Node})
		}
	}
	x.add(f)
	if partner == nil {
		return
	}
	list := x.v.deciding(partner.Resource)
	if len(list) == 0 {
		return
	}
	pt := x.v.trace(list[0])
	switch {
	case s.Kind == sched.CauseElsewhere:
		if fate := x.v.fate(pt.Resource, pt.Assigned); fate.Next == "" {
			x.whyDown(pt, depth+1)
		}
		x.whyNot(pt, p.Node, depth+1)
	case s.Kind == sched.CauseDependent && s.Score < 0:
		if q := place(pt, p.Node); q != nil {
			x.bans(pt, q, depth+1)
		}
		x.whyNot(pt, p.Node, depth+1)
	case s.Kind == sched.CauseDependent:
		if q := place(pt, p.Node); q != nil && !x.again("for "+pt.Resource.ID+p.Node, depth+1) {
			for i := range q.Steps {
				if q.Steps[i].Score > 0 {
					x.step(pt, q, &q.Steps[i], depth+1)
				}
			}
		}
	}
}

func (x *search) failCount(f finding, r *status.Resource, node string) finding {
	who := r
	if t := x.v.byID[f.With]; t != nil {
		who = t.Resource
	}
	n := x.v.node(node)
	count, _ := x.v.c.FailCount(n, who, status.FailEffective|status.FailLaunched, nil)
	f.Text = "fail count " + count.String() + " of " + who.ID + " reached migration-threshold " + who.MigrationThreshold.String()
	f.edits = x.cleanUps(who, node)[:1]
	f.edits = append(f.edits, Edit{Kind: SetMeta, Resource: configID(who), Name: "migration-threshold", Value: "INFINITY"})
	for _, l := range who.Launched {
		f.edits = append(f.edits, x.cleanUps(l, node)[0])
	}
	return f
}

// history is about what the history of operations demands.
func (x *search) history(f finding, r *status.Resource, node string) finding {
	f.Text = f.ID
	switch {
	case strings.HasPrefix(f.ID, "removed"):
		f.edits = []Edit{{Kind: SetOption, Name: "stop-removed-resources", Value: "false"}}
	case strings.HasPrefix(f.ID, "active on more"):
		h := holder(r, "multiple-active")
		f.edits = []Edit{{Kind: SetMeta, Resource: configID(h), Name: "multiple-active", Value: "stop_start"}}
		for _, n := range r.ActiveOn {
			f.edits = append(f.edits, Edit{Kind: Forget, Resource: status.StripInstance(r.ID), Node: n.Name})
		}
	default:
		x.primFailures(r)
		for _, k := range x.v.primitives(r) {
			f.edits = append(f.edits, x.cleanUps(k.Resource, node)...)
			if x.v.sameThing(k.Resource, r) || len(f.edits) > maxRuleEdits {
				break
			}
		}
	}
	return f
}

func (x *search) primFailures(r *status.Resource) {
	for _, k := range x.v.primitives(r) {
		x.failures(k.Resource, "")
	}
}

func (x *search) healthEdits(node string) []Edit {
	var out []Edit
	n := x.v.node(node)
	if n == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(n.Attrs)) {
		if v := n.Attrs[name]; strings.HasPrefix(name, "#health") && v != "green" && len(out) < maxRuleEdits {
			out = append(out, x.setAttr(node, name, "green"))
		}
	}
	return append(out, Edit{Kind: SetOption, Name: "node-health-strategy", Value: "none"})
}

// utilized names the capacity where the placement counts it.
func (x *search) utilized(r *status.Resource, node string) {
	if x.v.c.Options.Placement == "default" || len(r.Utilization) == 0 {
		return
	}
	x.add(finding{
		Cause{Kind: string(sched.CauseCapacity), Node: node, ID: "placement-strategy", With: x.other(r), Text: node + ": placement-strategy is " + x.v.c.Options.Placement + ", which counts what is left of each node"},
		x.capacityEdits(r, node),
	})
}

// capacityEdits give a node more room, or let room not count.
func (x *search) capacityEdits(r *status.Resource, node string) []Edit {
	var out []Edit
	n := x.v.node(node)
	need := r.Utilization
	if top := r.Top(true); len(need) == 0 || top != r {
		need = map[string]string{}
		maps.Copy(need, r.Utilization)
		for _, t := range x.v.primitives(top) {
			for k, v := range t.Resource.Utilization {
				need[k] = sum(need[k], v)
			}
		}
	}
	if n != nil {
		for _, k := range slices.Sorted(maps.Keys(need)) {
			total := n.Utilization[k]
			for _, o := range x.v.traces {
				if o.Assigned == n.Name && o.Resource.Variant == status.Primitive {
					total = sum(total, o.Resource.Utilization[k])
				}
			}
			out = append(out, Edit{Kind: SetCapacity, Node: node, Name: k, Value: sum(total, need[k])})
		}
	}
	return append(out, Edit{Kind: SetOption, Name: "placement-strategy", Value: "default"})
}

func sum(a, b string) string {
	x, _ := status.ParseAmount(a)
	y, _ := status.ParseAmount(b)
	return strconv.FormatInt(x+y, 10)
}

// exclusive is a constraint that allows a resource on other nodes only.
func (x *search) exclusive(r *status.Resource) string {
	for i := range x.constraints {
		if k := &x.constraints[i]; k.tag == "rsc_location" && k.mentions(r) && document.Get(k.e, "resource-discovery") == "exclusive" {
			return k.id
		}
	}
	return ""
}

// limits is about the numbers of a clone's instances.
func (x *search) limits(t *sched.ResourceTrace, depth int) {
	r := t.Resource
	top := r.Top(false)
	if top.Variant != status.Clone || t.Assigned != "" && !r.Is(status.Unique) && depth == 0 && len(x.subject.prims) == 1 {
		return
	}
	placed := 0
	for _, k := range top.Children {
		if x.runsSomewhere(k) {
			placed++
		}
	}
	if placed < top.CloneMax && placed < len(top.Children) {
		return
	}
	x.add(finding{
		Cause{Kind: string(sched.CauseInstances), ID: "clone-max", With: top.ID, Text: "all " + strconv.Itoa(placed) + " instances of " + top.ID + " have their places (clone-max)"},
		x.limitEdits(top),
	})
}

func (x *search) runsSomewhere(r *status.Resource) bool {
	for _, t := range x.v.primitives(r) {
		if t.Assigned != "" {
			return true
		}
	}
	return false
}

// perNode is about the number of a clone's instances on one node.
func (x *search) perNode(t *sched.ResourceTrace, node string) {
	top := t.Resource.Top(false)
	count := 0
	for _, o := range x.v.primitives(top) {
		if o.Assigned == node && o != t && (o.Resource.Parent == top || x.v.sameThing(o.Resource, t.Resource)) {
			count++
		}
	}
	if top.Variant != status.Clone || count < top.CloneNodeMax {
		return
	}
	f := finding{Cause: Cause{
		Kind: string(sched.CauseInstances), Node: node, ID: "clone-node-max", With: top.ID,
		Text: node + ": as many instances of " + top.ID + " have their place there as clone-node-max allows: " + strconv.Itoa(count),
	}}
	if top.Is(status.Unique) {
		f.edits = []Edit{{Kind: SetMeta, Resource: configID(top), Name: "clone-node-max", Value: strconv.Itoa(top.CloneNodeMax + 1)}}
	}
	x.add(f)
}

func (x *search) limitEdits(top *status.Resource) []Edit {
	e := Edit{Kind: SetMeta, Resource: configID(top), Name: "clone-max", Value: strconv.Itoa(top.CloneMax + 1)}
	if !top.Is(status.Unique) { // more on one node would make them unique, another thing
		return []Edit{e}
	}
	return []Edit{e, {Kind: SetMeta, Resource: configID(top), Name: "clone-node-max", Value: strconv.Itoa(top.CloneNodeMax + 1)}}
}
