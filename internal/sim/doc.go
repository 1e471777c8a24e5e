// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package sim runs many nodes in one goroutine from one seed.
//
// A [World] has a virtual clock, a heap of events and a random source; events
// at the same time run in the order in which they were made. A [Host] is a node
// that crashes, restarts and is paused: what was scheduled on it is dropped by
// a crash and late after a pause. A [Network] carries packets between hosts and
// loses, delays, reorders, duplicates and cuts them.
//
// The same seed gives the same run on every machine; World.Mix collects a hash
// of what happened to prove it. The package knows nothing of the nodes'
// programs: those are pure cores that the caller drives.
package sim
