// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/cib/document"
)

// names of the schemas, oldest first.
var names = []string{
	"pacemaker-1.0", "pacemaker-1.2", "pacemaker-1.3", "pacemaker-2.0", "pacemaker-2.1", "pacemaker-2.2",
	"pacemaker-2.3", "pacemaker-2.4", "pacemaker-2.5", "pacemaker-2.6", "pacemaker-2.7", "pacemaker-2.8", "pacemaker-2.9",
	"pacemaker-2.10", "pacemaker-3.0", "pacemaker-3.1", "pacemaker-3.2", "pacemaker-3.3", "pacemaker-3.4", "pacemaker-3.5",
	"pacemaker-3.6", "pacemaker-3.7", "pacemaker-3.8", "pacemaker-3.9", "pacemaker-3.10", "pacemaker-4.0",
}

// unchecked is the validate-with of a CIB that nothing checks.
const unchecked = "none"

// Known tells whether a validate-with value names a schema, or is "none".
func Known(name string) bool { return name == unchecked || slices.Contains(names, name) }

// Older tells whether the schema comes before Latest.
func Older(name string) bool {
	i, j := slices.Index(names, name), slices.Index(names, Latest())
	return i >= 0 && i < j
}

// Latest is the schema that cibadmin --upgrade leads to: the newest one that the
// classic shells know.
func Latest() string { return document.DefaultSchema }

// Newest is the schema that decisions are made in.
func Newest() string { return names[len(names)-1] }

// A version is a schema's place among the names.
type version int

// The versions that rules name.
var (
	v12  = mustVersion("1.2")
	v13  = mustVersion("1.3")
	v20  = mustVersion("2.0")
	v210 = mustVersion("2.10")
	v27  = mustVersion("2.7")
	v30  = mustVersion("3.0")
	v39  = mustVersion("3.9")
	v310 = mustVersion("3.10")
	v40  = mustVersion("4.0")
)

func mustVersion(s string) version {
	i := slices.Index(names, "pacemaker-"+s)
	if i < 0 {
		panic(fmt.Sprintf("schema: the vocabulary names the unknown version %q", s))
	}
	return version(i)
}

// A span is the versions in which something is allowed, both ends included.
type span struct{ from, to version }

// always is the span of what every version has.
var always = span{0, version(len(names) - 1)}

func (s span) has(v version) bool { return s.from <= v && v <= s.to }

// readSpan cuts @FROM-TO off a word of the vocabulary; either end may be left
// out.
func readSpan(word string) (rest string, s span) {
	rest, text, ok := strings.Cut(word, "@")
	if !ok {
		return word, always
	}
	s = always
	from, to, _ := strings.Cut(text, "-")
	if from != "" {
		s.from = mustVersion(from)
	}
	if to != "" {
		s.to = mustVersion(to)
	}
	return rest, s
}
