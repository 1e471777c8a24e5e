// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package client runs a node's side of arbitration by a server (package qdevice)
// as a device of the engine.
//
// One goroutine, that of Run, owns the core. It writes to the connection itself;
// another goroutine reads. A vote is given to the engine, and taken to heart
// there, before anything that follows it is sent.
package client
