// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package peer is the controller's cache of nodes: who is in the ring, whose
// controller takes part, and how each is called.
package peer
