// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package schema checks a CIB against the vocabulary of Pacemaker's schemas
// (pacemaker-1.0 to 4.0).
//
// One vocabulary, the union of those schemas, is a table of elements with
// their attributes and children. Checked are the nesting, attributes that must
// or may not be there, the form of values (scores, booleans, roles and other
// enumerations, ids), that ids are unique, and that references refer to
// something. The status section is not checked: it is the cluster's own.
//
// What a schema cannot say but a user will want to know is in [Advise].
//
// The package is pure.
package schema
