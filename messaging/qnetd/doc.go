// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package qnetd is the arbitration server: it gives one vote to one partition of
// each cluster whose nodes ask it.
//
// [Core] is pure: connections, messages and time go in, messages and decisions
// come out. It knows clusters by their names; a cluster's clients are its nodes.
// Each client tells its configured nodes, its membership with the ring id, and
// the result of its heuristics. Once the lists of a partition agree, the
// algorithm ([qnet.FFSplit], [qnet.LMS] …) picks the partition that wins.
//
// The vote moves in two steps: first all losers are told and have answered, or
// their connections have been silent for so long that they have given the vote
// back by themselves; then the winners are told. So at no moment do two
// partitions have it, as long as a client drops the vote within [SilentFactor]
// heartbeat intervals of its last answered word.
//
// The sockets and TLS are in the folder serve.
package qnetd
