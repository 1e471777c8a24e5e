// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package transport moves sealed packets between nodes.
//
// A [Wire] sends datagrams and hands received ones, in batches, to a [Handler].
// [Open] makes the real one: a UDP socket per link, bound to the node's own
// address, with recvmmsg and sendmmsg, and a multicast group where one is set.
// The sockets survive their interface going down and up; an address may be
// missing when they are opened. A kernel that answers "port unreachable" is
// reported, because that is how a dead daemon on a living machine is known.
//
// Nothing here looks into a packet. Losing one is normal: errors are counted, not
// returned. Package memnet has a wire within one process for tests.
package transport
