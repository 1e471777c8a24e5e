// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package mutate changes cluster states at random, the way administrators,
// failures and time do: nodes go away, options flip, constraints appear,
// operations fail or age, tickets are revoked, references dangle.
//
// A state is a CIB document. Mutate takes a seed and makes one to four
// changes; each draws from its own generator, so that a change can be left out
// and the others stay as they are as far as the document lets them. That is how
// a failing state is made small. The same document, seed and time give the same
// result, always.
//
// What is made is valid by the schemas from pacemaker-3.0 on, though often
// foolish.
package mutate
