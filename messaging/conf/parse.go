// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package conf

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"
)

// Bounds of the file.
const (
	maxFileSize = 4 << 20 // bytes
	maxLine     = 511     // bytes of one line
	maxDepth    = 16      // nested sections
	maxKeyPath  = 255     // characters of section path and key
)

// A SyntaxError is a fault at one line.
type SyntaxError struct {
	File string
	Line int
	Text string
}

// Error gives the fault as corosync prints it.
func (e *SyntaxError) Error() string {
	return fmt.Sprintf("parser error: %s:%d: %s", e.File, e.Line, e.Text)
}

// A Section is one brace block, or the file itself.
type Section struct {
	Name string
	Line int
	Keys []Key
	Subs []*Section
}

// A Key is one "name: value" line.
type Key struct {
	Name, Value string
	Line        int
}

// Parse reads the text of a file. It checks the grammar alone: what the keys
// mean is for [Build].
func Parse(file string, text []byte) (*Section, error) {
	if len(text) > maxFileSize {
		return nil, &SyntaxError{file, 1, "File too long"}
	}
	p := parser{file: file, stack: []*Section{{}}}
	for text != nil {
		var line []byte
		line, text = cutLine(text)
		p.line++
		if err := p.parseLine(line); err != nil {
			return nil, err
		}
	}
	if len(p.stack) != 1 {
		top := p.stack[len(p.stack)-1]
		return nil, p.fault(fmt.Sprintf("Missing closing brace (of section %q, line %d)", top.Name, top.Line))
	}
	return p.stack[0], nil
}

func cutLine(text []byte) (line, rest []byte) {
	if i := bytes.IndexByte(text, '\n'); i >= 0 {
		if i+1 == len(text) {
			return text[:i], nil
		}
		return text[:i], text[i+1:]
	}
	return text, nil
}

type parser struct {
	file  string
	line  int
	stack []*Section
	path  []string
}

func (p *parser) fault(text string) error { return &SyntaxError{p.file, p.line, text} }

// trim removes what corosync takes for blanks, the Latin-1 no-break space among
// them: it comes from copied tutorials, as does its UTF-8 form.
func trim(b []byte) string {
	for len(b) > 0 {
		r, n := utf8.DecodeRune(b)
		if !blank(r, n, b[0]) {
			break
		}
		b = b[n:]
	}
	for len(b) > 0 {
		r, n := utf8.DecodeLastRune(b)
		if !blank(r, n, b[len(b)-1]) {
			break
		}
		b = b[:len(b)-n]
	}
	return string(b)
}

func blank(r rune, size int, b byte) bool {
	return r == ' ' || r == '\t' || r == '\r' || r == 0xa0 || r == utf8.RuneError && size == 1 && b == 0xa0
}

func (p *parser) parseLine(raw []byte) error {
	if len(raw) > maxLine {
		return p.fault("Line too long")
	}
	line := trim(raw)
	if line == "" || line[0] == '#' {
		return nil
	}
	switch {
	case strings.Contains(line, "{"):
		return p.open(line)
	case strings.Contains(line, ":"):
		return p.key(line)
	case strings.Contains(line, "}"):
		return p.close(line)
	}
	return p.fault("Line is not opening or closing section or key value")
}

func (p *parser) open(line string) error {
	before, after, _ := strings.Cut(line, "{")
	name := trim([]byte(before))
	switch {
	case name == "":
		return p.fault("Missing section name before opening bracket '{'")
	case trim([]byte(after)) != "":
		return p.fault("Extra characters after opening bracket '{'")
	case len(p.stack) > maxDepth || len(strings.Join(p.path, "."))+1+len(name) > maxKeyPath:
		return p.fault("Start of section makes total cmap path too long")
	}
	s := &Section{Name: name, Line: p.line}
	top := p.stack[len(p.stack)-1]
	top.Subs = append(top.Subs, s)
	p.stack = append(p.stack, s)
	p.path = append(p.path, name)
	return nil
}

func (p *parser) key(line string) error {
	before, after, _ := strings.Cut(line, ":")
	name := trim([]byte(before))
	switch {
	case name == "":
		return p.fault("Key name can't be empty")
	case len(strings.Join(p.path, "."))+1+len(name) > maxKeyPath:
		return p.fault("New key makes total cmap path too long")
	}
	top := p.stack[len(p.stack)-1]
	top.Keys = append(top.Keys, Key{Name: name, Value: trim([]byte(after)), Line: p.line})
	return nil
}

func (p *parser) close(line string) error {
	switch {
	case line != "}":
		return p.fault("Extra characters before or after closing bracket '}'")
	case len(p.stack) == 1:
		return p.fault("Unexpected closing brace")
	}
	p.stack = p.stack[:len(p.stack)-1]
	p.path = p.path[:len(p.path)-1]
	return nil
}
