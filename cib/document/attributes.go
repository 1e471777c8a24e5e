// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package document

import (
	"strings"

	"github.com/beevik/etree"
)

// minAttrs is how much of a slab must be left to begin an element in it: one
// element's attributes are contiguous.
const minAttrs = 16

// attributes reads up to the end of a start tag, and tells whether it was an
// empty-element tag.
func (r *reader) attributes(e *etree.Element) (empty bool, err error) {
	if len(r.attrs) < minAttrs {
		r.attrs = make([]etree.Attr, 4*r.slab)
	}
	n := 0
	for {
		before := r.i
		r.blanks()
		if r.i >= len(r.s) {
			return false, r.fail(r.i, "premature end in the start tag of %s", e.FullTag())
		}
		switch r.s[r.i] {
		case '>':
			r.i++
			r.seal(e, n)
			return false, nil
		case '/':
			if r.i+1 >= len(r.s) || r.s[r.i+1] != '>' {
				return false, r.fail(r.i, "/ without > in the start tag of %s", e.FullTag())
			}
			r.i += 2
			r.seal(e, n)
			return true, nil
		}
		if before == r.i {
			return false, r.fail(r.i, "white space is missing before an attribute of %s", e.FullTag())
		}
		if n >= r.lim.Attrs {
			return false, r.fail(r.i, "element %s has more than %d attributes", e.FullTag(), r.lim.Attrs)
		}
		if n == len(r.attrs) {
			more := make([]etree.Attr, 2*n+64)
			copy(more, r.attrs[:n])
			r.attrs = more
		}
		if err := r.attribute(e, n); err != nil {
			return false, err
		}
		n++
	}
}

// seal gives the n attributes read to the element.
func (r *reader) seal(e *etree.Element, n int) {
	if n > 0 {
		e.Attr = r.attrs[:n:n]
		r.attrs = r.attrs[n:]
	}
}

// attribute reads one attribute into the n-th place.
func (r *reader) attribute(e *etree.Element, n int) error {
	at := r.i
	space, key, err := r.name("attribute")
	if err != nil {
		return err
	}
	for j := range n {
		if r.attrs[j].Key == key && r.attrs[j].Space == space {
			return r.fail(at, "attribute %s of %s is given twice", join(space, key), e.FullTag())
		}
	}
	r.blanks()
	if r.i >= len(r.s) || r.s[r.i] != '=' {
		return r.fail(r.i, "attribute %s of %s has no value", join(space, key), e.FullTag())
	}
	r.i++
	r.blanks()
	value, err := r.value(key)
	if err != nil {
		return err
	}
	if space != "" || key == "xmlns" {
		r.spaced = true
	}
	a := &r.attrs[n]
	a.Space, a.Key, a.Value = space, key, value
	return nil
}

// stop marks the bytes that end the quick scan of a value.
var stop = func() (t [256]bool) {
	for _, c := range "\"'<&\t\n\r" {
		t[c] = true
	}
	return t
}()

// value reads a quoted value and normalises it as XML 1.0 section 3.3.3 says.
func (r *reader) value(key string) (string, error) {
	if r.i >= len(r.s) || (r.s[r.i] != '"' && r.s[r.i] != '\'') {
		return "", r.fail(r.i, "value of attribute %s is not quoted", key)
	}
	quote := r.s[r.i]
	r.i++
	from := r.i
	var b *strings.Builder
	for i := from; ; i++ {
		for i < len(r.s) && !stop[r.s[i]] {
			i++
		}
		if i >= len(r.s) {
			return "", r.fail(from-1, "value of attribute %s is not closed", key)
		}
		if i-from > r.lim.Value {
			return "", r.fail(from, "value of attribute %s exceeds %d bytes", key, r.lim.Value)
		}
		switch c := r.s[i]; c {
		case quote:
			v := r.s[from:i]
			r.i = i + 1
			if b != nil {
				b.WriteString(r.s[r.mark:i])
				v = b.String()
			}
			return v, nil
		case '<':
			return "", r.fail(i, "< is not allowed in the value of attribute %s", key)
		case '"', '\'':
		default:
			if b == nil {
				b = &strings.Builder{}
				r.mark = from
			}
			b.WriteString(r.s[r.mark:i])
			switch {
			case c == '&':
				ch, n, err := r.reference(i)
				if err != nil {
					return "", err
				}
				b.WriteRune(ch)
				i += n - 1
			case c == '\r' && strings.HasPrefix(r.s[i:], "\r\n"):
				b.WriteByte(' ')
				i++
			default:
				b.WriteByte(' ')
			}
			r.mark = i + 1
		}
	}
}

// checkSpaces refuses prefixes that no element in scope declares.
func (r *reader) checkSpaces(e *etree.Element, at int) error {
	if !declared(e, e.Space) {
		return r.fail(at, "namespace prefix %s of element %s is not defined", e.Space, e.Tag)
	}
	for _, a := range e.Attr {
		if a.Space != "xmlns" && !declared(e, a.Space) {
			return r.fail(at, "namespace prefix %s of attribute %s is not defined", a.Space, a.Key)
		}
		if a.Space == "xmlns" && a.Value == "" {
			return r.fail(at, "namespace prefix %s is declared empty", a.Key)
		}
	}
	return nil
}

func declared(e *etree.Element, prefix string) bool {
	if prefix == "" || prefix == "xml" {
		return true
	}
	for ; e != nil; e = e.Parent() {
		for i := range e.Attr {
			if e.Attr[i].Space == "xmlns" && e.Attr[i].Key == prefix {
				return true
			}
		}
	}
	return false
}
