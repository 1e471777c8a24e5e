// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Command lrmd is the local resource manager daemon: it runs resource agents on
// this node for the controller and serves its API on /run/quorate/lrmd.sock.
package main
