// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package client is the messaging layer over the daemon's socket: the same
// [messaging.Bus] that the engine has in process.
//
// The connection is made at the first call and again after the daemon was away.
// A group does not survive that: its calls end with [messaging.ErrClosed], and
// the caller joins anew.
package client
