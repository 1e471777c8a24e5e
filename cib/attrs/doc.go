// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package attrs knows how node attributes stand in the CIB and how changes of
// them are carried out.
//
// A permanent attribute is an nvpair below the node in the nodes section, a
// transient one below its node_state in the status section; cluster options,
// defaults and tickets are nvpairs too. [Find] and [Place] read and make them.
//
// A [Table] is what the attribute manager remembers beside the document:
// values that wait for their dampening to end, private ones, that never come
// to the document, and how long each attribute is dampened. It is part of the
// replicated state: every replica applies the same updates in the same order.
//
// The package is pure. Timers are its caller's: Update tells to start one.
package attrs
