// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package node puts a node's controller together: connections to the daemons
// below, the engine, its socket and its metrics.
package node
