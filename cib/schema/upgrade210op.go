// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package schema

import (
	"slices"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// opMeta are options of an operation that may not be its parameters.
var opMeta = []string{"interval-origin", "start-delay", "enabled", "on-fail", "record-pending", "role", "timeout"}

const requires = "requires"

// operations moves what operations require to the resource, and their options
// out of their parameters.
func (u *upgrader210) operations(rsc *etree.Element) {
	var ops []*etree.Element
	for list := range document.Children(rsc, "operations") {
		for op := range document.Children(list, "op") {
			ops = append(ops, op)
		}
	}
	if len(ops) == 0 {
		return
	}
	taken := ownMeta(rsc)
	added := requirements(rsc, ops, taken[requires])
	for _, op := range ops {
		if document.Unset(op, requires) && !starts(op) {
			u.note("INFO: Resources-operation: " + document.ID(op) + " (rsc=" + document.ID(rsc) +
				"): dropping requires: only start/promote operation taken into account")
		}
		u.options(op, taken)
		for _, set := range op.ChildElements() {
			if set.Tag != "meta_attributes" && set.Tag != "instance_attributes" {
				continue
			}
			for _, p := range set.ChildElements() {
				if p.Tag == "nvpair" && document.Get(p, "name") == requires {
					drop(p)
				}
			}
			dropEmpty(set)
		}
	}
	for _, set := range added {
		rsc.AddChild(set)
	}
}

// starts tells whether the requirement of an operation counts.
func starts(op *etree.Element) bool {
	name := document.Get(op, "name")
	return name == "start" || name == "promote"
}

// ownMeta are the names of a resource's own meta-attributes that hold without a
// rule.
func ownMeta(rsc *etree.Element) map[string]bool {
	out := map[string]bool{}
	for set := range document.Children(rsc, "meta_attributes") {
		if document.Child(set, "rule") == nil {
			for p := range document.Children(set, "nvpair") {
				out[document.Get(p, "name")] = true
			}
		}
	}
	return out
}

// requirements makes meta-attributes of the resource of what its operations
// require: the last one as an attribute, else the last set of an operation's
// meta-attributes, else of its parameters. What the resource has itself counts
// more.
func requirements(rsc *etree.Element, ops []*etree.Element, has bool) []*etree.Element {
	if has {
		return nil
	}
	for _, op := range slices.Backward(ops) {
		if value, ok := document.Lookup(op, requires); ok && starts(op) {
			set := document.New("meta_attributes", "id", prefix210+document.ID(rsc)+"-meta")
			document.Add(set, "nvpair", "id", prefix210+document.ID(op)+"-meta-requires", "name", requires, "value", value)
			return []*etree.Element{set}
		}
	}
	var out []*etree.Element
	for _, tag := range []string{"meta_attributes", "instance_attributes"} {
		var sets []*etree.Element
		for _, op := range ops {
			if !starts(op) {
				continue
			}
			for set := range document.Children(op, tag) {
				if document.ChildWith(set, "nvpair", "name", requires) != nil {
					sets = append(sets, set)
				}
			}
		}
		later := len(out) > 0
		for _, set := range slices.Backward(sets) {
			if later {
				continue // one that holds always comes after it
			}
			later = document.Child(set, "rule") == nil
			c := document.Clone(set)
			c.Tag = "meta_attributes"
			document.Set(c, "id", prefix210+document.ID(set))
			for _, p := range c.ChildElements() {
				if p.Tag == "nvpair" && document.Get(p, "name") != requires {
					drop(p)
				}
			}
			out = append([]*etree.Element{c}, out...)
		}
	}
	return out
}

// options moves an operation's options from its parameters to its
// meta-attributes, but those that the resource has itself.
func (u *upgrader210) options(op *etree.Element, taken map[string]bool) {
	var plain []*etree.Element
	var ruled []*etree.Element
	last := map[string]*etree.Element{}
	for set := range document.Children(op, "instance_attributes") {
		if document.Child(set, "rule") == nil {
			for p := range document.Children(set, "nvpair") {
				last[document.Get(p, "name")] = set
			}
		}
	}
	for _, set := range op.ChildElements() {
		if set.Tag != "instance_attributes" {
			continue
		}
		var moved []*etree.Element
		for _, p := range set.ChildElements() {
			name := document.Get(p, "name")
			if p.Tag != "nvpair" || !slices.Contains(opMeta, name) {
				continue
			}
			if !taken[name] && (last[name] == nil || last[name] == set) {
				moved = append(moved, document.Clone(p))
			}
			drop(p)
		}
		rule := document.Child(set, "rule")
		switch {
		case rule == nil:
			plain = append(plain, moved...)
		case len(moved) > 0:
			meta := document.New("meta_attributes", "id", prefix210+document.ID(set))
			meta.AddChild(document.Clone(rule))
			for _, p := range moved {
				meta.AddChild(p)
			}
			ruled = append(ruled, meta)
		}
	}
	if len(plain) > 0 {
		into := plainMeta(op)
		for _, p := range plain {
			into.AddChild(p)
		}
	}
	for _, meta := range ruled {
		op.AddChild(meta)
	}
}

// plainMeta gives the operation's first meta-attributes without a rule.
func plainMeta(op *etree.Element) *etree.Element {
	for set := range document.Children(op, "meta_attributes") {
		if document.Child(set, "rule") == nil {
			return set
		}
	}
	return document.Add(op, "meta_attributes", "id", prefix210+document.ID(op)+"-meta")
}
