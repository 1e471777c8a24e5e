// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package judge records what the messaging daemons of a cluster tell their
// clients, and says which promises that breaks: a [Recorder] per node joins a
// process group, sends numbered messages of many sizes, and keeps every delivery
// and every view of the quorum with the time at which it came; [Check] reads all
// recordings together.
//
// It sees what any client sees, through the daemon's socket, and nothing of logs.
package judge
