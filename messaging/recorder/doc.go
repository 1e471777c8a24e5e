// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package recorder keeps the newest inputs of a pure core, so that what a daemon
// did can be played again, bit for bit, far from the cluster where it happened.
//
// # Model
//
// A core is a function of state, event and time. A [Recorder] holds two
// segments in memory. A segment is the core's whole state at its beginning and
// every event since, with its time and a checksum of what the core answered.
// When the newer segment is full, the older one is dropped and a new one begins:
// so there are always between one and two segments of the past, however long
// the daemon runs, and each of them can be replayed by itself.
//
// Time does not bound what is kept, bytes do: at rest the default of 4 MiB a
// segment reaches back hours, under full load seconds.
//
// # Files
//
// [Recorder.Dump] gives the bytes of a file, [Read] reads them and refuses what
// is not one, is cut off or was changed, saying which. A file holds what the
// daemon's clients sent each other in the clear: keep it like a core dump.
//
// The package knows no core. Package ring next to it records and replays the
// core of the ring.
package recorder
