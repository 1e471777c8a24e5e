// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package file runs a quorum disk (package disk) on a file or block device, as a
// device of the engine.
//
// Two goroutines share the work. One owns the core and the time: it takes the
// vote away when it is due, whatever the disk does. The other does the reading
// and writing, past the kernel's cache where that is possible (O_DIRECT), and may
// hang with the disk.
package file
