// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package heuristics runs the checks that tell how well a node is placed:
// programs that must exit with 0, and ping nodes that must answer. All run at the
// same time and all must pass, within one limit.
//
// A ping node may have several addresses, of which one must answer: that is a
// ping group. Echo requests need no privilege where the kernel lets the user send
// them (net.ipv4.ping_group_range); else a raw socket is tried, else the ping
// program.
package heuristics
