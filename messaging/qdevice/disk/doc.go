// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package disk is a quorum disk: arbitration by a file or block device that all
// nodes share, where there is no machine for a server.
//
// The disk has a leader block and a slot for each node. One node at a time is the
// leader; the nodes of its ring have the device's vote. [Core] is pure: what was
// read, when writes began and ended, rings and heuristics go in; writes and votes
// come out.
//
// Leadership is a lease (the "delta lease" of Chockler and Malkhi). All times are
// each node's own; nothing is compared between clocks but their rates.
//
//   - A leader renews its block each interval. Its lease runs from the beginning
//     of the last write that succeeded, for Interval times Misses (T). A write
//     that takes longer than D (T/4) has failed, whatever becomes of it. A lease
//     that has run out is not renewed but won anew.
//   - Who sees the block unchanged for T and D (and some for the clocks' rates)
//     may write itself into it, if read and write together take no longer than D.
//     It waits 2 D, and if the block still says so, it is the leader.
//   - Another node counts on the leader from the beginning of the read before the
//     one that showed it a new value, for T, if less than 2 D lie between: a value
//     may be a write of long ago that came late, and then that of the leader in
//     between has stood for 2 D and was seen, with its higher term.
//
// So every trust in a leader ends before the next one is sure of itself. A torn
// write fails its checksum and counts as a value that nobody has written. A disk
// that hangs or fails gives no vote.
//
// A leader whose heuristics fail, or who sees a larger part of the cluster on the
// disk than its own, steps down. The leader names the nodes that do not write any
// more: they are evicted, and have no vote until it has seen them again.
package disk
