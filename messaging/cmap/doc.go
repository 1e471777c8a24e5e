// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package cmap is the configuration map: typed keys, as corosync's tools and
// cluster software read them (`nodelist.node.0.name (str) = node1`).
//
// A [Map] is safe for concurrent use. It holds what corosync.conf said and what
// the engine publishes at run time; statistics are computed when they are read
// and are not kept here. The package knows no file format and no protocol.
package cmap
