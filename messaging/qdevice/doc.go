// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package qdevice is a node's side of arbitration by a server: it tells the
// server what ring the node is in and gives the node the server's vote.
//
// [Core] is pure: connection, messages, time and the results of heuristics go in;
// messages, and votes for the ring of the moment, come out. A vote counts for
// one ring. It is given back when the ring changes, when the server says so, when
// the connection ends, and when no answered word is younger than [LeaseFactor]
// heartbeat intervals: the server, which gives the vote away after 1.5 of them,
// can rely on that.
//
// Without a server an ffsplit cluster goes on as its votes let it. In an lms
// cluster with wait_for_all a quorate node keeps the vote until its ring changes.
//
// The folder client runs the core: TLS, timers, programs, pings. The folder disk
// is the other kind of device.
package qdevice
