// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package cib is the cluster information base: one XML document in Pacemaker's
// vocabulary, the same on every node.
//
// A [Store] is reached through cib/client, or in process from the daemon's
// engine. Writes are ordered by the ring: each replica applies the same
// requests in the same order, and a write is acknowledged when it is applied
// and durable on the node that asked. Changes are published as patchsets.
//
// The pure parts (document, patch, schema, rule, xpath, replica) know no
// socket, clock or disk.
package cib
