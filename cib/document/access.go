// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package document

import (
	"iter"

	"github.com/beevik/etree"
)

// Get gives the value of an attribute, "" where it is absent.
func Get(e *etree.Element, name string) string {
	v, _ := Lookup(e, name)
	return v
}

// Lookup gives the value of an attribute and whether it is there.
func Lookup(e *etree.Element, name string) (string, bool) {
	if e == nil {
		return "", false
	}
	for i := range e.Attr {
		if a := &e.Attr[i]; a.Key == name && a.Space == "" {
			return a.Value, true
		}
	}
	return "", false
}

// Set gives an attribute a value; a new one is put last. A qualified name is
// taken as prefix:key.
func Set(e *etree.Element, name, value string) {
	space, key := split(name)
	for i := range e.Attr {
		if a := &e.Attr[i]; a.Key == key && a.Space == space {
			a.Value = value
			return
		}
	}
	e.Attr = append(e.Attr, etree.Attr{Space: space, Key: key, Value: value})
}

// Unset removes an attribute and tells whether it was there.
func Unset(e *etree.Element, name string) bool {
	space, key := split(name)
	for i := range e.Attr {
		if a := &e.Attr[i]; a.Key == key && a.Space == space {
			e.Attr = append(e.Attr[:i:i], e.Attr[i+1:]...)
			return true
		}
	}
	return false
}

func split(name string) (space, key string) {
	for i := range len(name) {
		if name[i] == ':' {
			return name[:i], name[i+1:]
		}
	}
	return "", name
}

// New makes an element with attributes given as name, value, name, value …
func New(tag string, attrs ...string) *etree.Element {
	space, key := split(tag)
	e := &etree.Element{Space: space, Tag: key}
	if len(attrs) > 1 {
		e.Attr = make([]etree.Attr, 0, len(attrs)/2)
	}
	for i := 0; i+1 < len(attrs); i += 2 {
		Set(e, attrs[i], attrs[i+1])
	}
	return e
}

// Add makes an element as New does and appends it to the parent.
func Add(parent *etree.Element, tag string, attrs ...string) *etree.Element {
	e := New(tag, attrs...)
	parent.AddChild(e)
	return e
}

// ID gives the id of an element, "" where it has none.
func ID(e *etree.Element) string { return Get(e, "id") }

// Child gives the first child element with the tag, or nil.
func Child(e *etree.Element, tag string) *etree.Element {
	for c := range Children(e, tag) {
		return c
	}
	return nil
}

// Children walks the child elements with the tag, all of them if it is "".
func Children(e *etree.Element, tag string) iter.Seq[*etree.Element] {
	return func(yield func(*etree.Element) bool) {
		if e == nil {
			return
		}
		for _, t := range e.Child {
			c, ok := t.(*etree.Element)
			if ok && (tag == "" || c.Tag == tag) && !yield(c) {
				return
			}
		}
	}
}

// ChildWith gives the first child element with the tag (any, if "") whose
// attribute has the value, or nil.
func ChildWith(e *etree.Element, tag, attr, value string) *etree.Element {
	for c := range Children(e, tag) {
		if v, ok := Lookup(c, attr); ok && v == value {
			return c
		}
	}
	return nil
}

// At follows child tags down from e and gives the element there, or nil.
func At(e *etree.Element, tags ...string) *etree.Element {
	for _, tag := range tags {
		if e = Child(e, tag); e == nil {
			return nil
		}
	}
	return e
}

// All walks the element and everything below it, in document order, with the
// tag, or all of them if it is "".
func All(e *etree.Element, tag string) iter.Seq[*etree.Element] {
	return func(yield func(*etree.Element) bool) { walk(e, tag, yield) }
}

func walk(e *etree.Element, tag string, yield func(*etree.Element) bool) bool {
	if e == nil {
		return true
	}
	if (tag == "" || e.Tag == tag) && !yield(e) {
		return false
	}
	for _, t := range e.Child {
		if c, ok := t.(*etree.Element); ok && !walk(c, tag, yield) {
			return false
		}
	}
	return true
}

// ByID gives the first element below e (or e itself) with the tag, any if "",
// and the id, or nil.
func ByID(e *etree.Element, tag, id string) *etree.Element {
	for c := range All(e, tag) {
		if v, ok := Lookup(c, "id"); ok && v == id {
			return c
		}
	}
	return nil
}

// An Index finds elements by id. It is a picture of the tree when it was made.
type Index map[string]*etree.Element

// NewIndex indexes e and all below it. Where an id occurs twice, which only
// happens in the status section, the first one counts.
func NewIndex(e *etree.Element) Index {
	x := Index{}
	for c := range All(e, "") {
		if id := ID(c); id != "" {
			if _, dup := x[id]; !dup {
				x[id] = c
			}
		}
	}
	return x
}

// Clone copies an element and all below it; the copy has no parent. Strings
// are shared.
func Clone(e *etree.Element) *etree.Element {
	if e == nil {
		return nil
	}
	elems, attrs := count(e)
	c := cloner{elems: make([]etree.Element, elems), attrs: make([]etree.Attr, attrs)}
	return c.clone(e)
}

func count(e *etree.Element) (elems, attrs int) {
	elems, attrs = 1, len(e.Attr)
	for _, t := range e.Child {
		if c, ok := t.(*etree.Element); ok {
			ce, ca := count(c)
			elems, attrs = elems+ce, attrs+ca
		}
	}
	return elems, attrs
}

type cloner struct {
	elems []etree.Element
	attrs []etree.Attr
}

func (c *cloner) clone(e *etree.Element) *etree.Element {
	d := &c.elems[0]
	c.elems = c.elems[1:]
	d.Space, d.Tag = e.Space, e.Tag
	if n := len(e.Attr); n > 0 {
		d.Attr = c.attrs[:n:n]
		c.attrs = c.attrs[n:]
		copy(d.Attr, e.Attr)
	}
	if len(e.Child) == 0 {
		return d
	}
	d.Child = make([]etree.Token, 0, len(e.Child))
	for _, t := range e.Child {
		if n := CloneToken(t, c.clone); n != nil {
			d.AddChild(n)
		}
	}
	return d
}

// CloneToken copies one child of an element, elements by means of the function.
// Only elements, text and comments are known; others give nil.
func CloneToken(t etree.Token, element func(*etree.Element) *etree.Element) etree.Token {
	switch t := t.(type) {
	case *etree.Element:
		return element(t)
	case *etree.CharData:
		return etree.NewText(t.Data)
	case *etree.Comment:
		return etree.NewComment(t.Data)
	}
	return nil
}

// Equal tells whether two elements have the same name, attributes in any order,
// and equal children in the same order.
func Equal(a, b *etree.Element) bool {
	if a == nil || b == nil {
		return a == b
	}
	if a.Tag != b.Tag || a.Space != b.Space || len(a.Child) != len(b.Child) || !SameAttrs(a, b) {
		return false
	}
	for i := range a.Child {
		if !equalToken(a.Child[i], b.Child[i]) {
			return false
		}
	}
	return true
}

func equalToken(a, b etree.Token) bool {
	switch a := a.(type) {
	case *etree.Element:
		b, ok := b.(*etree.Element)
		return ok && Equal(a, b)
	case *etree.CharData:
		b, ok := b.(*etree.CharData)
		return ok && a.Data == b.Data
	case *etree.Comment:
		b, ok := b.(*etree.Comment)
		return ok && a.Data == b.Data
	}
	return false
}

// SameAttrs tells whether two elements have the same attributes, in any order.
func SameAttrs(a, b *etree.Element) bool {
	if len(a.Attr) != len(b.Attr) {
		return false
	}
	for i := range a.Attr {
		x := &a.Attr[i]
		if y := &b.Attr[i]; x.Key == y.Key && x.Value == y.Value && x.Space == y.Space {
			continue
		}
		if v, ok := lookupSpaced(b, x.Space, x.Key); !ok || v != x.Value {
			return false
		}
	}
	return true
}

func lookupSpaced(e *etree.Element, space, key string) (string, bool) {
	for i := range e.Attr {
		if a := &e.Attr[i]; a.Key == key && a.Space == space {
			return a.Value, true
		}
	}
	return "", false
}
