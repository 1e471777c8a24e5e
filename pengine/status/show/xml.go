// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package show

import (
	"strconv"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/status"
)

// zoned writes an instant for programs.
func zoned(t time.Time) string {
	if _, offset := t.Zone(); offset == 0 {
		return t.Format("2006-01-02 15:04:05Z")
	}
	return t.Format("2006-01-02 15:04:05 -07:00")
}

func yes(b bool) string { return strconv.FormatBool(b) }

// element makes an element of names and values; values that are nil are left
// out.
func element(tag string, pairs ...any) *etree.Element {
	e := document.New(tag)
	for i := 0; i+1 < len(pairs); i += 2 {
		name, _ := pairs[i].(string)
		switch v := pairs[i+1].(type) {
		case string:
			document.Set(e, name, v)
		case bool:
			document.Set(e, name, yes(v))
		case int:
			document.Set(e, name, strconv.Itoa(v))
		case *string:
			if v != nil {
				document.Set(e, name, *v)
			}
		}
	}
	return e
}

// given is the value of a table as [element] takes it.
func given(table map[string]string, name string) *string {
	if v, ok := table[name]; ok {
		return &v
	}
	return nil
}

// XML gives the state as elements: nodes and resources, then what the options
// ask for.
func XML(c *status.Cluster, o Options) []*etree.Element {
	out := []*etree.Element{NodesXML(c)}
	for _, e := range []*etree.Element{
		ResourcesXML(c, o), when(o.Attributes, func() *etree.Element { return attributesXML(c) }),
		when(o.FailCounts, func() *etree.Element { return historyXML(c) }),
		when(o.FailCounts, func() *etree.Element { return failuresXML(c) }),
	} {
		if e != nil {
			out = append(out, e)
		}
	}
	return out
}

func when(on bool, make func() *etree.Element) *etree.Element {
	if !on {
		return nil
	}
	return make()
}

// NodesXML is the list of nodes.
func NodesXML(c *status.Cluster) *etree.Element {
	list := document.New("nodes")
	for _, n := range c.Nodes {
		health, kind := "green", "member"
		switch h := c.Health(n); {
		case h < 0:
			health = "red"
		case h == 0:
			health = "yellow"
		}
		if n.Remote {
			kind = "remote"
		}
		e := element("node", "name", n.Name, "id", string(n.ID), "online", n.Online, "standby", n.Standby,
			"standby_onfail", n.StandbyOnFail, "maintenance", n.Maintenance, "pending", n.Pending, "unclean", n.Unclean,
			"health", health, "feature_set", featureSet(n), "shutdown", n.Shutdown, "expected_up", n.ExpectedUp,
			"is_dc", n == c.DC, "resources_running", len(n.Running), "type", kind)
		if n.IsGuest() {
			document.Set(e, "id_as_resource", n.Connection.Launcher.ID)
		}
		list.AddChild(e)
	}
	return list
}

// featureSet is shown of a member that is up.
func featureSet(n *status.Node) *string {
	if !n.Online || !n.ExpectedUp || n.Remote {
		return nil
	}
	set, ok := n.Attrs["#feature-set"]
	if !ok {
		set = "<3.15.1"
	}
	return &set
}

// ResourcesXML is the list of resources, nil where there are none.
func ResourcesXML(c *status.Cluster, o Options) *etree.Element {
	list := document.New("resources")
	for _, r := range c.Resources {
		if r.Is(status.Removed) && !r.Active(true) || !r.Active(false) && !o.Inactive {
			continue
		}
		list.AddChild(ResourceXML(r, o))
	}
	if len(list.Child) == 0 {
		return nil
	}
	return list
}

// ResourceXML is one resource with its parts.
func ResourceXML(r *status.Resource, o Options) *etree.Element {
	var e *etree.Element
	switch r.Variant {
	case status.Group:
		shown := shownParts(r, o)
		e = element("group", "id", r.ID, "number_resources", countFrom(r, shown), "maintenance", r.Is(status.InMaintenance),
			"managed", r.Is(status.Managed), "disabled", r.Disabled())
		for _, k := range shown {
			e.AddChild(ResourceXML(k, o))
		}
	case status.Clone:
		target := given(r.Meta, "target-role")
		if target == nil && len(r.Children) > 0 {
			target = given(r.Children[0].Meta, "target-role")
		}
		e = element("clone", "id", r.ID, "multi_state", r.Is(status.Promotable), "unique", r.Is(status.Unique),
			"maintenance", r.Is(status.InMaintenance), "managed", r.Is(status.Managed), "disabled", r.Disabled(),
			"failed", r.Is(status.Failed), "failure_ignored", r.Is(status.IgnoreFailure), "target_role", target)
		for _, k := range r.Children {
			e.AddChild(ResourceXML(k, o))
		}
	case status.BundleVariant:
		e = bundleXML(r, o)
	default:
		e = primitiveXML(r, o)
	}
	return e
}

func shownParts(r *status.Resource, o Options) []*status.Resource {
	var shown []*status.Resource
	for _, k := range r.Children {
		if o.Inactive || k.Active(false) {
			shown = append(shown, k)
		}
	}
	return shown
}

// countFrom counts a group's members from the first that is shown.
func countFrom(r *status.Resource, shown []*status.Resource) int {
	for i, k := range r.Children {
		if len(shown) > 0 && k == shown[0] {
			return len(r.Children) - i
		}
	}
	return 0
}

func primitiveXML(r *status.Resource, o Options) *etree.Element {
	e := element("resource", "id", r.PrintableID(), "resource_agent", r.Agent(), "role", State(r, o.Pending),
		"target_role", given(r.Meta, "target-role"), "active", r.Active(true), "orphaned", r.Is(status.Removed),
		"removed", r.Is(status.Removed), "blocked", r.Is(status.Blocked), "maintenance", r.Is(status.InMaintenance),
		"managed", r.Is(status.Managed), "failed", r.Is(status.Failed), "failure_ignored", r.Is(status.IgnoreFailure),
		"nodes_running_on", len(r.ActiveOn))
	if o.Pending && r.PendingAction == "monitor" {
		document.Set(e, "pending", "Monitoring")
	}
	if r.LockNode != nil {
		document.Set(e, "locked_to", r.LockNode.Name)
	}
	for _, n := range r.ActiveOn {
		e.AddChild(element("node", "name", n.Name, "id", string(n.ID), "cached", n.Online))
	}
	return e
}

func bundleXML(r *status.Resource, o Options) *etree.Element {
	e := element("bundle", "id", r.ID, "type", r.Bundle.Agent, "image", r.Bundle.Image, "unique", r.Is(status.Unique),
		"maintenance", r.Is(status.InMaintenance), "managed", r.Is(status.Managed), "failed", r.Is(status.Failed))
	for _, rep := range r.Bundle.Replicas {
		re := element("replica", "id", rep.Offset)
		for _, part := range []*status.Resource{rep.IP, rep.Child, rep.Container, rep.Remote} {
			if part != nil {
				re.AddChild(ResourceXML(part, o))
			}
		}
		e.AddChild(re)
	}
	return e
}

func attributesXML(c *status.Cluster) *etree.Element {
	list := document.New("node_attributes")
	for _, n := range c.Nodes {
		attrs := Attributes(n)
		if len(attrs) == 0 {
			continue
		}
		ne := element("node", "name", n.Name)
		for _, a := range attrs {
			e := element("attribute", "name", a.Name, "value", a.Value)
			if a.Ping {
				document.Set(e, "expected", strconv.Itoa(a.Expected))
			}
			ne.AddChild(e)
		}
		list.AddChild(ne)
	}
	if len(list.Child) == 0 {
		return nil
	}
	return list
}

func historyXML(c *status.Cluster) *etree.Element {
	all := Failures(c)
	if len(all) == 0 {
		return nil
	}
	list := document.New("node_history")
	for _, f := range all {
		if len(f.List) == 0 {
			continue
		}
		ne := element("node", "name", f.Node.Name)
		for _, r := range f.List {
			e := element("resource_history", "id", r.ID, "orphan", "false", "removed", "false",
				"migration-threshold", int(r.Threshold), "fail-count", int(r.Count))
			if !r.Last.IsZero() {
				document.Set(e, "last-failure", r.Last.Format(time.ANSIC))
			}
			ne.AddChild(e)
		}
		list.AddChild(ne)
	}
	return list
}

func failuresXML(c *status.Cluster) *etree.Element {
	shown := ShownFailures(c)
	if len(shown) == 0 {
		return nil
	}
	list := document.New("failures")
	for _, f := range shown {
		key, reason := "op_key", f.Reason
		if _, ok := document.Lookup(f.XML, "operation_key"); !ok {
			key = "id"
		}
		if _, ok := document.Lookup(f.XML, "exit-reason"); !ok {
			reason = "none"
		}
		e := element("failure", key, f.Key, "node", f.Node.Name, "exitstatus", f.Exit.String(), "exitreason", reason,
			"exitcode", int(f.Exit), "call", attr(f.XML, "call-id"), "status", execText(f.Status))
		if at, ok := lastChange(f); ok && at.Unix() > 0 {
			document.Set(e, "last-rc-change", zoned(at))
			for _, p := range [][2]string{{"queued", "queue-time"}, {"exec", "exec-time"}} {
				if v, has := document.Lookup(f.XML, p[1]); has {
					document.Set(e, p[0], v)
				}
			}
			document.Set(e, "interval", strconv.FormatUint(uint64(f.IntervalMS), 10))
			document.Set(e, "task", f.Task)
		}
		list.AddChild(e)
	}
	return list
}

// attr is an attribute's value as [element] takes it.
func attr(e *etree.Element, name string) *string {
	if v, ok := document.Lookup(e, name); ok {
		return &v
	}
	return nil
}
