// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package statusview

import (
	"fmt"
	"html"
	"io"
	"strings"
)

// A sink takes nested lists with headers. Text and HTML differ only here.
type sink interface {
	// open starts a list under a header; at the outermost level it is a section.
	open(header string)
	item(text string)
	close()
	// line is text between sections, as it is.
	line(text string)
}

// textSink indents by two for each level and puts an asterisk before what is
// nested, with an empty line between sections.
type textSink struct {
	w        io.Writer
	depth    int
	sections int
}

func (t *textSink) open(header string) {
	if t.depth == 0 {
		if t.sections > 0 {
			fmt.Fprintln(t.w)
		}
		t.sections++
		fmt.Fprintf(t.w, "%s:\n", header)
	} else {
		t.item(header + ":")
	}
	t.depth++
}

func (t *textSink) item(text string) {
	fmt.Fprintf(t.w, "%s* %s\n", strings.Repeat("  ", t.depth), text)
}

func (t *textSink) close() { t.depth-- }

func (t *textSink) line(text string) { fmt.Fprintln(t.w, text) }

// htmlSink writes headings and nested lists.
type htmlSink struct {
	w     io.Writer
	depth int
}

func (h *htmlSink) open(header string) {
	if h.depth == 0 {
		fmt.Fprintf(h.w, "<h2>%s</h2>\n<ul>\n", html.EscapeString(header))
	} else {
		fmt.Fprintf(h.w, "<li>\n<h3>%s</h3>\n<ul>\n", html.EscapeString(header))
	}
	h.depth++
}

func (h *htmlSink) item(text string) { fmt.Fprintf(h.w, "<li>%s</li>\n", html.EscapeString(text)) }

func (h *htmlSink) close() {
	h.depth--
	fmt.Fprint(h.w, "</ul>\n")
	if h.depth > 0 {
		fmt.Fprint(h.w, "</li>\n")
	}
}

func (h *htmlSink) line(text string) {
	if text = strings.TrimSpace(text); text != "" {
		fmt.Fprintf(h.w, "<p>%s</p>\n", html.EscapeString(text))
	}
}
