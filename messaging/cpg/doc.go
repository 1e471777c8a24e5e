// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package cpg is the pure core of the process groups.
//
// Everything that changes a group is an ordered message: a join takes effect when
// it is delivered, at the same place of the total order at every node, and so do
// a leave and the end of a process. [Core] turns the ring's deliveries and
// configurations into [messaging.Event] values for the local members.
//
// # Ring changes
//
// At each regular configuration every node sends one sync message: its ring, its
// local members, and an opaque part of the layer above (votes). Until the sync
// messages of all members are delivered, other messages wait in the order in
// which they came; then the round ends, at the same place everywhere: members on
// nodes that did not come along go (NodeDown), members on nodes that are new to
// this side come (NodeUp), in one change per group, and the messages that waited
// follow. A node whose round did not end before the next configuration is not
// known: it counts as gone and comes with the next round.
//
// So members that see the same two consecutive changes of their group, with the
// same joined and left in the second, saw the same messages between them.
//
// # Layout
//
// Messages have a fixed small head instead of msgpack, since a head is parsed for
// every message: kind, then client id as varint, then the body. All counts and
// lengths are bounded before anything is allocated.
package cpg
