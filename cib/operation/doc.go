// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package operation carries out the requests of the CIB on documents: query,
// create, modify, replace, delete, erase, bump, upgrade, patch, with the
// meaning that cibadmin(8) gives them.
//
// [Query] and [Apply] are functions of the document, the request and what
// [Meta] says about its origin, and of nothing else; each replica that applies
// the same requests in the same order has the same document. The document
// given is never changed: a write answers with another one.
//
// Apply also keeps the books: epoch counts changes of the configuration and
// sets num_updates back, num_updates counts all other changes, and the
// attributes cib-last-written and update-* tell who changed the configuration.
//
// Refusals are [cib.Error] with Pacemaker's code and words.
package operation
