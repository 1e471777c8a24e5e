// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// made begins the ids of what the upgrade from 3.10 adds.
const made = "pcmk__3_10_upgrade-"

// An upgrader310 brings a CIB from schema 3.10 to 4.0.
type upgrader310 struct {
	root *etree.Element
	note func(string)
	// copies are elements that stand for a reference, with all below them, and
	// what the upgrade added: at the end, they become references again where
	// their id is defined elsewhere.
	copies  map[*etree.Element]bool
	changed bool
}

// upgrade310 changes what schema 4.0 no longer has: it takes references apart,
// changes everything in place and puts references together again.
func upgrade310(root *etree.Element, note func(string)) error {
	u := &upgrader310{root: root, note: note, copies: map[*etree.Element]bool{}}
	if err := u.resolve(); err != nil {
		return err
	}
	each(root, u.sets)
	each(root, u.settings)
	each(root, u.onlyFirst)
	u.nodes()
	u.promotables()
	u.manyRules()
	u.lifetimes()
	u.agents()
	u.dropped()
	u.references()
	return nil
}

// each calls f for the element and all below it, parents first; f may change
// the children of what it gets.
func each(e *etree.Element, f func(*etree.Element)) {
	f(e)
	for _, k := range e.ChildElements() {
		each(k, f)
	}
}

// replace puts elements in the place of a child.
func replace(old *etree.Element, with ...*etree.Element) {
	p := old.Parent()
	i := slices.IndexFunc(p.Child, func(t etree.Token) bool { return t == etree.Token(old) })
	p.RemoveChildAt(i)
	for k, e := range with {
		p.InsertChildAt(i+k, e)
	}
}

func drop(e *etree.Element) { e.Parent().RemoveChild(e) }

// copied makes a copy that the upgrade knows as one.
func (u *upgrader310) copied(e *etree.Element) *etree.Element {
	c := document.Clone(e)
	each(c, func(k *etree.Element) { u.copies[k] = true })
	return c
}

// added makes an element that was not there.
func (u *upgrader310) added(tag string, attrs ...string) *etree.Element {
	e := document.New(tag, attrs...)
	u.copies[e] = true
	u.changed = true
	return e
}

// maxResolved bounds what references may grow to.
const maxResolved = 100_000

// resolve puts a copy of what it refers to in the place of each reference.
func (u *upgrader310) resolve() error {
	byID := map[string][]*etree.Element{}
	total := 0
	each(u.root, func(e *etree.Element) {
		if id, ok := document.Lookup(e, "id"); ok {
			byID[id] = append(byID[id], e)
		}
	})
	var walk func(e *etree.Element, depth int) error
	walk = func(e *etree.Element, depth int) error {
		for _, k := range e.ChildElements() {
			ref, ok := document.Lookup(k, "id-ref")
			if !ok {
				if err := walk(k, depth); err != nil {
					return err
				}
				continue
			}
			var stand []*etree.Element
			for _, target := range byID[ref] {
				c := u.copied(target)
				if name, named := document.Lookup(k, "name"); named && k.Tag == "nvpair" {
					c.Child = nil
					document.Set(c, "id", made+ref+"-"+name)
					document.Set(c, "name", name)
				}
				stand = append(stand, c)
				if total++; total > maxResolved || depth > maxDepth {
					return fmt.Errorf("%w: references lead to themselves or to too much", ErrNotUpgradable)
				}
			}
			replace(k, stand...)
			for _, c := range stand {
				if err := walk(c, depth+1); err != nil {
					return err
				}
			}
		}
		return nil
	}
	return walk(u.root, 0)
}

// maxDepth bounds references within references.
const maxDepth = 32

var setTags = []string{"cluster_property_set", "instance_attributes", "meta_attributes", "utilization"}

// sets puts sets of options behind all else, in the order in which they count.
func (u *upgrader310) sets(e *etree.Element) {
	var other, sets []etree.Token
	for _, t := range e.Child {
		if k, ok := t.(*etree.Element); ok && slices.Contains(setTags, k.Tag) {
			sets = append(sets, t)
		} else {
			other = append(other, t)
		}
	}
	if len(sets) == 0 {
		return
	}
	slices.SortStableFunc(sets, func(a, b etree.Token) int {
		x, y := setRank(a.(*etree.Element)), setRank(b.(*etree.Element)) //nolint:forcetypeassert // gathered above
		return slices.Compare(x[:], y[:])
	})
	e.Child = append(other, sets...)
	e.ReindexChildren()
}

// setRank orders sets: the bootstrap options first, then by falling score.
func setRank(e *etree.Element) [2]int {
	if e.Tag == "cluster_property_set" && document.ID(e) == "cib-bootstrap-options" {
		return [2]int{0, 0}
	}
	score := document.Get(e, "score")
	switch score {
	case "INFINITY", "+INFINITY":
		return [2]int{1, 0}
	case "":
		return [2]int{3, 0}
	}
	n, err := strconv.Atoi(score)
	switch {
	case err != nil:
		return [2]int{5, 0}
	case n > 0:
		return [2]int{2, -n}
	case n == 0:
		return [2]int{3, 0}
	}
	return [2]int{4, -n}
}

// properties are cluster properties that have another name.
var properties = map[string]string{
	"crmd-finalization-timeout": "join-finalization-timeout",
	"crmd-integration-timeout":  "join-integration-timeout",
	"crmd-transition-delay":     "transition-delay",
}

// settings renames and drops single settings.
func (u *upgrader310) settings(e *etree.Element) {
	switch e.Tag {
	case "cib":
		document.Set(e, "validate-with", names[v40])
	case "date_spec":
		if document.Unset(e, "moon") {
			u.warn("Dropping moon attribute from date spec %s because moon phase is no longer supported", document.ID(e))
		}
	case "nvpair":
		u.setting(e)
	case "fencing-level":
		if n, err := strconv.Atoi(document.Get(e, "index")); err == nil && n > maxLevel {
			u.drop(e)
		}
	case "docker", "podman", "rkt":
		if n, ok := document.Lookup(e, "masters"); ok {
			rename(e, "masters", "promoted-max", n)
			u.changed = true
		}
	}
}

func (u *upgrader310) drop(e *etree.Element) {
	drop(e)
	u.changed = true
}

func (u *upgrader310) setting(e *etree.Element) {
	name := document.Get(e, "name")
	property := e.Parent().Tag == "cluster_property_set"
	switch {
	case property && name == "remove-after-stop":
		u.warn("Dropping nvpair %s because the remove-after-stop property is unsupported", document.ID(e))
		u.drop(e)
	case !has(e, "value"):
		u.drop(e)
	case property && properties[name] != "":
		document.Set(e, "name", properties[name])
		u.changed = true
	case property && name == "stonith-action" && document.Get(e, "value") == "poweroff":
		document.Set(e, "value", "off")
		u.changed = true
	}
}

func (u *upgrader310) warn(format string, args ...any) {
	u.changed = true
	u.note("WARNING: " + fmt.Sprintf(format, args...))
}

// unset is a value that undoes those before it.
const unset = "#default"

// onlyFirst keeps, of several settings of a name in one set, the one that
// counts.
func (u *upgrader310) onlyFirst(set *etree.Element) {
	byName := map[string][]*etree.Element{}
	for p := range document.Children(set, "nvpair") {
		name := document.Get(p, "name")
		byName[name] = append(byName[name], p)
	}
	for _, p := range set.ChildElements() {
		list := byName[document.Get(p, "name")]
		if p.Tag != "nvpair" || len(list) < 2 || list[0] != p {
			continue
		}
		keep := 0
		for i, q := range list {
			if document.Get(q, "value") == unset {
				keep = i + 1
			}
		}
		keep = min(keep, len(list)-1)
		for i, q := range list {
			if i != keep {
				u.drop(q)
			}
		}
	}
}

// nodes makes members of ping nodes, on which nothing may run.
func (u *upgrader310) nodes() {
	constraints := document.Section(u.root, "constraints")
	for n := range document.Children(document.Section(u.root, "nodes"), "node") {
		if document.Get(n, "type") != "ping" {
			continue
		}
		document.Set(n, "type", "member")
		name := document.Get(n, "uname")
		constraints.AddChild(u.added("rsc_location", "id", made+"ping-node-ban-"+name, "rsc-pattern", ".*", "node", name,
			"score", "-INFINITY", "resource-discovery", "never"))
	}
}

// promotables makes promotable clones of the element master.
func (u *upgrader310) promotables() {
	each(document.Section(u.root, "resources"), func(e *etree.Element) {
		if e.Tag != "master" {
			return
		}
		e.Tag = "clone"
		id := made + "promotable-legacy-" + document.ID(e) + "-meta_attributes"
		meta := u.added("meta_attributes", "id", id, "score", "INFINITY")
		meta.AddChild(u.added("nvpair", "id", id+"-promotable", "name", "promotable", "value", "true"))
		e.InsertChildAt(0, meta)
	})
}

// manyRules makes a constraint of each rule where one has several.
func (u *upgrader310) manyRules() {
	split := map[string]int{}
	for loc := range document.Children(document.Section(u.root, "constraints"), "rsc_location") {
		var rules []*etree.Element
		for r := range document.Children(loc, "rule") {
			rules = append(rules, r)
		}
		if len(rules) < 2 {
			continue
		}
		split[document.ID(loc)] = len(rules)
		var parts []*etree.Element
		for i, rule := range rules {
			part := u.added("rsc_location")
			part.Attr = slices.Clone(loc.Attr)
			document.Set(part, "id", made+document.ID(loc)+"-"+strconv.Itoa(i+1))
			for _, tag := range []string{"resource_set", "rule", "lifetime"} {
				for k := range document.Children(loc, tag) {
					switch {
					case tag == "rule" && k != rule:
					case i == 0 || tag == "rule":
						part.AddChild(u.moved(k))
					default:
						part.AddChild(u.copied(k))
					}
				}
			}
			parts = append(parts, part)
		}
		replace(loc, parts...)
	}
	for p := range document.All(document.Section(u.root, "acls"), "acl_permission") {
		ref, ok := document.Lookup(p, "reference")
		if n := split[ref]; ok && n > 0 {
			var ids []string
			for i := range n {
				ids = append(ids, fmt.Sprintf("@id = '%s%s-%d'", made, ref, i+1))
			}
			rename(p, "reference", "xpath", "//*["+strings.Join(ids, " or ")+"]")
		}
	}
}

// rename puts one attribute in the place of another.
func rename(e *etree.Element, old, name, value string) {
	for i := range e.Attr {
		if e.Attr[i].Key == old {
			e.Attr[i].Key, e.Attr[i].Value = name, value
		}
	}
}

// moved is a clone that takes the original's place, as a copy or not.
func (u *upgrader310) moved(e *etree.Element) *etree.Element {
	c := document.Clone(e)
	var mark func(from, to *etree.Element)
	mark = func(from, to *etree.Element) {
		if u.copies[from] {
			u.copies[to] = true
		}
		a, b := from.ChildElements(), to.ChildElements()
		for i := range a {
			mark(a[i], b[i])
		}
	}
	mark(e, c)
	return c
}

// references puts references in the place of copies whose id is defined
// elsewhere, and takes from permissions what they referred to and is gone.
func (u *upgrader310) references() {
	ids, originals := map[string]bool{}, map[string]bool{}
	each(u.root, func(e *etree.Element) {
		if id, ok := document.Lookup(e, "id"); ok {
			ids[id] = true
			if !u.copies[e] {
				originals[id] = true
			}
		}
	})
	xpaths, seen := false, map[string]bool{}
	var walk func(e *etree.Element)
	walk = func(e *etree.Element) {
		if ref, ok := document.Lookup(e, "reference"); ok && e.Tag == "acl_permission" && !ids[ref] {
			rename(e, "reference", "xpath", "/*[false()]")
		}
		xpaths = xpaths || e.Tag == "acl_permission" && has(e, "xpath")
		id, ok := document.Lookup(e, "id")
		if ok && u.copies[e] && (originals[id] || seen[id]) {
			each(e, func(k *etree.Element) { seen[document.ID(k)] = true })
			e.Attr, e.Child = nil, nil
			document.Set(e, "id-ref", id)
			return
		}
		seen[id] = true
		for _, k := range e.ChildElements() {
			walk(k)
		}
	}
	walk(u.root)
	if xpaths && u.changed {
		u.note(`WARNING: CIB syntax changes may invalidate ACLs that use "xpath". It is strongly recommended to run ` +
			`"cibadmin --upgrade" and then examine the updated CIB carefully to ensure ACLs still match the desired intent.`)
	}
}
