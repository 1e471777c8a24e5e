// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package quorum counts votes: it decides whether this partition may act.
//
// [Core] is pure. After each change of the membership every node tells the
// others its votes, its expected votes and its state ([Info]); once all members'
// have arrived, in the same place of the total order everywhere, each node
// computes the same result. The rules are those of corosync's votequorum:
// expected_votes, two_node, wait_for_all, auto_tie_breaker, last_man_standing,
// allow_downscale.
//
// Between a partition and the new membership the old view stays in force, for at
// most the detection time: only fencing or a watchdog closes that gap.
package quorum
