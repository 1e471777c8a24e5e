// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package legacy answers under the names of Pacemaker's daemons what clients
// ask them as programs: their version, and the metadata of the cluster options
// that each of them reads.
package legacy
