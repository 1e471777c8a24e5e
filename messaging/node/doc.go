// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package node makes the configuration of an engine out of what a machine has:
// corosync.conf, the key file, interfaces and names. It finds out which node this
// machine is, what the links are, and which timers and votes apply, and it refuses
// with a sentence that says what to mend.
package node
