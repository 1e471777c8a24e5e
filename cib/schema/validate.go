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

// Validate gives what is wrong with a CIB by the schema that it names, nil if
// nothing is. Lines may be nil. With validate-with="none" nothing is wrong.
func Validate(root *etree.Element, lines document.Lines) []Fault {
	v := validator{lines: lines, ids: map[string]*etree.Element{}, v: version(slices.Index(names, Latest()))}
	if root.Tag != "cib" {
		v.fault(root, "a CIB begins with the element cib")
		return v.faults
	}
	switch with, ok := document.Lookup(root, "validate-with"); {
	case !ok:
		v.fault(root, "attribute validate-with is missing")
	case with == unchecked:
		return nil
	case !Known(with):
		v.fault(root, fmt.Sprintf("validate-with=%q names no known schema", with))
	default:
		v.v = version(slices.Index(names, with))
	}
	v.run(root)
	return v.faults
}

// faultsBy gives what is wrong with a CIB by a schema that it need not name, no
// more than most of it.
func faultsBy(root *etree.Element, at version, most int) []Fault {
	v := validator{ids: map[string]*etree.Element{}, v: at, most: most}
	v.run(root)
	return v.faults
}

// valid tells whether a schema allows a CIB.
func valid(root *etree.Element, at version) bool { return len(faultsBy(root, at, 1)) == 0 }

type validator struct {
	v      version
	lines  document.Lines
	ids    map[string]*etree.Element
	refs   []reference
	faults []Fault
	most   int // faults that are wanted, 0 for MaxFaults
}

type reference struct {
	from *etree.Element
	attr string
	to   string
}

func (v *validator) fault(e *etree.Element, msg string) {
	if !v.full() {
		v.faults = append(v.faults, Fault{Line: v.lines[e], Element: e.FullTag(), Path: document.Path(e), Msg: msg})
	}
}

func (v *validator) full() bool {
	return len(v.faults) >= MaxFaults || v.most > 0 && len(v.faults) >= v.most
}

func (v *validator) run(root *etree.Element) {
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
}

func (v *validator) element(e *etree.Element) {
	if v.full() || e.Tag == "status" && e.Parent() != nil && e.Parent().Tag == "cib" {
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
			if k, ok := def.kids[t.FullTag()]; !ok || !k.in.has(v.v) {
				v.fault(t, v.misplaced(e, t, def))
				continue
			}
			v.element(t)
		}
	}
	v.counts(e, def, counts)
	v.special(e, counts)
}

// counts checks how often each child is there.
func (v *validator) counts(e *etree.Element, def element, counts map[string]int) {
	for _, name := range def.kidList {
		k := def.kids[name]
		switch {
		case !k.in.has(v.v):
		case (k.need == '!' || k.need == '+') && counts[name] == 0:
			v.fault(e, "expecting an element "+name+", got nothing")
		case (k.need == '!' || k.need == '?') && counts[name] > 1:
			v.fault(e, fmt.Sprintf("element %s is given %d times", name, counts[name]))
		}
	}
}

func (v *validator) misplaced(parent, child *etree.Element, def element) string {
	if _, known := elements[child.FullTag()]; !known {
		return "unknown element in " + parent.FullTag()
	}
	var list []string
	for _, name := range def.kidList {
		if def.kids[name].in.has(v.v) {
			list = append(list, name)
		}
	}
	if len(list) == 0 {
		return "is not allowed in " + parent.FullTag() + ", which has no children"
	}
	return "is not allowed in " + parent.FullTag() + ", only " + strings.Join(list, ", ") + v.inVersion(def.kids[child.FullTag()].in)
}

// inVersion says that something is only wrong in the schema at hand.
func (v *validator) inVersion(in span) string {
	if in == (span{}) || in.has(v.v) {
		return ""
	}
	return " (by schema " + names[v.v] + ")"
}

func (v *validator) attributes(e *etree.Element, def element) {
	for i := range e.Attr {
		a := &e.Attr[i]
		rule, ok := def.attrs[a.FullKey()]
		if !ok || !rule.in.has(v.v) {
			v.fault(e, "unknown attribute "+a.FullKey()+v.inVersion(rule.in))
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
		if has(e, name) {
			n++
		}
	}
	return n
}

func has(e *etree.Element, name string) bool {
	_, ok := document.Lookup(e, name)
	return ok
}

func (v *validator) value(e *etree.Element, rule attr, val string) {
	switch rule.kind {
	case "": // any text
	case "id":
		v.id(e, val)
	case "ref", "idref":
		v.refs = append(v.refs, reference{e, rule.name, val})
	case "member":
		if v.v < mustVersion("3.3") {
			v.refs = append(v.refs, reference{e, rule.name, val})
		}
	case "score":
		if !Score(val) {
			v.fault(e, fmt.Sprintf("%s=%q is no score: an integer, INFINITY or -INFINITY", rule.name, val))
		}
	case "int", "count", "index":
		v.number(e, rule, val)
	case "portrange", "devices":
		v.pattern(e, rule, val)
	default:
		if list := allowed(rule.kind, v.v); !slices.Contains(list, val) {
			v.fault(e, fmt.Sprintf("%s=%q is none of %s", rule.name, val, strings.Join(list, ", ")))
		}
	}
}

// maxLevel is the highest index of a fencing level since schema 4.0.
const maxLevel = 9

func (v *validator) number(e *etree.Element, rule attr, val string) {
	n, err := strconv.ParseInt(strings.TrimPrefix(val, "+"), 10, 64)
	switch {
	case rule.kind == "int" && err != nil:
		v.fault(e, fmt.Sprintf("%s=%q is no number", rule.name, val))
	case rule.kind == "count" && (err != nil || n < 0):
		v.fault(e, fmt.Sprintf("%s=%q is no number of 0 or more", rule.name, val))
	case rule.kind == "index" && (err != nil || n < 1):
		v.fault(e, fmt.Sprintf("%s=%q is no positive number", rule.name, val))
	case rule.kind == "index" && n > maxLevel && v.v >= v40:
		v.fault(e, fmt.Sprintf("%s=%q is more than %d", rule.name, val, maxLevel))
	}
}

func (v *validator) pattern(e *etree.Element, rule attr, val string) {
	good := val != ""
	switch rule.kind {
	case "portrange":
		good = good && strings.Trim(val, "0123456789-") == ""
	case "devices":
		for name := range strings.SplitSeq(val, ",") {
			good = good && name != "" && strings.IndexFunc(name, func(c rune) bool {
				return !strings.ContainsRune("_.-", c) && (c > unicode.MaxASCII || !unicode.IsLetter(c) && !unicode.IsDigit(c))
			}) < 0
		}
	}
	if !good {
		v.fault(e, fmt.Sprintf("%s=%q has not the form that is needed", rule.name, val))
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

// references checks that each reference names something.
func (v *validator) references() {
	for _, r := range v.refs {
		if v.ids[r.to] == nil {
			v.fault(r.from, fmt.Sprintf("IDREF attribute %s references an unknown ID %q", r.attr, r.to))
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
