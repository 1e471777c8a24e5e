// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package sim drives whole rings of messaging/totem cores from one seed and
// checks what their applications see.
//
// A seed chooses the number of nodes, the timers, the packet sizes, the load
// and a random subset of faults: loss, delay, duplication, reordering, one-way
// cuts, partitions, pauses, crashes, restarts with and without the saved ring
// sequence, false and true suspicions. First faults rage, then everything is
// healed and restarted, and the ring must come together and deliver.
//
// The checkers see only deliveries and configuration changes. They know nothing
// of the protocol. How to replay a failing seed is printed with it.
package sim
