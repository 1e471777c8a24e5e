// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package xpath

import (
	"strings"

	"github.com/antchfx/xpath"
	"github.com/beevik/etree"
)

// element, as index of attribute or text, means that the navigator stands on
// an element.
const element = -1

// navigator walks a tree. It stands on the document (cur nil), on an element,
// on an attribute of it, or on a text or comment among its children.
type navigator struct {
	root   *etree.Element
	cur    *etree.Element
	attr   int
	text   int // index of a child of cur that is no element
	budget *int
}

func (n *navigator) step() {
	if *n.budget--; *n.budget < 0 {
		panic(overrun{})
	}
}

func (n *navigator) match() Match {
	m := Match{Element: n.cur}
	switch {
	case n.cur == nil:
	case n.attr != element:
		m.Attr, m.Value = n.cur.Attr[n.attr].FullKey(), n.cur.Attr[n.attr].Value
	case n.text != element:
		m.Text, m.Value = true, n.Value()
	}
	return m
}

// NodeType implements xpath.NodeNavigator.
func (n *navigator) NodeType() xpath.NodeType {
	switch {
	case n.cur == nil:
		return xpath.RootNode
	case n.attr != element:
		return xpath.AttributeNode
	case n.text != element:
		if _, ok := n.cur.Child[n.text].(*etree.Comment); ok {
			return xpath.CommentNode
		}
		return xpath.TextNode
	}
	return xpath.ElementNode
}

// LocalName implements xpath.NodeNavigator.
func (n *navigator) LocalName() string {
	switch {
	case n.cur == nil || n.text != element:
		return ""
	case n.attr != element:
		return n.cur.Attr[n.attr].Key
	}
	return n.cur.Tag
}

// Prefix implements xpath.NodeNavigator.
func (n *navigator) Prefix() string {
	switch {
	case n.cur == nil || n.text != element:
		return ""
	case n.attr != element:
		return n.cur.Attr[n.attr].Space
	}
	return n.cur.Space
}

// Value implements xpath.NodeNavigator.
func (n *navigator) Value() string {
	n.step()
	switch {
	case n.cur == nil:
		return n.textOf(n.root)
	case n.attr != element:
		return n.cur.Attr[n.attr].Value
	case n.text != element:
		switch t := n.cur.Child[n.text].(type) {
		case *etree.CharData:
			return t.Data
		case *etree.Comment:
			return t.Data
		}
		return ""
	}
	return n.textOf(n.cur)
}

func (n *navigator) textOf(e *etree.Element) string {
	n.step()
	var b strings.Builder
	for _, t := range e.Child {
		switch t := t.(type) {
		case *etree.CharData:
			b.WriteString(t.Data)
		case *etree.Element:
			b.WriteString(n.textOf(t))
		}
	}
	return b.String()
}

// Copy implements xpath.NodeNavigator.
func (n *navigator) Copy() xpath.NodeNavigator {
	n.step()
	c := *n
	return &c
}

// MoveToRoot implements xpath.NodeNavigator.
func (n *navigator) MoveToRoot() { n.cur, n.attr, n.text = nil, element, element }

// MoveToParent implements xpath.NodeNavigator.
func (n *navigator) MoveToParent() bool {
	n.step()
	switch {
	case n.cur == nil:
		return false
	case n.attr != element:
		n.attr = element
	case n.text != element:
		n.text = element
	case n.cur == n.root:
		n.cur = nil
	default:
		n.cur = n.cur.Parent()
	}
	return true
}

// MoveToNextAttribute implements xpath.NodeNavigator.
func (n *navigator) MoveToNextAttribute() bool {
	n.step()
	if n.cur == nil || n.text != element {
		return false
	}
	for i := n.attr + 1; i < len(n.cur.Attr); i++ {
		a := &n.cur.Attr[i]
		if a.Space == "xmlns" || (a.Space == "" && a.Key == "xmlns") {
			continue // declarations are no attributes to XPath
		}
		n.attr = i
		return true
	}
	return false
}

// MoveToChild implements xpath.NodeNavigator.
func (n *navigator) MoveToChild() bool {
	n.step()
	switch {
	case n.cur == nil:
		n.cur = n.root
		return true
	case n.attr != element || n.text != element || len(n.cur.Child) == 0:
		return false
	}
	return n.stand(n.cur, 0, 1)
}

// MoveToFirst implements xpath.NodeNavigator.
func (n *navigator) MoveToFirst() bool {
	n.step()
	parent, i, ok := n.place()
	return ok && i > 0 && n.stand(parent, 0, 1)
}

// MoveToNext implements xpath.NodeNavigator.
func (n *navigator) MoveToNext() bool {
	n.step()
	parent, i, ok := n.place()
	return ok && n.stand(parent, i+1, 1)
}

// MoveToPrevious implements xpath.NodeNavigator.
func (n *navigator) MoveToPrevious() bool {
	n.step()
	parent, i, ok := n.place()
	return ok && n.stand(parent, i-1, -1)
}

// MoveTo implements xpath.NodeNavigator.
func (n *navigator) MoveTo(other xpath.NodeNavigator) bool {
	o, ok := other.(*navigator)
	if !ok || o.root != n.root {
		return false
	}
	n.cur, n.attr, n.text = o.cur, o.attr, o.text
	return true
}

// place gives the parent and the index among its children.
func (n *navigator) place() (parent *etree.Element, index int, ok bool) {
	switch {
	case n.cur == nil || n.attr != element:
		return nil, 0, false
	case n.text != element:
		return n.cur, n.text, true
	case n.cur == n.root:
		return nil, 0, false
	}
	return n.cur.Parent(), n.cur.Index(), true
}

// stand moves to the first child from index i on, in the direction, that XPath
// knows.
func (n *navigator) stand(parent *etree.Element, i, direction int) bool {
	for ; i >= 0 && i < len(parent.Child); i += direction {
		switch t := parent.Child[i].(type) {
		case *etree.Element:
			n.cur, n.attr, n.text = t, element, element
			return true
		case *etree.CharData, *etree.Comment:
			n.cur, n.attr, n.text = parent, element, i
			return true
		}
	}
	return false
}
