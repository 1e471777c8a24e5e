// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package lsb runs init scripts as resource agents: /etc/init.d/NAME with start,
// stop and status, whose exit codes it translates into OCF's. The scripts get no
// parameters.
package lsb
