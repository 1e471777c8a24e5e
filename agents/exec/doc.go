// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package exec runs a program to its end: in a session of its own, with a
// timeout that kills the whole process group, and with bounded output.
//
// Guarantees: a run ends when the program's first process exits, whoever still
// holds its output (daemons do); the group is killed with SIGKILL at once when
// the timeout passes or the context ends; whatever is printed is drained at the
// speed of the pipe and only the last bytes are kept; the process is reaped.
// A process that even SIGKILL does not end (state D) is given up after
// [UnkillableAfter] and reaped in the background.
//
// The package knows neither agents' actions nor their exit codes.
package exec
