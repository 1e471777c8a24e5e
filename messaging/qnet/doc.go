// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package qnet is the protocol between a node's arbitration client and an
// arbitration server: that of corosync-qdevice and corosync-qnetd, so that either
// side may be theirs.
//
// A message is a header (type, 16 bits; length of what follows, 32 bits) and
// options (type and length, 16 bits each, then the value), all numbers big endian.
// Options that are not known are skipped. The connection is TCP; after the first
// exchange (PREINIT) the client may ask for TLS (STARTTLS), and the next byte
// belongs to the handshake.
//
// The package encodes and decodes and knows no connection, no clock and no
// decision.
package qnet
