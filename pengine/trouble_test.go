// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package pengine_test

import (
	"fmt"
	"strconv"

	"github.com/beevik/etree"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/simulate"
	"github.com/quorate/quorate/pengine/status"
)

// trouble changes a cluster as operators and bad luck do.
func trouble(t *rapid.T, root *etree.Element) string {
	c, err := status.Unpack(root, status.Settings{Now: aMoment})
	if err != nil {
		t.Fatal(err)
	}
	var members []string
	for n := range document.Children(document.At(root, "configuration", "nodes"), "node") {
		members = append(members, document.Get(n, "uname"))
	}
	node := rapid.SampledFrom(members).Draw(t, "node")
	inject := func(in simulate.Injections) {
		if err := happen(root, in); err != nil {
			t.Fatal(err)
		}
	}
	kind := pick(t, "trouble", "fail", "fail", "down", "up", "up", "standby", "shutdown", "operation", "operation", "ticket", "option", "meta", "meta",
		"ban", "remove", "parameter", "promotion", "promotion", "health", "twice", "quorum")
	switch kind {
	case "fail":
		inject(simulate.Injections{Fail: []string{node}})
	case "down":
		inject(simulate.Injections{Down: []string{node}})
	case "up":
		inject(simulate.Injections{Up: []string{node}})
	case "quorum":
		document.Set(root, "have-quorum", pick(t, "have", "0", "1", "1"))
	case "ticket":
		inject(simulate.Injections{Revoke: []string{"T"}})
	case "standby", "shutdown", "health":
		set := map[string][2]string{"standby": {"standby", "true"}, "shutdown": {"shutdown", "1799999000"}, "health": {"#health-disk", pick(t, "colour", "red", "yellow", "green")}}[kind]
		setTransient(simulate.NodeState(root, node, ""), set[0], set[1])
	case "operation":
		failOperation(t, c, inject)
	case "option":
		setPair(document.At(root, "configuration", "crm_config"), "cluster_property_set", "options",
			pick(t, "option", "stop-all-resources", "maintenance-mode", "symmetric-cluster"), pick(t, "on", "true", "false"))
	case "meta":
		if p := somePrimitive(t, root); p != nil {
			set := pick(t, "attribute", "target-role=Stopped", "target-role=Started", "is-managed=false", "maintenance=true", "priority=7", "allow-migrate=true")
			for i := range set {
				if set[i] == '=' {
					setPair(p, "meta_attributes", document.ID(p)+"-meta", set[:i], set[i+1:])
				}
			}
		}
	case "parameter":
		if p := somePrimitive(t, root); p != nil {
			setPair(p, "instance_attributes", document.ID(p)+"-params", "fake", strconv.Itoa(rapid.IntRange(1, 3).Draw(t, "value")))
		}
	case "ban":
		if p := somePrimitive(t, root); p != nil {
			id := "ban-" + document.ID(p) + "-" + node
			if list := document.At(root, "configuration", "constraints"); document.ChildWith(list, "rsc_location", "id", id) == nil {
				document.Add(list, "rsc_location", "id", id, "rsc", document.ID(p), "node", node, "score", "-INFINITY")
			}
		}
	case "remove":
		if p := somePrimitive(t, root); p != nil && p.Parent().Tag == "resources" {
			p.Parent().RemoveChild(p)
		}
	case "promotion":
		for _, r := range primitives(c) {
			if r.Top(false).Is(status.Promotable) {
				setTransient(simulate.NodeState(root, node, ""), "master-"+r.XMLID(), pick(t, "promotion score", "5", "10", "-INFINITY"))
			}
		}
	case "twice":
		startTwice(t, c, root)
	}
	return kind + " " + node
}

// happen changes a document by events.
func happen(root *etree.Element, in simulate.Injections) error {
	_, err := simulate.Simulate(root, simulate.Options{Now: aMoment, Inject: in})
	return err
}

// failOperation makes a monitor of something active fail.
func failOperation(t *rapid.T, c *status.Cluster, inject func(simulate.Injections)) {
	var specs []string
	for _, r := range primitives(c) {
		for _, n := range r.ActiveOn {
			if n.Online && c.FindResource(historyName(r), status.MatchHistory) != nil {
				specs = append(specs, fmt.Sprintf("%s_monitor_10000@%s=", historyName(r), n.Name))
			}
		}
	}
	if len(specs) > 0 {
		inject(simulate.Injections{Ops: []string{rapid.SampledFrom(specs).Draw(t, "operation") + pick(t, "rc", "1", "7", "5")}})
	}
}

// startTwice lets a probe find something active on one more node.
func startTwice(t *rapid.T, c *status.Cluster, root *etree.Element) {
	list := primitives(c)
	if len(list) == 0 {
		return
	}
	r := rapid.SampledFrom(list).Draw(t, "resource")
	var online []*status.Node
	for _, n := range c.Nodes {
		if n.Online && !n.Remote {
			online = append(online, n)
		}
	}
	if len(online) == 0 || r.Is(status.IsConnection) || r.InBundle() {
		return
	}
	n := rapid.SampledFrom(online).Draw(t, "second node")
	if c.FindResource(historyName(r), status.MatchHistory) == nil {
		return // the instance of a clone that is nowhere yet
	}
	in := simulate.Injections{Ops: []string{historyName(r) + "_monitor_0@" + n.Name + "=0"}}
	if err := happen(root, in); err != nil {
		t.Fatal(err)
	}
}

func somePrimitive(t *rapid.T, root *etree.Element) *etree.Element {
	var all []*etree.Element
	for p := range document.All(document.At(root, "configuration", "resources"), "primitive") {
		all = append(all, p)
	}
	if len(all) == 0 {
		return nil
	}
	return rapid.SampledFrom(all).Draw(t, "primitive")
}

// setPair sets a name and value in the first block of a kind.
func setPair(e *etree.Element, tag, id, name, value string) {
	set := document.Child(e, tag)
	if set == nil {
		set = document.New(tag, "id", id)
		e.InsertChildAt(0, set)
	}
	if p := document.ChildWith(set, "nvpair", "name", name); p != nil {
		document.Set(p, "value", value)
		return
	}
	document.Add(set, "nvpair", "id", document.ID(set)+"-"+name, "name", name, "value", value)
}

func setTransient(state *etree.Element, name, value string) {
	t := document.Child(state, "transient_attributes")
	if t == nil {
		t = document.Add(state, "transient_attributes", "id", document.ID(state))
	}
	setPair(t, "instance_attributes", "status-"+document.ID(state), name, value)
}

// primitives lists all primitives of a cluster, instances one by one.
func primitives(c *status.Cluster) []*status.Resource {
	var out []*status.Resource
	var walk func(*status.Resource)
	walk = func(r *status.Resource) {
		if r.Variant == status.Primitive {
			out = append(out, r)
		}
		for _, k := range r.Children {
			walk(k)
		}
	}
	for _, r := range c.Resources {
		walk(r)
	}
	return out
}

// historyName is the name under which a node's history has a resource.
func historyName(r *status.Resource) string {
	if r.Is(status.Unique) {
		return r.ID
	}
	return r.XMLID()
}
