// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package xpath selects parts of a document by XPath 1.0.
//
// Expressions come from operators and from other programs, so that evaluation
// is bounded: the length of the expression, the nodes visited and the matches
// given. An expression never panics and never runs away; what exceeds a bound
// is an error. Matches come in document order, each once.
//
// The package wraps github.com/antchfx/xpath with a navigator over etree. It
// never changes the tree, and may be used on one tree by many at the same time.
package xpath
