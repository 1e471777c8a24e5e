// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package cibsource gives the tools the CIB that they are to work on: the
// cluster's, through its daemon, or a file, where CIB_file or CIB_shadow name
// one. A file is read once, also from a pipe, and written back whole and at
// once after each change; no daemon is needed for it.
package cibsource
