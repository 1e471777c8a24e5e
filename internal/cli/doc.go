// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package cli is what the operator tools have in common: the table entry of a
// tool, what a tool may touch of the process ([IO]), and how its command line is
// parsed, with the classic spellings (grouped short options, --opt=value), the
// classic complaints and Pacemaker's exit codes.
//
// Each family of tools has a folder of its own here and exports a Tools
// function; cmd/quorate lists them in one explicit table. Packages below this
// one count as cmd: they may import the clients of any layer, but no core's
// inside.
package cli
