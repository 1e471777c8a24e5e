// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package ring records and replays the core of the ring, messaging/totem.
//
// [Step] is what a shell calls in place of the core's own Step. [Replay] feeds
// fresh cores with a recording and compares what they answer at each step, their
// state where a segment ends, and their state at the dump.
package ring
