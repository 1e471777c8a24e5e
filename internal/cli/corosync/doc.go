// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package corosync has the tools of the messaging layer under corosync's names:
// corosync-quorumtool, corosync-cfgtool, corosync-cmapctl, corosync-cpgtool,
// corosync-keygen and corosync itself for -v and -t. Flags, layout and exit codes
// are those of corosync 3.1.7, since other programs read them.
package corosync
