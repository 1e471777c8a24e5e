// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package document reads, writes and handles CIB documents (and any other
// XML of this stack) as trees of github.com/beevik/etree.
//
// Reading is strict and bounded. [Parse] accepts what a conforming XML 1.0
// processor with namespaces accepts, in UTF-8 and without a document type, and
// refuses the rest with line and column; encoding/xml is too lenient for a
// document that other tools must read (it takes two roots, the same attribute
// twice, undeclared prefixes). [Limits] bound size, depth, and counts before
// memory is spent.
//
//	root, err := document.Parse(text)             // *etree.Element
//	root, lines, err := document.ParseLines(text) // and where each element began
//
// Blank text between elements is dropped, comments and other text are kept.
// The strings of a tree are parts of the input text, which lives as long as
// the tree does.
//
// Writing is stable: [Format] indents by two spaces, uses double quotes and
// keeps the order of attributes, as Pacemaker prints; [Compact] is one line.
// Parse(Format(t)) equals t for every tree that Parse gave.
//
// The helpers are what the layers above need every day: [Get], [Set], [Unset],
// [ID], [Child], [Children], [All], [ByID], [NewIndex], [Section],
// [SectionPath], [Path], [Clone], [Equal], [Digest], [Empty], [Versions].
// Use [Clone] and [Set] rather than etree's Copy and CreateAttr: they are
// several times faster. Attr.Element and Attr.NamespaceURI of etree do not
// work on trees built here.
//
// A tree is not safe for concurrent change; a tree that nobody changes may be
// read by many.
//
// The package knows no clock, disk or socket, and nothing of what the elements
// mean beyond the names of the sections.
package document
