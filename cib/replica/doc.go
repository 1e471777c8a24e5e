// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package replica is the replication of the CIB, as a pure core: events in,
// actions out.
//
// The replicas are the members of one process group. Each write is one message
// of the group; all members deliver the same messages in the same order and
// apply them, so that they have the same document without further agreement.
//
// # Acknowledgement
//
// A member delivers its own message possibly before any other member has it.
// So the origin answers its client only when (1) it has applied the write, (2)
// a configuration change is durable on its disk, and (3) so many other members
// have told that they delivered it that a majority of the group has it: then
// no crash of a minority loses it. The members next to the origin tell, with
// one small cumulative message, never more than one under way at a time. When
// the group shrinks, the survivors have the same messages (virtual synchrony):
// writes that wait are answered if half or more of the group came along, and
// as uncertain otherwise.
//
// # Meeting
//
// When members join, each member states version and digest of its document and
// in which earlier group it stood. When all have stated, each computes the
// same choice: the highest admin_epoch wins, then the side that had quorum, then
// the highest version, on a tie that of the larger group, then of the lowest
// node. The status section is that of the
// largest running group, for a daemon that just started knows nothing of the
// present. Those two members send their parts; meanwhile writes are held back,
// and applied when all have the document. If the group changes before, all
// begin anew, and each origin sends its held writes again.
//
// A member that hangs does not hold up the others: after a time those that
// stood in a group with it say that the meeting goes on without it, and the origin of
// a write that waits asks all members instead of its neighbours what they have.
//
// What a replaced document had and the new one has not is reported as a
// patchset, with a warning where it was written in a partition.
//
// # Checks
//
// Every checkEvery writes the members compare digests; if they differ, they
// meet anew.
package replica
