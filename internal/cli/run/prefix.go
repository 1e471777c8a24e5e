// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package run

import (
	"bytes"
	"fmt"
	"io"
	"sync"
)

// maxLine bounds what is kept of a line that has no end yet.
const maxLine = 64 << 10

// A prefixer writes whole lines of several sources, each with its name before
// it.
type prefixer struct {
	mu sync.Mutex
	w  io.Writer // guarded by mu
}

func newPrefixer(w io.Writer) *prefixer { return &prefixer{w: w} }

func (p *prefixer) say(name, format string, args ...any) {
	p.line(name, fmt.Appendf(nil, format, args...))
}

func (p *prefixer) line(name string, text []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "%-11s | %s\n", name, text)
}

func (p *prefixer) writer(name string) *lineWriter { return &lineWriter{p: p, name: name} }

// A lineWriter cuts a stream into lines.
type lineWriter struct {
	p    *prefixer
	name string
	mu   sync.Mutex
	rest []byte // guarded by mu
}

// Write implements io.Writer.
func (l *lineWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.rest = append(l.rest, b...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			break
		}
		l.p.line(l.name, line)
		l.rest = rest
	}
	if len(l.rest) > maxLine {
		l.p.line(l.name, l.rest)
		l.rest = nil
	}
	return len(b), nil
}

func (l *lineWriter) flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.rest) > 0 {
		l.p.line(l.name, l.rest)
		l.rest = nil
	}
}
