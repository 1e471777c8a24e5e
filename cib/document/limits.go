// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package document

import (
	"fmt"

	"github.com/beevik/etree"
)

// Limits bound what the reader accepts.
type Limits struct {
	Size     int // bytes of text
	Depth    int // elements inside each other
	Elements int // elements in all
	Attrs    int // attributes of one element
	Name     int // bytes of a name
	Value    int // bytes of one attribute value or one run of text
}

// DefaultLimits are the limits of Parse. A cluster of 100 nodes with thousands
// of resources stays far below them.
func DefaultLimits() Limits {
	return Limits{
		Size:     64 << 20,
		Depth:    256,
		Elements: 1_000_000,
		Attrs:    256,
		Name:     256,
		Value:    1 << 20,
	}
}

// A SyntaxError tells why and where a text is not a well-formed document, or
// which limit it exceeds. Line and Col count from 1, Col in bytes.
type SyntaxError struct {
	Line, Col int
	Msg       string
}

// Error implements error.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("document: line %d, column %d: %s", e.Line, e.Col, e.Msg)
}

// Check tells whether a tree keeps the limits, so that its text can be read
// back.
func Check(root *etree.Element, lim Limits) error {
	c := checker{lim: lim}
	return c.check(root, 1)
}

type checker struct {
	lim         Limits
	count, size int
}

func (c *checker) check(e *etree.Element, depth int) error {
	c.count++
	c.size += 2*len(e.Tag) + 5
	for i := range e.Attr {
		a := &e.Attr[i]
		c.size += len(a.Key) + len(a.Value) + 4
		if len(a.Value) > c.lim.Value {
			return fmt.Errorf("document: attribute %s of %s has %d bytes, the limit is %d", a.Key, e.Tag, len(a.Value), c.lim.Value)
		}
	}
	switch {
	case depth > c.lim.Depth:
		return fmt.Errorf("document: elements nest deeper than %d", c.lim.Depth)
	case c.count > c.lim.Elements:
		return fmt.Errorf("document: more than %d elements", c.lim.Elements)
	case len(e.Attr) > c.lim.Attrs:
		return fmt.Errorf("document: element %s has more than %d attributes", e.Tag, c.lim.Attrs)
	case c.size > c.lim.Size:
		return fmt.Errorf("document: larger than %d bytes", c.lim.Size)
	}
	for _, t := range e.Child {
		if k, ok := t.(*etree.Element); ok {
			if err := c.check(k, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}
