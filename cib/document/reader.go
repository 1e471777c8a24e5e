// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package document

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// Lines tells on which line of the text each element began.
type Lines map[*etree.Element]int

// Parse reads a document with the default limits and gives its root element.
func Parse(text []byte) (*etree.Element, error) {
	return ParseString(string(text), DefaultLimits())
}

// ParseString reads a document with the limits given.
func ParseString(text string, lim Limits) (*etree.Element, error) {
	r := reader{s: text, lim: lim}
	return r.document()
}

// ParseLines reads a document and tells where each element began.
func ParseLines(text []byte) (*etree.Element, Lines, error) {
	r := reader{s: string(text), lim: DefaultLimits(), starts: []start{}}
	root, err := r.document()
	if err != nil {
		return nil, nil, err
	}
	lines := make(Lines, len(r.starts))
	line, pos := 1, 0
	for _, st := range r.starts {
		line += strings.Count(r.s[pos:st.pos], "\n")
		pos = st.pos
		lines[st.el] = line
	}
	return root, lines, nil
}

type start struct {
	el  *etree.Element
	pos int
}

// slab sizes: elements and attributes are allocated many at a time, which is
// what makes the reader fast.
const (
	firstSlab = 32
	maxSlab   = 512
)

type reader struct {
	s      string
	i      int
	lim    Limits
	count  int
	starts []start // nil unless lines are asked for

	elems  []etree.Element
	attrs  []etree.Attr
	slab   int
	depth  int
	cur    *etree.Element
	root   *etree.Element
	mark   int  // first byte not yet copied while a value is unescaped
	spaced bool // a prefix or xmlns occurs, so that scopes matter
}

func (r *reader) fail(pos int, format string, args ...any) error {
	if pos > len(r.s) {
		pos = len(r.s)
	}
	before := r.s[:pos]
	line := 1 + strings.Count(before, "\n")
	col := pos - strings.LastIndexByte(before, '\n')
	return &SyntaxError{Line: line, Col: col, Msg: fmt.Sprintf(format, args...)}
}

func (r *reader) document() (*etree.Element, error) {
	if len(r.s) > r.lim.Size {
		return nil, &SyntaxError{Line: 1, Col: 1, Msg: fmt.Sprintf(
			"document of %d bytes exceeds the limit of %d", len(r.s), r.lim.Size)}
	}
	if err := r.checkText(); err != nil {
		return nil, err
	}
	r.s = strings.TrimPrefix(r.s, "\uFEFF")
	if err := r.declaration(); err != nil {
		return nil, err
	}
	for r.i < len(r.s) {
		if err := r.content(); err != nil {
			return nil, err
		}
	}
	switch {
	case r.cur != nil:
		return nil, r.fail(len(r.s), "premature end: element %s is not closed", r.cur.FullTag())
	case r.root == nil:
		return nil, r.fail(len(r.s), "document is empty")
	}
	return r.root, nil
}

// checkText refuses bytes that no XML document may hold, wherever they stand.
func (r *reader) checkText() error {
	for i := 0; i < len(r.s); i++ {
		c := r.s[i]
		if c < ' ' && c != '\n' && c != '\t' && c != '\r' {
			return r.fail(i, "character 0x%02x is not allowed", c)
		}
		if c < utf8.RuneSelf {
			continue
		}
		n, size := utf8.DecodeRuneInString(r.s[i:])
		if n == utf8.RuneError && size <= 1 {
			return r.fail(i, "invalid UTF-8")
		}
		if n == 0xFFFE || n == 0xFFFF {
			return r.fail(i, "character U+%04X is not allowed", n)
		}
		i += size - 1
	}
	return nil
}

// content reads one piece: text, or what a '<' begins.
func (r *reader) content() error {
	if r.s[r.i] != '<' {
		return r.text()
	}
	rest := r.s[r.i:]
	if len(rest) < 2 {
		return r.fail(r.i, "premature end after <")
	}
	switch rest[1] {
	case '/':
		return r.endTag()
	case '?':
		return r.procInst()
	case '!':
		switch {
		case strings.HasPrefix(rest, "<!--"):
			return r.comment()
		case strings.HasPrefix(rest, "<![CDATA["):
			return r.cdata()
		case strings.HasPrefix(rest, "<!DOCTYPE"):
			return r.fail(r.i, "a document type (DOCTYPE) is not allowed")
		}
		return r.fail(r.i, "unknown markup <!")
	}
	return r.startTag()
}

func (r *reader) startTag() error {
	at := r.i
	if r.cur == nil && r.root != nil {
		return r.fail(at, "extra content after the root element")
	}
	if r.depth++; r.depth > r.lim.Depth {
		return r.fail(at, "elements nest deeper than %d", r.lim.Depth)
	}
	if r.count++; r.count > r.lim.Elements {
		return r.fail(at, "more than %d elements", r.lim.Elements)
	}
	r.i++
	space, tag, err := r.name("element")
	if err != nil {
		return err
	}
	e := r.newElement(space, tag)
	if r.starts != nil {
		r.starts = append(r.starts, start{e, at})
	}
	empty, err := r.attributes(e)
	if err != nil {
		return err
	}
	if r.cur != nil {
		r.cur.AddChild(e)
	} else {
		r.root = e
	}
	if r.spaced {
		if err := r.checkSpaces(e, at); err != nil {
			return err
		}
	}
	if empty {
		r.depth--
		return nil
	}
	r.cur = e
	return nil
}

func (r *reader) endTag() error {
	at := r.i
	if r.cur == nil {
		return r.fail(at, "end tag without a start")
	}
	r.i += 2
	space, tag, err := r.name("element")
	if err != nil {
		return err
	}
	if tag != r.cur.Tag || space != r.cur.Space {
		return r.fail(at, "opening and ending tag mismatch: %s and %s", r.cur.FullTag(), join(space, tag))
	}
	r.blanks()
	if r.i >= len(r.s) || r.s[r.i] != '>' {
		return r.fail(r.i, "end tag of %s is not closed by >", join(space, tag))
	}
	r.i++
	r.depth--
	r.cur = r.cur.Parent()
	return nil
}

func (r *reader) newElement(space, tag string) *etree.Element {
	if len(r.elems) == 0 {
		r.grow()
		r.elems = make([]etree.Element, r.slab)
	}
	e := &r.elems[0]
	r.elems = r.elems[1:]
	e.Space, e.Tag = space, tag
	if space != "" {
		r.spaced = true
	}
	return e
}

func (r *reader) grow() {
	switch {
	case r.slab == 0:
		r.slab = firstSlab
	case r.slab < maxSlab:
		r.slab *= 2
	}
}

func (r *reader) blanks() {
	for r.i < len(r.s) {
		switch r.s[r.i] {
		case ' ', '\n', '\t', '\r':
			r.i++
		default:
			return
		}
	}
}

func join(space, key string) string {
	if space == "" {
		return key
	}
	return space + ":" + key
}
