// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package serve runs the arbitration server of package qnetd: it listens, reads
// and writes messages, makes TLS handshakes, and answers the status tool on a
// Unix socket.
//
// One goroutine owns the core. Each connection has a goroutine that reads and one
// that writes; a client that does not read what it is sent is cut off.
package serve
