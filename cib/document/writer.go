// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package document

import (
	"github.com/beevik/etree"
)

// Format gives the element as text, indented by two spaces per level, with a
// newline at the end: what cibadmin prints and the disk holds.
func Format(e *etree.Element) []byte { return AppendFormat(nil, e, 0) }

// AppendFormat appends the element's indented text, begun at the given depth.
func AppendFormat(b []byte, e *etree.Element, depth int) []byte {
	return appendElement(b, e, depth)
}

// Compact gives the element as text on one line, without a newline.
func Compact(e *etree.Element) []byte { return AppendCompact(nil, e) }

// AppendCompact appends the element's text on one line.
func AppendCompact(b []byte, e *etree.Element) []byte {
	return appendElement(b, e, inline)
}

// inline, as a depth, asks for no line breaks.
const inline = -1

func appendElement(b []byte, e *etree.Element, depth int) []byte {
	b = appendIndent(b, depth)
	b = AppendStartTag(b, e, len(e.Child) == 0)
	if len(e.Child) == 0 {
		return appendBreak(b, depth)
	}
	inner := depth
	if depth != inline {
		inner = depth + 1
		if hasText(e) {
			inner = inline // a line break would become part of the text
		}
	}
	if inner != inline {
		b = append(b, '\n')
	}
	for _, t := range e.Child {
		switch t := t.(type) {
		case *etree.Element:
			b = appendElement(b, t, inner)
		case *etree.CharData:
			b = appendEscaped(b, t.Data, false)
		case *etree.Comment:
			b = appendIndent(b, inner)
			b = append(b, "<!--"...)
			b = append(b, t.Data...)
			b = append(b, "-->"...)
			b = appendBreak(b, inner)
		}
	}
	if inner != inline {
		b = appendIndent(b, depth)
	}
	b = append(b, "</"...)
	b = appendName(b, e.Space, e.Tag)
	b = append(b, '>')
	return appendBreak(b, depth)
}

// AppendStartTag appends the element's start tag, closed at once if empty.
func AppendStartTag(b []byte, e *etree.Element, empty bool) []byte {
	b = append(b, '<')
	b = appendName(b, e.Space, e.Tag)
	for i := range e.Attr {
		a := &e.Attr[i]
		b = append(b, ' ')
		b = appendName(b, a.Space, a.Key)
		b = append(b, '=', '"')
		b = appendEscaped(b, a.Value, true)
		b = append(b, '"')
	}
	if empty {
		b = append(b, '/')
	}
	return append(b, '>')
}

func appendName(b []byte, space, key string) []byte {
	if space != "" {
		b = append(b, space...)
		b = append(b, ':')
	}
	return append(b, key...)
}

const blanks = "                                "

func appendIndent(b []byte, depth int) []byte {
	for n := 2 * depth; n > 0; n -= len(blanks) {
		b = append(b, blanks[:min(n, len(blanks))]...)
	}
	return b
}

func appendBreak(b []byte, depth int) []byte {
	if depth == inline {
		return b
	}
	return append(b, '\n')
}

func hasText(e *etree.Element) bool {
	for _, t := range e.Child {
		if _, ok := t.(*etree.CharData); ok {
			return true
		}
	}
	return false
}

// EscapeAttr gives a value as it stands between double quotes.
func EscapeAttr(s string) string { return string(appendEscaped(nil, s, true)) }

func appendEscaped(b []byte, s string, attr bool) []byte {
	from := 0
	for i := range len(s) {
		var esc string
		switch s[i] {
		case '&':
			esc = "&amp;"
		case '<':
			esc = "&lt;"
		case '>':
			esc = "&gt;"
		case '\r':
			esc = "&#13;"
		case '"':
			if attr {
				esc = "&quot;"
			}
		case '\n':
			if attr {
				esc = "&#10;"
			}
		case '\t':
			if attr {
				esc = "&#9;"
			}
		}
		if esc != "" {
			b = append(b, s[from:i]...)
			b = append(b, esc...)
			from = i + 1
		}
	}
	return append(b, s[from:]...)
}
