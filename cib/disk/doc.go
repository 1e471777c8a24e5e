// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package disk keeps the CIB of one node in its folder.
//
// cib.xml is the document without its status and, in a last line, a comment
// with the SHA-256 of all before it: document and digest are one file and
// change together. It is replaced by writing a new file, syncing, renaming and
// syncing the folder, so that after a power loss the old or the new one is
// there, whole. The file before becomes cib-N.raw, of which a bounded number
// is kept.
//
// [Store.Load] never gives up: a file that is damaged is set aside, the newest
// undamaged cib-N.raw is used in its stead, and if there is none an empty
// document. What happened is told. A file without digest, as an administrator
// or Pacemaker left it, is accepted if it is a CIB.
//
// The package knows nothing of replication. It is for one goroutine.
package disk
