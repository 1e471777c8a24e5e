// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package reload is the pure core of a change of the configuration that happens
// on all nodes of the ring or on none.
//
// # One round
//
// A node is asked to reload. It reads its own file and multicasts Prepare, with
// what its file says about the whole cluster. Each member, at the delivery of
// Prepare, reads and checks its own file and multicasts its Vote: the digest of
// what the file says, and all faults. The round is decided where the last
// member's vote stands in the total order: every member counts the same votes at
// the same place, so there is no third message, and the death of the node that
// was asked leaves nobody in doubt. All files valid and equal: [Commit] on all.
// Otherwise [Drop] on all, with every node's reasons in the answer.
//
// What a node must be able to do before others may count on it (take a new key,
// listen at a new address) it does before its vote: a commit proves that all
// nodes can.
//
// # The ring changes
//
// A round lives within one configuration of the ring and dies with it: messages
// of a round name the configuration, and none counts in another. So after a
// change nobody commits late. One gap is left, and no protocol closes it: a node
// that parts from the others right where the decisive vote is delivered may not
// have it. Each committed change therefore has a number, which nodes tell each
// other with the digest whenever they meet ([Stamp]); one that is behind reads
// its file again and follows if that is the change it missed ([Behind]), and
// says so in the log if it is not ([Differs]).
//
// The package reads no file and keeps no time: its shell does both.
package reload
