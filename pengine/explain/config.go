// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain

import (
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/status"
)

// constraint is one constraint and the resources that it names, tags and
// templates resolved.
type constraint struct {
	id, tag string
	e       *etree.Element
	refs    map[string]bool
}

// constraints reads the constraints of a configuration.
func constraints(c *status.Cluster) []constraint {
	var out []constraint
	for e := range document.Children(document.At(c.Root, "configuration", "constraints"), "") {
		k := constraint{id: document.ID(e), tag: e.Tag, e: e, refs: map[string]bool{}}
		add := func(id string) {
			if id == "" {
				return
			}
			k.refs[id] = true
			for _, ref := range append(c.Tags[id], c.Templates[id]...) {
				k.refs[ref] = true
			}
		}
		for _, name := range []string{"rsc", "with-rsc", "first", "then"} {
			add(document.Get(e, name))
		}
		for ref := range document.All(e, "resource_ref") {
			add(document.ID(ref))
		}
		out = append(out, k)
	}
	return out
}

// names are all the names by which constraints may mean a resource.
func names(r *status.Resource) []string {
	var out []string
	for x := r; x != nil; x = x.Parent {
		out = append(out, x.ID, status.StripInstance(x.ID), x.XMLID())
	}
	return out
}

func (k *constraint) mentions(r *status.Resource) bool {
	for _, n := range names(r) {
		if k.refs[n] {
			return true
		}
	}
	return false
}

// between lists the constraints with the tag that tie two resources.
func (x *search) between(tag string, a, b *status.Resource) []string {
	var out []string
	for i := range x.constraints {
		k := &x.constraints[i]
		if k.tag == tag && k.mentions(a) && k.mentions(b) {
			out = append(out, k.id)
		}
	}
	return out
}

// owner gives the constraint that an id (of a rule, a set or itself) is of.
func (x *search) owner(id string) *constraint {
	for i := range x.constraints {
		if k := &x.constraints[i]; k.id == id || document.ByID(k.e, "", id) != nil {
			return k
		}
	}
	return nil
}

// topID is what commands name for a resource: the outermost one.
func topID(r *status.Resource) string { return r.Top(true).ID }

// configID is the id in the configuration of a primitive or what holds it.
func configID(r *status.Resource) string {
	if id := r.XMLID(); id != "" {
		return id
	}
	return r.ID
}

// holder gives the nearest resource, from r outwards, on which a meta-attribute
// is set itself; r where that is none.
func holder(r *status.Resource, name string) *status.Resource {
	for h := r; h != nil; h = h.Parent {
		for b := range document.Children(h.XML, "meta_attributes") {
			if document.ChildWith(b, "nvpair", "name", name) != nil {
				return h
			}
		}
	}
	return r
}

// ruleEdits are changes of a node's attributes that may alter what a rule says
// about it.
func (x *search) ruleEdits(k *constraint, node *status.Node) []Edit {
	var out []Edit
	for e := range document.All(k.e, "expression") {
		name := document.Get(e, "attribute")
		if name == "" || strings.HasPrefix(name, "#") || len(out) >= maxRuleEdits {
			continue
		}
		value, set := document.Get(e, "value"), x.setAttr(node.Name, name, "")
		_, has := node.Attrs[name]
		switch op := document.Get(e, "operation"); {
		case op == "not_defined" && !has, op == "defined" && !has, op == "ne" && !has && value == "":
			set.Value = "1"
		case op == "defined", op == "not_defined":
		case op == "eq" && node.Attrs[name] == value, op == "ne" && node.Attrs[name] != value && value == "":
		case op == "ne" && node.Attrs[name] == value:
		case op == "lt" || op == "lte" || op == "gt" || op == "gte":
			out = append(out, steps(set, value)...)
			continue
		default:
			set.Value = value
		}
		if set.Value != "" || has {
			out = append(out, set)
		}
	}
	return out
}

// setAttr changes an attribute of a node where it is: among the transient or the
// permanent ones.
func (x *search) setAttr(node, name, value string) Edit {
	e := Edit{Kind: SetNodeAttr, Node: node, Name: name, Value: value}
	for p := range document.All(document.Child(nodeState(x.in.CIB, node), "transient_attributes"), "nvpair") {
		if document.Get(p, "name") == name {
			e.Lifetime = "reboot"
		}
	}
	if nodeElement(x.in.CIB, node) == nil {
		e.Lifetime = "reboot"
	}
	return e
}

// maxRuleEdits bounds what is derived from one rule.
const maxRuleEdits = 6

// steps are the values just below and above a limit.
func steps(e Edit, limit string) []Edit {
	n, ok := status.ParseAmount(limit)
	if !ok {
		return nil
	}
	low, high := e, e
	low.Value, high.Value = status.Score(n-1).String(), status.Score(n+1).String()
	return []Edit{low, high}
}
