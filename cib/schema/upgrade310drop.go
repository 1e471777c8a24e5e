// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package schema

import (
	"slices"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// lifetimes makes a part of the rule of what limited a location in time, and
// drops the limits of other constraints.
func (u *upgrader310) lifetimes() {
	constraints := document.Section(u.root, "constraints")
	live := u.liveRules(constraints)
	for _, e := range constraints.ChildElements() {
		life := document.Child(e, "lifetime")
		switch {
		case life == nil:
		case e.Tag == "rsc_location":
			u.limited(e, life)
		default:
			u.warn("Dropping lifetime element from constraint %s because lifetime elements are no longer supported. "+
				"Any rules contained there will no longer apply to the constraint", document.ID(e))
			drop(life)
		}
	}
	if len(live) == 0 {
		return
	}
	const id = made + "coloc-order-lifetime-rules"
	keep := u.added("rsc_location", "id", id, "rsc-pattern", "a^")
	rule := u.added("rule", "id", id+"-rule", "score", "-INFINITY")
	for _, r := range live {
		rule.AddChild(r)
	}
	keep.AddChild(rule)
	constraints.AddChild(keep)
}

// liveRules are the rules defined in limits of colocations and orders that
// something else refers to.
func (u *upgrader310) liveRules(constraints *etree.Element) []*etree.Element {
	inLimit, all := map[string]int{}, map[string]int{}
	each(u.root, func(e *etree.Element) {
		if e.Tag != "rule" {
			return
		}
		all[document.ID(e)]++
		for p := e.Parent(); p != nil; p = p.Parent() {
			if p.Tag == "lifetime" && (p.Parent().Tag == "rsc_colocation" || p.Parent().Tag == "rsc_order") {
				inLimit[document.ID(e)]++
				break
			}
		}
	})
	var live []*etree.Element
	for _, e := range constraints.ChildElements() {
		if e.Tag != "rsc_colocation" && e.Tag != "rsc_order" {
			continue
		}
		for life := range document.Children(e, "lifetime") {
			for r := range document.Children(life, "rule") {
				if id := document.ID(r); !u.copies[r] && inLimit[id] != all[id] {
					live = append(live, u.moved(r))
				}
			}
		}
	}
	return live
}

// limited puts the rules of a limit beside what the constraint says itself.
func (u *upgrader310) limited(loc, life *etree.Element) {
	id := made + document.ID(loc)
	both := u.added("rule", "id", id+"-lifetime-and-rule", "boolean-op", "and")
	own := document.Child(loc, "rule")
	if own == nil {
		own = u.added("rule", "id", id+"-node-score-rule")
		if score, ok := document.Lookup(loc, "score"); ok {
			document.Set(own, "score", score)
		}
		own.AddChild(u.added("expression", "id", id+"-node-score-rule-expr", "attribute", "#uname", "operation", "eq",
			"value", document.Get(loc, "node")))
	} else {
		drop(own)
	}
	both.AddChild(own)
	var limits []*etree.Element
	for r := range document.Children(life, "rule") {
		limits = append(limits, r)
	}
	into := both
	if len(limits) > 1 {
		into = u.added("rule", "id", id+"-lifetime-or-rule", "boolean-op", "or")
		both.AddChild(into)
	}
	for _, r := range limits {
		drop(r)
		into.AddChild(r)
	}
	drop(life)
	document.Unset(loc, "node")
	document.Unset(loc, "score")
	loc.AddChild(both)
}

// agents drops resources whose kind no longer exists, with the constraints that
// are left without a resource.
func (u *upgrader310) agents() {
	gone := u.goneResources()
	if len(gone) == 0 {
		return
	}
	ids := map[string]bool{}
	for _, e := range gone {
		if e.Tag != "template" {
			ids[document.ID(e)] = true
		}
	}
	for _, e := range gone {
		if p := e.Parent(); p != nil {
			p.RemoveChild(e)
		}
	}
	u.changed = true
	var sets []*etree.Element
	each(u.root, func(e *etree.Element) {
		if e.Tag == "resource_set" {
			sets = append(sets, e)
		}
	})
	for _, set := range sets {
		refs := 0
		for _, r := range set.ChildElements() {
			if r.Tag == "resource_ref" && ids[document.ID(r)] {
				drop(r)
			} else if r.Tag == "resource_ref" {
				refs++
			}
		}
		if refs == 0 && set.Parent() != nil {
			c := set.Parent()
			drop(set)
			if document.Child(c, "resource_set") == nil && c.Parent() != nil {
				drop(c)
			}
		}
	}
	for _, c := range document.Section(u.root, "constraints").ChildElements() {
		for _, name := range []string{"rsc", "with-rsc", "first", "then"} {
			if ids[document.Get(c, name)] && c.Parent() != nil {
				drop(c)
			}
		}
	}
}

// goneClasses are classes of agents that no longer exist.
var goneClasses = []string{"nagios", "upstart"}

// goneResources lists what is to be dropped, parents first, and says why.
func (u *upgrader310) goneResources() []*etree.Element {
	resources := document.Section(u.root, "resources")
	templates := map[string]string{}
	for t := range document.All(resources, "template") {
		if slices.Contains(goneClasses, strings.ToLower(document.Get(t, "class"))) {
			templates[document.ID(t)] = document.Get(t, "class")
		}
	}
	class := func(p *etree.Element) (string, bool) {
		if c := document.Get(p, "class"); slices.Contains(goneClasses, strings.ToLower(c)) {
			return c, true
		}
		c, ok := templates[document.Get(p, "template")]
		return c, ok
	}
	empty := func(e *etree.Element) bool {
		for p := range document.All(e, "primitive") {
			if _, gone := class(p); !gone {
				return false
			}
		}
		return true
	}
	var out []*etree.Element
	var walk func(e *etree.Element)
	walk = func(e *etree.Element) {
		id := document.ID(e)
		switch e.Tag {
		case "template":
			if c, gone := templates[id]; gone {
				u.warn("Dropping template %s because %s resources are no longer supported", id, c)
				out = append(out, e)
			}
			return
		case "primitive":
			if c, gone := class(e); gone {
				u.warn("Dropping resource %s because %s resources are no longer supported", id, c)
				out = append(out, e)
			}
			return
		case "group", "clone":
			if empty(e) {
				u.note("INFO: Dropping " + e.Tag + " " + id + " because it would become empty")
				out = append(out, e)
				each(e, func(k *etree.Element) {
					if k != e && (k.Tag == "primitive" || k.Tag == "group") {
						out = append(out, k)
					}
				})
				return
			}
		case "bundle":
			if document.Child(e, "rkt") != nil {
				u.warn("Dropping bundle resource %s because rkt containers are no longer supported", id)
				out = append(out, e)
				return
			}
		}
		for _, k := range e.ChildElements() {
			walk(k)
		}
	}
	walk(resources)
	return out
}

// goneMeta are meta-attributes that no longer exist.
var goneMeta = []struct {
	parents, names []string
	hint           string
}{
	{
		[]string{"template", "primitive", "group", "clone", "bundle", "rsc_defaults"},
		[]string{"restart-type"},
		`Consider setting the "kind" attribute for relevant constraints`,
	},
	{
		[]string{"op", "op_defaults"},
		[]string{"can_fail", "role_after_failure"},
		`Consider setting the "on-fail" operation attribute instead`,
	},
}

// dropped drops meta-attributes that no longer exist.
func (u *upgrader310) dropped() {
	each(u.root, func(set *etree.Element) {
		if set.Tag != "meta_attributes" || set.Parent() == nil {
			return
		}
		for i := range goneMeta {
			g := &goneMeta[i]
			if !slices.Contains(g.parents, set.Parent().Tag) {
				continue
			}
			for _, p := range set.ChildElements() {
				if name := document.Get(p, "name"); p.Tag == "nvpair" && slices.Contains(g.names, name) {
					u.warn("Dropping %s meta-attribute from %s because it is no longer supported. %s", name, document.ID(set), g.hint)
					drop(p)
				}
			}
		}
	})
}
