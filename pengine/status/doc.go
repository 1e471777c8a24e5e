// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package status turns a CIB into what the cluster knows: nodes with their
// state, resources with their roles and places, failures, fail counts, pending
// operations and options. The policy engine schedules on it; status tools print
// it.
//
// [Unpack] is pure: it reads a copy of the document, and the time is an input.
// What the history of operations demands of the scheduler (fencing, stops,
// clearing of failures) is kept as [Intent] values in the order of their
// discovery. The package knows no scheduling and no output format.
package status
