// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package messaging is the lowest layer: it agrees with the other nodes who is
// alive, orders messages totally among them, and counts votes.
//
// A local process opens a [Bus] (package messaging/client over the daemon's
// socket, or in process from messaging/engine) and joins process groups. Each
// [Group] delivers one sequence of messages and configuration changes, the same
// at all members. The protocol below is the Totem single-ring protocol
// (messaging/totem).
//
// The package knows nothing above it: no CIB, no resources.
package messaging
