// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package wire has the layouts of the ring protocol's packets.
//
// Every packet starts with the same four bytes (version, type, flags) and has
// a fixed little-endian layout after them. A decoder takes bytes from the
// network: it never panics, checks each count against a named bound before it
// allocates, wants the exact length (except for the payload of Mcast, which
// fills the packet), and wants node lists strictly ascending. What it returns
// of Mcast.Payload lies in the packet that was given; all else is copied.
//
// The package knows layouts only, no rule of the protocol.
package wire
