// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package memnet is a network within one process, for tests: each node's wire
// hands packets to the others' handlers by one goroutine per node, in order, and
// a filter may lose them.
package memnet
