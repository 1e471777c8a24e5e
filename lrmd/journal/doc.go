// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package journal keeps what must survive the death of the executor's process,
// not that of the machine: operations accepted, their last results, and the
// processes that run. It is a file of one JSON record per line in a folder under
// /run, appended to without flushing to disk, and written anew when it has grown
// far beyond what it says.
//
// A last line cut short by a kill, and lines that cannot be read, are skipped.
package journal
