// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package document

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/beevik/etree"
)

// declaration reads the XML declaration, if there is one. Only version 1.x and
// UTF-8 (or its subset ASCII) are accepted.
func (r *reader) declaration() error {
	if !strings.HasPrefix(r.s, "<?xml") || len(r.s) < 6 || !strings.ContainsRune(" \t\r\n", rune(r.s[5])) {
		return nil
	}
	end := strings.Index(r.s, "?>")
	if end < 0 {
		return r.fail(0, "XML declaration is not closed")
	}
	decl := reader{s: r.s[5:end] + "/>", lim: r.lim}
	var e etree.Element
	if _, err := decl.attributes(&e); err != nil {
		return r.fail(0, "malformed XML declaration")
	}
	seen := map[string]string{}
	for _, a := range e.Attr {
		seen[a.Key] = a.Value
	}
	if !strings.HasPrefix(seen["version"], "1.") {
		return r.fail(0, "XML version %q is not supported", seen["version"])
	}
	switch enc := strings.ToLower(seen["encoding"]); enc {
	case "", "utf-8", "utf8", "us-ascii", "ascii":
	default:
		return r.fail(0, "encoding %q is not supported, only UTF-8 is", enc)
	}
	r.i = end + 2
	return nil
}

func (r *reader) procInst() error {
	end := strings.Index(r.s[r.i:], "?>")
	if end < 0 {
		return r.fail(r.i, "processing instruction is not closed")
	}
	at := r.i
	r.i += 2
	_, target, err := r.name("processing instruction")
	if err != nil {
		return err
	}
	if strings.EqualFold(target, "xml") {
		return r.fail(at, "XML declaration is allowed only at the start")
	}
	r.i = at + end + 2
	return nil
}

func (r *reader) comment() error {
	body := r.i + 4
	end := strings.Index(r.s[body:], "--")
	if end < 0 {
		return r.fail(r.i, "comment is not closed")
	}
	if !strings.HasPrefix(r.s[body+end:], "-->") {
		return r.fail(body+end, "-- is not allowed in a comment")
	}
	if end > r.lim.Value {
		return r.fail(r.i, "comment exceeds %d bytes", r.lim.Value)
	}
	if r.cur != nil {
		r.cur.AddChild(etree.NewComment(newlines(r.s[body : body+end])))
	}
	r.i = body + end + 3
	return nil
}

func (r *reader) cdata() error {
	const open, closing = "<![CDATA[", "]]>"
	if r.cur == nil {
		return r.fail(r.i, "CDATA outside of the root element")
	}
	body := r.i + len(open)
	end := strings.Index(r.s[body:], closing)
	if end < 0 {
		return r.fail(r.i, "CDATA is not closed")
	}
	if end > r.lim.Value {
		return r.fail(r.i, "text exceeds %d bytes", r.lim.Value)
	}
	r.addText(newlines(r.s[body : body+end]))
	r.i = body + end + len(closing)
	return nil
}

// text reads character data up to the next '<'.
func (r *reader) text() error {
	from := r.i
	r.blanks()
	if r.i >= len(r.s) || r.s[r.i] == '<' {
		return nil
	}
	end := strings.IndexByte(r.s[r.i:], '<')
	if end < 0 {
		end = len(r.s)
	} else {
		end += r.i
	}
	if r.cur == nil {
		return r.fail(r.i, "text outside of the root element")
	}
	if end-from > r.lim.Value {
		return r.fail(from, "text exceeds %d bytes", r.lim.Value)
	}
	raw := r.s[from:end]
	if k := strings.Index(raw, "]]>"); k >= 0 {
		return r.fail(from+k, "]]> is not allowed in text")
	}
	if !strings.ContainsAny(raw, "&\r") {
		r.addText(raw)
		r.i = end
		return nil
	}
	var b strings.Builder
	for i := from; i < end; i++ {
		switch c := r.s[i]; c {
		case '&':
			ch, n, err := r.reference(i)
			if err != nil {
				return err
			}
			b.WriteRune(ch)
			i += n - 1
		case '\r':
			if i+1 < end && r.s[i+1] == '\n' {
				i++
			}
			b.WriteByte('\n')
		default:
			b.WriteByte(c)
		}
	}
	r.addText(b.String())
	r.i = end
	return nil
}

// addText joins neighbouring runs, so that a document has one form.
func (r *reader) addText(s string) {
	if n := len(r.cur.Child); n > 0 {
		if cd, ok := r.cur.Child[n-1].(*etree.CharData); ok {
			cd.SetData(cd.Data + s)
			return
		}
	}
	if s != "" && strings.Trim(s, " \t\r\n") != "" {
		r.cur.AddChild(etree.NewText(s))
	}
}

func newlines(s string) string {
	if !strings.Contains(s, "\r") {
		return s
	}
	return strings.ReplaceAll(strings.ReplaceAll(s, "\r\n", "\n"), "\r", "\n")
}

// maxReference bounds the text of a character reference.
const maxReference = 12

// reference reads what an '&' at i begins and gives the character and the
// length of the text. Only XML's five entities and numbers are known.
func (r *reader) reference(i int) (rune, int, error) {
	s := r.s[i:min(len(r.s), i+maxReference)]
	end := strings.IndexByte(s, ';')
	if end < 2 {
		return 0, 0, r.fail(i, "& begins no character reference")
	}
	name := s[1:end]
	switch name {
	case "lt":
		return '<', end + 1, nil
	case "gt":
		return '>', end + 1, nil
	case "amp":
		return '&', end + 1, nil
	case "quot":
		return '"', end + 1, nil
	case "apos":
		return '\'', end + 1, nil
	}
	if name[0] != '#' {
		return 0, 0, r.fail(i, "entity %s is not defined", name)
	}
	digits, base := name[1:], 10
	if strings.HasPrefix(digits, "x") {
		digits, base = digits[1:], 16
	}
	if strings.ContainsAny(digits, "+-_") {
		return 0, 0, r.fail(i, "malformed character reference &%s;", name)
	}
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || !isChar(n) {
		return 0, 0, r.fail(i, "character reference &%s; names no XML character", name)
	}
	return rune(n), end + 1, nil
}

func isChar(n uint64) bool {
	switch {
	case n == '\t' || n == '\n' || n == '\r':
		return true
	case n < ' ', n >= 0xD800 && n < 0xE000, n == 0xFFFE, n == 0xFFFF, n > unicode.MaxRune:
		return false
	}
	return true
}

// nameByte marks ASCII bytes of names: 1 may begin one, 2 may follow.
var nameByte = func() (t [256]byte) {
	for c := 'a'; c <= 'z'; c++ {
		t[c], t[c-'a'+'A'] = 1, 1
	}
	t['_'] = 1
	for c := '0'; c <= '9'; c++ {
		t[c] = 2
	}
	t['-'], t['.'] = 2, 2
	return t
}()

// name reads a qualified name.
func (r *reader) name(what string) (space, local string, err error) {
	at := r.i
	local, err = r.ncName(what, at)
	if err != nil {
		return "", "", err
	}
	if r.i < len(r.s) && r.s[r.i] == ':' {
		r.i++
		space = local
		local, err = r.ncName(what, at)
	}
	return space, local, err
}

func (r *reader) ncName(what string, at int) (string, error) {
	from := r.i
	for r.i < len(r.s) {
		c := r.s[r.i]
		if k := nameByte[c]; k == 1 || (k == 2 && r.i > from) {
			r.i++
			continue
		}
		if c < utf8.RuneSelf {
			break
		}
		ch, size := utf8.DecodeRuneInString(r.s[r.i:])
		if !nameRune(ch, r.i == from) {
			break
		}
		r.i += size
	}
	if r.i == from {
		return "", r.fail(r.i, "name of an %s expected", what)
	}
	if r.i-at > r.lim.Name {
		return "", r.fail(at, "name of an %s exceeds %d bytes", what, r.lim.Name)
	}
	return r.s[from:r.i], nil
}

// nameRune is XML 1.0's NameStartChar and NameChar beyond ASCII.
func nameRune(c rune, first bool) bool {
	switch {
	case c >= 0xC0 && c <= 0x2FF:
		return c != 0xD7 && c != 0xF7
	case c >= 0x370 && c <= 0x1FFF:
		return c != 0x37E
	case c == 0x200C || c == 0x200D,
		c >= 0x2070 && c <= 0x218F,
		c >= 0x2C00 && c <= 0x2FEF,
		c >= 0x3001 && c <= 0xD7FF,
		c >= 0xF900 && c <= 0xFDCF,
		c >= 0xFDF0 && c <= 0xFFFD,
		c >= 0x10000 && c <= 0xEFFFF:
		return true
	case c == 0xB7, c >= 0x300 && c <= 0x36F, c == 0x203F || c == 0x2040:
		return !first
	}
	return false
}
