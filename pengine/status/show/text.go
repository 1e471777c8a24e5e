// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package show

import "strings"

// A Text is an indented list under construction.
type Text struct {
	// Plain drops headers and indentation, for programs that read the items.
	Plain bool

	b       strings.Builder
	depth   int
	settled int // the length of b up to the last item
}

// Begin opens a list with a header.
func (t *Text) Begin(header string) {
	if !t.Plain {
		t.indent()
		t.b.WriteString(header + ":\n")
	}
	t.depth++
}

func (t *Text) indent() {
	if t.depth > 0 {
		t.b.WriteString(strings.Repeat("  ", t.depth) + "* ")
	}
}

// Item adds one line.
func (t *Text) Item(line string) {
	if !t.Plain {
		t.indent()
	}
	t.b.WriteString(line + "\n")
	t.settled = t.b.Len()
}

// End closes a list.
func (t *Text) End() { t.depth-- }

// Space adds an empty line.
func (t *Text) Space() { t.b.WriteByte('\n') }

// Line adds a line that belongs to no list.
func (t *Text) Line(s string) { t.b.WriteString(s + "\n") }

// String is the text so far.
func (t *Text) String() string { return t.b.String() }

// Take gives the text so far and forgets it.
func (t *Text) Take() string {
	s := t.b.String()
	t.b.Reset()
	t.settled = 0
	return s
}

// TakeItems is Take of all up to the last item; a header or remark after that
// stays.
func (t *Text) TakeItems() string {
	s := t.b.String()
	settled := t.settled
	t.b.Reset()
	t.b.WriteString(s[settled:])
	t.settled = 0
	return s[:settled]
}
