// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package attrs

import (
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// A Scope is a part of the CIB that holds name-value pairs, in the words of
// crm_attribute --type.
type Scope string

// The scopes.
const (
	ScopeCrmConfig   Scope = "crm_config"
	ScopeRscDefaults Scope = "rsc_defaults"
	ScopeOpDefaults  Scope = "op_defaults"
	ScopeNodes       Scope = "nodes"
	ScopeStatus      Scope = "status"
	ScopeTickets     Scope = "tickets"
	ScopeUtilization Scope = "utilization" // of a node
)

// A Place names one name-value pair.
type Place struct {
	Scope    Scope
	NodeID   string // for nodes, status, utilization
	NodeName string
	Set      string // id of the set; "" is any to find and the default to make
	SetType  string // tag of the set; "" is the scope's usual one
	ID       string // id of the nvpair; "" is any to find and the usual one to make
	Name     string
}

// NodeID gives the id of a node with the name, "" where it is unknown.
func NodeID(root *etree.Element, uname string) string {
	if n := document.ChildWith(document.Section(root, "nodes"), "node", "uname", uname); n != nil {
		return document.ID(n)
	}
	if n := document.ChildWith(document.Section(root, "status"), "node_state", "uname", uname); n != nil {
		return document.ID(n)
	}
	return ""
}

// NodeName gives the name of a node with the id, "" where it is unknown.
func NodeName(root *etree.Element, id string) string {
	if n := document.ChildWith(document.Section(root, "nodes"), "node", "id", id); n != nil {
		return document.Get(n, "uname")
	}
	if n := document.ChildWith(document.Section(root, "status"), "node_state", "id", id); n != nil {
		return document.Get(n, "uname")
	}
	return ""
}

// owner gives the element whose sets hold the pair, or nil.
func (p Place) owner(root *etree.Element) *etree.Element {
	switch p.Scope {
	case ScopeNodes, ScopeUtilization:
		return document.ChildWith(document.Section(root, "nodes"), "node", "id", p.NodeID)
	case ScopeStatus:
		st := document.ChildWith(document.Section(root, "status"), "node_state", "id", p.NodeID)
		return document.Child(st, "transient_attributes")
	case ScopeTickets:
		return document.Section(root, "tickets")
	}
	return document.Section(root, string(p.Scope))
}

func (p Place) setTag() string {
	switch {
	case p.SetType != "":
		return p.SetType
	case p.Scope == ScopeCrmConfig:
		return "cluster_property_set"
	case p.Scope == ScopeRscDefaults || p.Scope == ScopeOpDefaults:
		return "meta_attributes"
	case p.Scope == ScopeUtilization:
		return "utilization"
	}
	return "instance_attributes"
}

// Find gives all pairs at the place; an empty name finds every name.
func Find(root *etree.Element, p Place) []*etree.Element {
	var found []*etree.Element
	for set := range document.Children(p.owner(root), p.setTag()) {
		if p.Set != "" && document.ID(set) != p.Set {
			continue
		}
		for nv := range document.Children(set, "nvpair") {
			if (p.Name == "" || document.Get(nv, "name") == p.Name) && (p.ID == "" || document.ID(nv) == p.ID) {
				found = append(found, nv)
			}
		}
	}
	return found
}

// setID gives the id of the set to make.
func (p Place) setID() string {
	if p.Set != "" {
		return p.Set
	}
	switch p.Scope {
	case ScopeCrmConfig:
		return "cib-bootstrap-options"
	case ScopeRscDefaults:
		return "rsc_defaults-options"
	case ScopeOpDefaults:
		return "op_defaults-options"
	case ScopeUtilization:
		return "nodes-" + p.NodeID + "-utilization"
	}
	return string(p.Scope) + "-" + p.NodeID
}

// Update gives the XML of a modify request with leave to create (section is to
// be the scope's) that sets the pair: an existing one is changed where it is.
func (p Place) Update(root *etree.Element, value string) (section string, data *etree.Element) {
	setID, id := p.setID(), p.ID
	if found := Find(root, p); len(found) > 0 {
		id = document.ID(found[0])
		if s := found[0].Parent(); s != nil {
			setID = document.ID(s)
		}
	} else if p.Set == "" {
		// A set that is there is used before one is made.
		if s := document.Child(p.owner(root), p.setTag()); s != nil && document.ID(s) != "" &&
			(p.Scope == ScopeNodes || p.Scope == ScopeStatus || p.Scope == ScopeUtilization) {
			setID = document.ID(s)
		}
	}
	if id == "" {
		id = SanitizeID(setID + "-" + p.Name)
	}
	set := document.New(p.setTag(), "id", setID)
	document.Add(set, "nvpair", "id", id, "name", p.Name, "value", value)
	switch p.Scope {
	case ScopeNodes, ScopeUtilization:
		node := document.New("node", "id", p.NodeID, "uname", p.NodeName)
		node.AddChild(set)
		return "nodes", node
	case ScopeStatus:
		st := document.New("node_state", "id", p.NodeID, "uname", p.NodeName)
		document.Add(st, "transient_attributes", "id", p.NodeID).AddChild(set)
		return "status", st
	}
	return string(p.Scope), set
}

// SanitizeID makes a text an XML id: what may not stand in one becomes a point.
func SanitizeID(s string) string {
	ok := func(c rune) bool {
		return c == '_' || c == '-' || c == '.' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')
	}
	s = strings.Map(func(c rune) rune {
		if ok(c) {
			return c
		}
		return '.'
	}, s)
	if s == "" || strings.ContainsRune("0123456789-.", rune(s[0])) {
		s = "_" + s
	}
	return s
}
