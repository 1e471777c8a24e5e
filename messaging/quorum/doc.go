// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package quorum counts votes: it decides whether this partition may act.
//
// [Core] is pure. After each change of the membership every node tells the
// others its votes, its expected votes and its state ([Info]); once all members'
// have arrived, in the same place of the total order everywhere, each node
// computes the same result. The rules are those of corosync's votequorum:
// expected_votes and its tracking, two_node, wait_for_all, auto_tie_breaker,
// last_man_standing, allow_downscale, an arbitration device. Members judge by the
// latest quorate view that one of them remembers, not each by its own memory.
//
// Between a partition and the new membership the old view stays in force, for at
// most the detection time: fencing closes that gap, or a [Lease], as far as the
// programs that act ask for quorum.
package quorum
