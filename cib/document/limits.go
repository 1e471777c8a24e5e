// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package document

import "fmt"

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
