// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package lrmd is the local resource manager: it runs resource agents on this
// node, one operation at a time for each resource, with timeouts, and repeats
// monitors on its own. It knows no cluster, no CIB and no other node.
package lrmd
