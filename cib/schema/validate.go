// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package schema

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// MaxFaults bounds what one validation reports.
const MaxFaults = 50

// Names of the schemas, oldest first.
var names = []string{
	"pacemaker-1.0", "pacemaker-1.1", "pacemaker-1.2", "pacemaker-1.3", "pacemaker-2.0", "pacemaker-2.1", "pacemaker-2.2",
	"pacemaker-2.3", "pacemaker-2.4", "pacemaker-2.5", "pacemaker-2.6", "pacemaker-2.7", "pacemaker-2.8", "pacemaker-2.9",
	"pacemaker-2.10", "pacemaker-3.0", "pacemaker-3.1", "pacemaker-3.2", "pacemaker-3.3", "pacemaker-3.4", "pacemaker-3.5",
	"pacemaker-3.6", "pacemaker-3.7", "pacemaker-3.8", "pacemaker-3.9", "pacemaker-3.10", "pacemaker-4.0",
}

// A Fault is one thing that is wrong, with its place.
type Fault struct {
	Line    int // 0 where it is not known
	Element string
	Path    string
	Msg     string
}

// String gives the fault in the form that libxml2 users know.
func (f Fault) String() string {
	if f.Line > 0 {
		return fmt.Sprintf("line %d: element %s: %s", f.Line, f.Element, f.Msg)
	}
	return fmt.Sprintf("element %s (%s): %s", f.Element, f.Path, f.Msg)
}

// Known tells whether a validate-with value names a schema, or is "none".
func Known(name string) bool { return name == "none" || slices.Contains(names, name) }

// Older tells whether the schema comes before Latest.
func Older(name string) bool {
	i, j := slices.Index(names, name), slices.Index(names, Latest())
	return i >= 0 && i < j
}

// Latest is the schema that an upgrade leads to.
func Latest() string { return document.DefaultSchema }

// Validate gives what is wrong with a CIB, nil if nothing is. Lines may be nil.
// With validate-with="none" nothing is wrong.
func Validate(root *etree.Element, lines document.Lines) []Fault {
	v := validator{lines: lines, ids: map[string]*etree.Element{}}
	if root.Tag != "cib" {
		v.fault(root, "a CIB begins with the element cib")
		return v.faults
	}
	switch with, ok := document.Lookup(root, "validate-with"); {
	case !ok:
		v.fault(root, "attribute validate-with is missing")
	case with == "none":
		return nil
	case !Known(with):
		v.fault(root, fmt.Sprintf("validate-with=%q names no known schema", with))
	}
	for _, name := range []string{"admin_epoch", "epoch", "num_updates"} {
		val, ok := document.Lookup(root, name)
		if !ok {
			v.fault(root, "attribute "+name+" is missing")
		} else if _, err := strconv.ParseUint(val, 10, 63); err != nil {
			v.fault(root, fmt.Sprintf("%s=%q is no number of 0 or more", name, val))
		}
	}
	v.element(root)
	v.references()
	return v.faults
}

type validator struct {
	lines  document.Lines
	ids    map[string]*etree.Element
	refs   []reference
	faults []Fault
}

type reference struct {
	from *etree.Element
	attr string
	to   string
	kin  bool // the target is an element of the same kind
}

func (v *validator) fault(e *etree.Element, msg string) {
	if len(v.faults) < MaxFaults {
		v.faults = append(v.faults, Fault{Line: v.lines[e], Element: e.FullTag(), Path: document.Path(e), Msg: msg})
	}
}

func (v *validator) element(e *etree.Element) {
	if e.Tag == "status" && e.Parent() != nil && e.Parent().Tag == "cib" {
		return
	}
	def, ok := elements[e.FullTag()]
	if !ok {
		v.fault(e, "unknown element")
		return
	}
	v.attributes(e, def)
	counts := map[string]int{}
	for _, t := range e.Child {
		switch t := t.(type) {
		case *etree.CharData:
			v.fault(e, fmt.Sprintf("text is not allowed here: %.40q", strings.TrimSpace(t.Data)))
		case *etree.Element:
			counts[t.FullTag()]++
			if _, ok := def.kids[t.FullTag()]; !ok {
				v.fault(t, v.misplaced(e, t, def))
				continue
			}
			v.element(t)
		}
	}
	for _, kid := range def.kidList {
		switch need := def.kids[kid]; {
		case need == '!' && counts[kid] == 0, need == '+' && counts[kid] == 0:
			v.fault(e, "expecting an element "+kid+", got nothing")
		case need == '!' && counts[kid] > 1:
			v.fault(e, fmt.Sprintf("element %s is given %d times", kid, counts[kid]))
		}
	}
	v.special(e, counts)
}

func (v *validator) misplaced(parent, child *etree.Element, def element) string {
	if _, known := elements[child.FullTag()]; !known {
		return "unknown element in " + parent.FullTag()
	}
	if len(def.kidList) == 0 {
		return "is not allowed in " + parent.FullTag() + ", which has no children"
	}
	return "is not allowed in " + parent.FullTag() + ", only " + strings.Join(def.kidList, ", ")
}

// special checks what the table cannot say.
func (v *validator) special(e *etree.Element, counts map[string]int) {
	switch e.Tag {
	case "clone", "master":
		if n := counts["primitive"] + counts["group"]; n != 1 {
			v.fault(e, fmt.Sprintf("needs exactly one primitive or group, has %d", n))
		}
	case "bundle":
		if n := counts["docker"] + counts["podman"] + counts["rkt"]; n != 1 {
			v.fault(e, fmt.Sprintf("needs exactly one of docker, podman, rkt, has %d", n))
		}
	case "primitive", "template":
		class := document.Get(e, "class")
		_, provider := document.Lookup(e, "provider")
		switch {
		case class == "ocf" && !provider:
			v.fault(e, "class ocf needs a provider")
		case class != "" && class != "ocf" && provider:
			v.fault(e, "only class ocf has a provider")
		}
		if _, ok := document.Lookup(e, "type"); class != "" && !ok {
			v.fault(e, "attribute type is missing")
		}
	case "op":
		v.needUnlessRef(e, "name", "interval")
	case "nvpair":
		v.needUnlessRef(e, "name")
	}
}

func (v *validator) needUnlessRef(e *etree.Element, names ...string) {
	if _, ref := document.Lookup(e, "id-ref"); ref {
		return
	}
	for _, name := range names {
		if _, ok := document.Lookup(e, name); !ok {
			v.fault(e, "attribute "+name+" is missing")
		}
	}
}

func (v *validator) attributes(e *etree.Element, def element) {
	for i := range e.Attr {
		a := &e.Attr[i]
		rule, ok := def.attrs[a.FullKey()]
		if !ok {
			if !def.anyAttr {
				v.fault(e, "unknown attribute "+a.FullKey())
			}
			continue
		}
		v.value(e, rule, a.Value)
	}
	for _, name := range def.order {
		if _, ok := document.Lookup(e, name); !ok && def.attrs[name].required {
			v.fault(e, "attribute "+name+" is missing")
		}
	}
	for _, group := range def.oneOf {
		if n := present(e, group); n != 1 {
			v.fault(e, fmt.Sprintf("needs exactly one of the attributes %s, has %d", strings.Join(group, ", "), n))
		}
	}
	for _, group := range def.mostOne {
		if present(e, group) > 1 {
			v.fault(e, "allows only one of the attributes "+strings.Join(group, ", "))
		}
	}
}

func present(e *etree.Element, group []string) int {
	n := 0
	for _, name := range group {
		if _, ok := document.Lookup(e, name); ok {
			n++
		}
	}
	return n
}

func (v *validator) value(e *etree.Element, rule attr, val string) {
	switch rule.kind {
	case "":
		if rule.name == "id" && val == "" {
			v.fault(e, "id is empty")
		}
	case "id":
		v.id(e, val)
	case "ref":
		v.refs = append(v.refs, reference{e, rule.name, val, true})
	case "idref":
		v.refs = append(v.refs, reference{e, rule.name, val, false})
	case "score":
		if !Score(val) {
			v.fault(e, fmt.Sprintf("%s=%q is no score: an integer, INFINITY or -INFINITY", rule.name, val))
		}
	case "index":
		if n, err := strconv.Atoi(val); err != nil || n < 1 {
			v.fault(e, fmt.Sprintf("%s=%q is no positive number", rule.name, val))
		}
	default:
		if allowed := enums[rule.kind]; !slices.Contains(allowed, val) {
			v.fault(e, fmt.Sprintf("%s=%q is none of %s", rule.name, val, strings.Join(allowed, ", ")))
		}
	}
}

func (v *validator) id(e *etree.Element, id string) {
	if !NCName(id) {
		v.fault(e, fmt.Sprintf("id=%q is no valid id: a letter or _, then letters, digits, _ - .", id))
		return
	}
	if first, dup := v.ids[id]; dup {
		where := document.Path(first)
		if n := v.lines[first]; n > 0 {
			where = fmt.Sprintf("line %d", n)
		}
		v.fault(e, fmt.Sprintf("id %s already defined (%s)", id, where))
		return
	}
	v.ids[id] = e
}

// references checks that each reference names something, and an id-ref an
// element of the same kind.
func (v *validator) references() {
	for _, r := range v.refs {
		switch to, ok := v.ids[r.to]; {
		case !ok:
			v.fault(r.from, fmt.Sprintf("IDREF attribute %s references an unknown ID %q", r.attr, r.to))
		case r.kin && to.Tag != r.from.Tag:
			v.fault(r.from, fmt.Sprintf("id-ref %s refers to a %s", r.to, to.Tag))
		}
	}
}

// Score tells whether a text is a score as the schemas have it.
func Score(s string) bool {
	switch s {
	case "INFINITY", "+INFINITY", "-INFINITY":
		return true
	}
	digits := strings.TrimLeft(s, "+-")
	if len(s)-len(digits) > 1 || digits == "" {
		return false
	}
	return strings.Trim(digits, "0123456789") == ""
}

// NCName tells whether a text may be an id.
func NCName(s string) bool {
	for i, c := range s {
		switch {
		case c == '_' || unicode.IsLetter(c):
		case i > 0 && (c == '-' || c == '.' || unicode.IsDigit(c) || unicode.IsMark(c) || c == 0xB7):
		default:
			return false
		}
	}
	return s != ""
}
