// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"strconv"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// maxRefs bounds how many references are resolved in one document.
const maxRefs = 10000

// normalize brings an older or terse document into the one form that is
// unpacked: references by id-ref become copies, master becomes clone, a
// constraint with several rules becomes several constraints, lifetimes become
// rules. The element is changed.
func normalize(root *etree.Element) *etree.Element {
	config := document.Child(root, "configuration")
	if config == nil {
		return root
	}
	if hasRefs(config) {
		refs := 0
		resolve(config, document.NewIndex(config), &refs, 0)
	}
	for m := range document.All(document.Child(config, "resources"), "") {
		if m.Tag == "master" {
			promotableClone(m)
		}
	}
	constraints := document.Child(config, "constraints")
	if constraints == nil {
		return root
	}
	var out []etree.Token
	for _, t := range constraints.Child {
		e, ok := t.(*etree.Element)
		if !ok {
			continue
		}
		for _, split := range splitRules(e) {
			out = append(out, foldLifetime(split))
		}
	}
	constraints.Child = nil
	for _, t := range out {
		constraints.AddChild(t)
	}
	return root
}

// hasRefs tells whether anything refers to another element.
func hasRefs(e *etree.Element) bool {
	for k := range document.All(e, "") {
		if _, has := document.Lookup(k, "id-ref"); has {
			return true
		}
	}
	return false
}

// maxRefDepth bounds references to what holds references.
const maxRefDepth = 16

// resolve replaces each element that has id-ref by a copy of what it refers to.
func resolve(e *etree.Element, index document.Index, refs *int, depth int) {
	if depth > maxRefDepth {
		return
	}
	for i, t := range e.Child {
		k, ok := t.(*etree.Element)
		if !ok {
			continue
		}
		ref, has := document.Lookup(k, "id-ref")
		target := index[ref]
		if has && target != nil && target.Tag == k.Tag && target != k && *refs < maxRefs {
			*refs++
			cp := document.Clone(target)
			if name, named := document.Lookup(k, "name"); named && k.Tag == "nvpair" {
				document.Set(cp, "name", name)
			}
			e.RemoveChildAt(i)
			e.InsertChildAt(i, cp)
			k = cp
			resolve(k, index, refs, depth+1)
			continue
		}
		resolve(k, index, refs, depth)
	}
}

// promotableClone makes a clone of the legacy master element.
func promotableClone(m *etree.Element) {
	m.Tag = "clone"
	meta := etree.NewElement("meta_attributes")
	document.Set(meta, "id", document.ID(m)+"-promotable")
	document.Set(meta, "score", "INFINITY")
	p := document.Add(meta, "nvpair")
	document.Set(p, "id", document.ID(m)+"-promotable-true")
	document.Set(p, "name", "promotable")
	document.Set(p, "value", "true")
	m.InsertChildAt(0, meta)
}

// splitRules makes one constraint of each top rule of a location constraint.
func splitRules(e *etree.Element) []*etree.Element {
	if e.Tag != "rsc_location" {
		return []*etree.Element{e}
	}
	var rules []*etree.Element
	for r := range document.Children(e, "rule") {
		rules = append(rules, r)
	}
	if len(rules) < 2 {
		return []*etree.Element{e}
	}
	out := make([]*etree.Element, 0, len(rules))
	for i := range rules {
		cp := document.Clone(e)
		document.Set(cp, "id", document.ID(e)+"-"+strconv.Itoa(i+1))
		n := 0
		for j := 0; j < len(cp.Child); {
			if k, ok := cp.Child[j].(*etree.Element); ok && k.Tag == "rule" {
				if n++; n != i+1 {
					cp.RemoveChildAt(j)
					continue
				}
			}
			j++
		}
		out = append(out, cp)
	}
	return out
}

// foldLifetime makes the rule of a lifetime one of the constraint.
func foldLifetime(e *etree.Element) *etree.Element {
	life := document.Child(e, "lifetime")
	if life == nil {
		return e
	}
	e.RemoveChild(life)
	if e.Tag != "rsc_location" {
		return e
	}
	id := document.ID(e) + "-lifetime"
	limit := document.New("rule", "id", id, "boolean-op", "or")
	for r := range document.Children(life, "rule") {
		limit.AddChild(document.Clone(r))
	}
	both := document.New("rule", "id", id+"-and", "boolean-op", "and")
	if own := document.Child(e, "rule"); own != nil {
		for _, a := range []string{"score", "score-attribute", "role"} {
			if v, ok := document.Lookup(own, a); ok {
				document.Set(both, a, v)
			}
		}
		e.RemoveChild(own)
		both.AddChild(own)
	} else {
		document.Set(both, "score", document.Get(e, "score"))
		document.Add(both, "expression", "id", id+"-node", "attribute", "#uname", "operation", "eq", "value", document.Get(e, "node"))
		document.Unset(e, "score")
		document.Unset(e, "node")
	}
	both.AddChild(limit)
	e.AddChild(both)
	return e
}
