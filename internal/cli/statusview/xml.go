// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package statusview

import (
	"fmt"
	"strconv"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/status"
)

// XML returns the picture as elements: the body of <pacemaker-result>, and of
// the older <crm_mon>.
func (v *View) XML() []*etree.Element {
	var out []*etree.Element
	add := func(on bool, e *etree.Element) {
		if on && e != nil {
			out = append(out, e)
		}
	}
	if v.Daemon != nil {
		add(true, document.New("pacemakerd", "sys_from", "pacemakerd", "state", v.Daemon.State,
			"last_updated", v.Daemon.Updated.UTC().Format(utcForm)))
	}
	add(v.has(SecStack|SecDC|SecTimes|SecCounts|SecOptions), v.summaryXML())
	add(v.has(SecNodes), v.nodesXML())
	add(v.has(SecResources), v.resourcesXML())
	add(v.has(SecAttributes), v.attributesXML())
	add(v.has(SecOperations|SecFailcounts), v.historyXML())
	add(v.has(SecFailures), v.failuresXML())
	add(v.has(SecFencing), v.fencingXML())
	add(v.has(SecTickets), v.ticketsXML())
	add(v.has(SecBans), v.bansXML())
	return out
}

func yes(b bool) string { return strconv.FormatBool(b) }

func (v *View) summaryXML() *etree.Element {
	c := v.Cluster
	e := document.New("summary")
	if stack := c.Options.Values["cluster-infrastructure"]; v.has(SecStack) && stack != "" {
		document.Add(e, "stack", "type", stack)
	}
	if v.has(SecDC) {
		if c.DC == nil {
			document.Add(e, "current_dc", "present", "false")
		} else {
			document.Add(e, "current_dc", "present", "true", "version", v.dcVersion(), "name", c.DC.Name, "id", string(c.DC.ID),
				"with_quorum", yes(c.Quorate), "mixed_version", yes(v.mixedVersion()))
		}
	}
	if v.has(SecTimes) {
		document.Add(e, "last_update", "time", c.Now.Format(time.ANSIC))
		document.Add(e, "last_change", "time", document.Get(c.Root, "cib-last-written"), "user", document.Get(c.Root, "update-user"),
			"client", document.Get(c.Root, "update-client"), "origin", document.Get(c.Root, "update-origin"))
	}
	if v.has(SecCounts) {
		document.Add(e, "nodes_configured", "number", strconv.Itoa(v.nodeCount()))
		document.Add(e, "resources_configured", "number", strconv.Itoa(c.Instances),
			"disabled", strconv.Itoa(c.Disabled), "blocked", strconv.Itoa(c.Blocked))
	}
	if v.has(SecOptions) {
		o := &c.Options
		document.Add(e, "cluster_options", "stonith-enabled", yes(o.FencingEnabled), "symmetric-cluster", yes(o.SymmetricCluster),
			"no-quorum-policy", quorumPolicyWord(o.NoQuorum), "maintenance-mode", yes(o.Maintenance),
			"stop-all-resources", yes(o.StopAll), "stonith-timeout-ms", fmt.Sprint(o.FencingTimeoutMS),
			"priority-fencing-delay-ms", fmt.Sprint(o.PriorityFencingDelayMS))
	}
	return e
}

func (v *View) nodesXML() *etree.Element {
	list := document.New("nodes")
	for _, n := range v.Cluster.Nodes {
		if !v.showsNode(n) {
			continue
		}
		typ := "member"
		if n.Remote {
			typ = "remote"
		}
		e := document.Add(list, "node", "name", n.Name, "id", string(n.ID), "online", yes(n.Online), "standby", yes(n.Standby),
			"standby_onfail", yes(n.StandbyOnFail), "maintenance", yes(n.Maintenance), "pending", yes(n.Pending),
			"unclean", yes(n.Unclean), "health", health(n))
		if n.FeatureSet != "" {
			document.Set(e, "feature_set", n.FeatureSet)
		} else if n.Online {
			document.Set(e, "feature_set", "<3.15.1")
		}
		for _, p := range [][2]string{
			{"shutdown", yes(n.Shutdown)},
			{"expected_up", yes(n.ExpectedUp)},
			{"is_dc", yes(n.IsDC)},
			{"resources_running", strconv.Itoa(len(n.Running))},
			{"type", typ},
		} {
			document.Set(e, p[0], p[1])
		}
		if n.IsGuest() {
			document.Set(e, "id_as_resource", n.Connection.Launcher.ID)
		}
		if !v.Options.ByNode {
			continue
		}
		for _, r := range n.Running {
			if v.showsResource(r) {
				e.AddChild(v.primitiveXML(r))
			}
		}
	}
	return list
}

func (v *View) resourcesXML() *etree.Element {
	if v.Options.ByNode && !v.Options.Inactive {
		return nil
	}
	list := document.New("resources")
	for _, r := range v.Cluster.Resources {
		if !v.showsPart(r) || r.Is(status.Removed) && !r.Active(true) ||
			v.Options.ByNode && r.Active(true) || r.Active(false) && !v.runsOnShown(r) {
			continue
		}
		list.AddChild(v.ResourceXML(r))
	}
	if len(list.ChildElements()) == 0 {
		return nil
	}
	return list
}

// ResourceXML is the element of one resource with what is below it.
func (v *View) ResourceXML(r *status.Resource) *etree.Element {
	switch r.Variant {
	case status.Group:
		e := document.New("group", "id", r.ID, "number_resources", strconv.Itoa(len(r.Children)),
			"managed", yes(r.Is(status.Managed)), "disabled", yes(r.Disabled()))
		return v.withParts(e, r)
	case status.Clone:
		e := document.New("clone", "id", r.ID, "multi_state", yes(r.Is(status.Promotable)), "unique", yes(r.Is(status.Unique)),
			"managed", yes(r.Is(status.Managed)), "disabled", yes(r.Disabled()), "failed", yes(r.Is(status.Failed)),
			"failure_ignored", yes(r.Is(status.IgnoreFailure)))
		if target := r.Meta["target-role"]; target != "" {
			document.Set(e, "target_role", target)
		}
		return v.withParts(e, r)
	case status.BundleVariant:
		return v.bundleXML(r)
	}
	return v.primitiveXML(r)
}

func (v *View) withParts(e *etree.Element, r *status.Resource) *etree.Element {
	whole := v.showsResource(r)
	for _, k := range r.Children {
		switch {
		case !whole && !v.showsPart(k):
		case k.Is(status.Removed) && !k.Active(true):
		case k.Active(false) && !v.runsOnShown(k):
		default:
			e.AddChild(v.ResourceXML(k))
		}
	}
	return e
}

func (v *View) primitiveXML(r *status.Resource) *etree.Element {
	e := document.New("resource", "id", r.PrintableID(), "resource_agent", agentText(r), "role", displayState(r))
	if target := r.Meta["target-role"]; target != "" {
		document.Set(e, "target_role", target)
	}
	for _, p := range [][2]string{
		{"active", yes(r.Active(true))},
		{"orphaned", yes(r.Is(status.Removed))},
		{"blocked", yes(r.Is(status.Blocked))},
		{"managed", yes(r.Is(status.Managed))},
		{"failed", yes(r.Is(status.Failed))},
		{"failure_ignored", yes(r.Is(status.IgnoreFailure))},
		{"nodes_running_on", strconv.Itoa(len(r.ActiveOn))},
	} {
		document.Set(e, p[0], p[1])
	}
	if task := pendingTask(r); task != "" {
		document.Set(e, "pending", task)
	}
	for _, n := range r.ActiveOn {
		document.Add(e, "node", "name", n.Name, "id", string(n.ID), "cached", yes(n.Online))
	}
	return e
}

func (v *View) bundleXML(r *status.Resource) *etree.Element {
	e := document.New("bundle", "id", r.ID, "unique", yes(r.Is(status.Unique)), "managed", yes(r.Is(status.Managed)),
		"failed", yes(r.Is(status.Failed)))
	for _, rep := range r.Bundle.Replicas {
		re := document.Add(e, "replica", "id", strconv.Itoa(rep.Offset))
		for _, part := range []*status.Resource{rep.IP, rep.Child, rep.Container, rep.Remote} {
			if part != nil {
				re.AddChild(v.ResourceXML(part))
			}
		}
	}
	return e
}

func (v *View) attributesXML() *etree.Element {
	list := document.New("node_attributes")
	for _, n := range v.Cluster.Nodes {
		names := shownAttrs(n)
		if !n.Online || len(names) == 0 || !v.showsNode(n) {
			continue
		}
		ne := document.Add(list, "node", "name", n.Name)
		for _, name := range names {
			a := document.Add(ne, "attribute", "name", name, "value", n.Attrs[name])
			if expected, ok := v.pingExpected(name); ok {
				document.Set(a, "expected", strconv.Itoa(expected))
			}
		}
	}
	if len(list.ChildElements()) == 0 {
		return nil
	}
	return list
}

func (v *View) historyXML() *etree.Element {
	list := document.New("node_history")
	for _, h := range v.histories() {
		ne := document.New("node", "name", h.node.Name)
		for _, r := range h.resources {
			if len(r.ops) > 0 || r.failCount > 0 {
				ne.AddChild(v.resourceHistoryXML(r))
			}
		}
		if len(ne.ChildElements()) > 0 {
			list.AddChild(ne)
		}
	}
	return list
}

func (v *View) resourceHistoryXML(r resourceHistory) *etree.Element {
	e := document.New("resource_history", "id", r.id)
	document.Set(e, "orphan", "false")
	document.Set(e, "migration-threshold", fmt.Sprintf("%d", r.rsc.MigrationThreshold))
	if r.failCount > 0 {
		document.Set(e, "fail-count", fmt.Sprintf("%d", r.failCount))
	}
	if !r.lastFail.IsZero() {
		document.Set(e, "last-failure", r.lastFail.Format(time.ANSIC))
	}
	for _, op := range r.ops {
		rc, _ := strconv.Atoi(document.Get(op, "rc-code"))
		oe := document.Add(e, "operation_history", "call", document.Get(op, "call-id"), "task", opTask(op),
			"rc", strconv.Itoa(rc), "rc_text", ExitText(rc))
		if i := document.Get(op, "interval"); i != "" && i != "0" {
			document.Set(oe, "interval", i+"ms")
		}
		if t := localTime(document.Get(op, "last-rc-change")); t != "" {
			document.Set(oe, "last-rc-change", t)
		}
		for _, name := range []string{"exec-time", "queue-time"} {
			if val := document.Get(op, name); val != "" {
				document.Set(oe, name, val+"ms")
			}
		}
	}
	return e
}

func (v *View) failuresXML() *etree.Element {
	failed := v.shownFailures()
	if len(failed) == 0 {
		return nil
	}
	list := document.New("failures")
	for _, f := range failed {
		e := document.Add(list, "failure", "op_key", f.Key, "node", nameOf(f.Node), "exitstatus", exitText(f.Exit),
			"exitreason", f.Reason, "exitcode", strconv.Itoa(int(f.Exit)), "call", document.Get(f.XML, "call-id"), "status", f.Status.String())
		if t, ok := epoch(document.Get(f.XML, "last-rc-change")); ok {
			document.Set(e, "last-rc-change", t.Format(fenceForm))
			document.Set(e, "queued", document.Get(f.XML, "queue-time"))
			document.Set(e, "exec", document.Get(f.XML, "exec-time"))
			document.Set(e, "interval", strconv.FormatUint(uint64(f.IntervalMS), 10))
			document.Set(e, "task", f.Task)
		}
	}
	return list
}

func (v *View) fencingXML() *etree.Element {
	if v.FencingUnknown || v.Fencing == nil {
		return nil
	}
	list := document.New("fence_history")
	for _, ev := range v.Fencing {
		if v.Options.Node == "" || ev.Target == v.Options.Node {
			list.AddChild(FenceXML(ev))
		}
	}
	if len(list.ChildElements()) == 0 {
		return nil
	}
	return list
}

func (v *View) ticketsXML() *etree.Element {
	ids := v.ticketIDs()
	if len(ids) == 0 {
		return nil
	}
	list := document.New("tickets")
	for _, id := range ids {
		t := v.Cluster.Tickets[id]
		e := document.Add(list, "ticket", "id", id, "status", ticketState(t), "standby", yes(t.Standby))
		if t.LastGranted > 0 {
			document.Set(e, "last-granted", time.Unix(t.LastGranted, 0).Format(time.ANSIC))
		}
	}
	return list
}

func (v *View) bansXML() *etree.Element {
	bans := v.shownBans()
	if len(bans) == 0 {
		return nil
	}
	list := document.New("bans")
	for _, b := range bans {
		document.Add(list, "ban", "id", b.ID, "resource", b.Resource, "node", b.Node.Name, "weight", strconv.Itoa(int(b.Score)),
			"promoted-only", yes(b.Promoted), "master_only", yes(b.Promoted))
	}
	return list
}
