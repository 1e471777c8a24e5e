// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"maps"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/rule"
)

// unpackNodes reads the nodes section.
func (c *Cluster) unpackNodes(nodes *etree.Element) {
	for e := range document.Children(nodes, "node") {
		id, ok := document.Lookup(e, "id")
		if !ok {
			c.errorf("ignoring <node> entry in configuration without id")
			continue
		}
		score, _ := ParseScore(document.Get(e, "score"), 0)
		n := c.createNode(id, document.Get(e, "uname"), document.Get(e, "type"), score)
		if n == nil {
			return
		}
		c.startupFencing(n)
		c.nodeAttrs(e, n, false)
	}
}

// startupFencing marks a node that was not seen yet.
func (c *Cluster) startupFencing(n *Node) {
	if n.Remote && n.Connection == nil {
		return
	}
	n.Unclean = c.Options.StartupFencing
}

// nodeAttrs adds the attributes and the utilization of an element to a node.
func (c *Cluster) nodeAttrs(e *etree.Element, n *Node, overwrite bool) {
	n.Attrs["#uname"], n.Attrs["#id"] = n.Name, string(n.ID)
	if c.DC == nil && strings.EqualFold(string(n.ID), document.Get(c.Root, "dc-uuid")) {
		c.DC = n
		n.IsDC = true
		n.Attrs["#is_dc"] = "true"
	} else if n != c.DC {
		n.Attrs["#is_dc"] = "false"
	}
	cluster, named := c.Options.Values["cluster-name"]
	if named {
		n.Attrs["#cluster-name"] = cluster
	}
	in := c.ruleInput()
	if overwrite {
		fresh := map[string]string{}
		rule.Blocks(e, "instance_attributes", "", in, fresh)
		maps.Copy(n.Attrs, fresh)
	} else {
		rule.Blocks(e, "instance_attributes", "", in, n.Attrs)
	}
	rule.Blocks(e, "utilization", "", in, n.Utilization)
	if _, has := n.Attrs["#site-name"]; !has {
		if site, ok := n.Attrs["site-name"]; ok {
			n.Attrs["#site-name"] = site
		} else if named {
			n.Attrs["#site-name"] = cluster
		}
	}
}

// unpackRemoteNodes makes nodes of what resources define, and connections for
// guest nodes.
func (c *Cluster) unpackRemoteNodes() {
	for _, e := range childList(c.resourcesXML) {
		switch {
		case isConnection(e):
			c.remoteNode(document.ID(e))
		case e.Tag == "primitive":
			c.guestNode(e)
		case e.Tag == "group":
			for _, k := range childList(e) {
				c.guestNode(k)
			}
		}
	}
}

func childList(e *etree.Element) []*etree.Element {
	if e == nil {
		return nil
	}
	return e.ChildElements()
}

func (c *Cluster) remoteNode(name string) {
	if name != "" && c.FindNode(name) == nil {
		c.createNode(name, name, "remote", 0)
	}
}

// guestNode makes the connection that the meta-attribute remote-node asks for.
func (c *Cluster) guestNode(e *etree.Element) {
	meta := map[string]string{"remote-connect-timeout": "60s"}
	for set := range document.Children(e, "meta_attributes") {
		for p := range document.Children(set, "nvpair") {
			if name := document.Get(p, "name"); name != "" {
				meta[name] = document.Get(p, "value")
			}
		}
	}
	name := meta["remote-node"]
	if name == "" || c.FindResource(name, MatchHistory) != nil || document.ChildWith(c.resourcesXML, "", "id", name) != nil {
		return
	}
	conn := c.connectionXML(c.resourcesXML, name, "60s")
	m := document.Child(conn, "meta_attributes")
	pair(m, "container", document.ID(e))
	for _, p := range [][2]string{{"remote-allow-migrate", "allow-migrate"}, {"is-managed", "is-managed"}} {
		if v, ok := meta[p[0]]; ok {
			pair(m, p[1], v)
		}
	}
	if start := document.ByID(conn, "op", name+"-start-0"); start != nil {
		document.Set(start, "timeout", meta["remote-connect-timeout"])
	}
	var params *etree.Element
	for _, p := range [][2]string{{"remote-addr", "addr"}, {"remote-port", "port"}} {
		if v, ok := meta[p[0]]; ok {
			if params == nil {
				params = document.Add(conn, "instance_attributes", "id", name+"-instance_attributes")
			}
			pair(params, p[1], v)
		}
	}
	c.remoteNode(name)
}

// connectionXML makes the element of an implied remote connection.
func (c *Cluster) connectionXML(parent *etree.Element, name, timeout string) *etree.Element {
	e := document.Add(parent, "primitive", "id", name, "class", "ocf", "provider", "pacemaker", "type", "remote")
	m := document.Add(e, "meta_attributes", "id", name+"-meta_attributes")
	pair(m, "internal_rsc", "true")
	ops := document.Add(e, "operations")
	document.Add(ops, "op", "id", name+"-monitor-30s", "interval", "30s", "name", "monitor", "timeout", "30s")
	document.Add(ops, "op", "id", name+"-start-0", "interval", "0", "name", "start", "timeout", timeout)
	return e
}

func pair(set *etree.Element, name, value string) {
	document.Add(set, "nvpair", "id", document.ID(set)+"-"+name, "name", name, "value", value)
}
