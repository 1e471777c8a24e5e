// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package hub is a network of TAP devices whose faults are known: a switch in
// this process that carries each frame from the device of one node to that of
// another and on the way loses, delays, reorders, doubles, changes, cuts or holds
// it back as the [Faults] of that direction say.
//
// What happens to a frame is decided by a [Model], a pure core: time goes in, and
// each direction draws from a stream of random numbers of its own, so one seed
// gives one schedule of faults. The shell, [Hub], has a thread for each device and
// a goroutine for frames that are due later. The last frames are kept with what
// became of them, as evidence ([Hub.Log], [Hub.WritePcap]) and for replays
// ([Hub.Captured], [Hub.Inject]).
//
// The package knows Ethernet, and IPv4 and UDP as far as it changes them; it knows
// nothing of the ring.
package hub
