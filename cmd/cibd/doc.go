// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Command cibd is the CIB daemon: it keeps this node's replica of the cluster's
// configuration and status and serves it on /run/quorate/cibd.sock.
package main
