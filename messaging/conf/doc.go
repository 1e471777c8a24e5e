// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package conf reads corosync.conf.
//
// [Parse] is the grammar: lines, sections, keys, each fault with file and line.
// [Build] gives the text a meaning: a typed [Config], the entries for cmap, and
// warnings about keys that nobody knows (which are kept as text, as corosync
// keeps them, so that old and foreign files load). [Config.FindLocal] tells which
// node of the nodelist this machine is.
//
// A value that the file sets always wins over a default. The package opens no
// socket and resolves no name: addresses of this machine and a resolver are
// passed in.
package conf
