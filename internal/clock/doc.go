// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package clock is the one source of time of the shells. A core never holds a
// Clock: its shell reads it and passes the instant in.
//
// Instants are durations since an arbitrary start, so that they cannot be
// mistaken for wall time and cannot jump with it. In production they come from
// CLOCK_BOOTTIME, which goes on while the machine is suspended: a node that
// wakes up sees at once how long it was away.
package clock
