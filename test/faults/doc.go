// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package faults runs real daemons on several nodes and does to them what
// networks, machines and people do: a node is a network namespace with TAP devices
// on a switch that loses, delays, changes and repeats frames by a seed (package
// hub), and processes that are killed, stopped, frozen, starved and flooded. What
// comes of it is judged by state: what the daemons' clients were delivered
// (package judge), what the tools answer, and, where resources run, what an outside
// witness saw. Root is needed; without it the tests are skipped.
//
// A few tests run always, the others with QUORATE_FAULTS=1:
//
//	QUORATE_FAULTS=1 go test ./test/faults -v -timeout 40m
//
// QUORATE_FAULTS_SEED chooses another seed of the switch. The logs, the last frames
// and a capture of a failed test are kept in $E2E_LOGS, or in a folder of the
// temporary directory whose name is printed. docs/design/messaging-faults.md tells
// which test shows which row.
package faults
