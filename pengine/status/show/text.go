// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package show

import "strings"

// A Text is an indented list under construction.
type Text struct {
	b     strings.Builder
	depth int
}

// Begin opens a list with a header.
func (t *Text) Begin(header string) {
	if t.depth > 0 {
		t.b.WriteString(strings.Repeat("  ", t.depth) + "* ")
	}
	t.b.WriteString(header + ":\n")
	t.depth++
}

// Item adds one line.
func (t *Text) Item(line string) {
	t.b.WriteString(strings.Repeat("  ", t.depth) + "* " + line + "\n")
}

// End closes a list.
func (t *Text) End() { t.depth-- }

// Space adds an empty line.
func (t *Text) Space() { t.b.WriteByte('\n') }

// Line adds a line that belongs to no list.
func (t *Text) Line(s string) { t.b.WriteString(s + "\n") }

// String is the text so far.
func (t *Text) String() string { return t.b.String() }
