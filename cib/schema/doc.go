// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package schema checks a CIB against Pacemaker's schemas, pacemaker-1.0 to
// 4.0, and brings older CIBs up to newer ones.
//
// One vocabulary is a table of elements with their attributes and children, each
// with the versions that have it; what a table cannot say is in code beside it.
// [Validate] checks by the version that the CIB names: the nesting, attributes
// that must or may not be there, the form of values (scores, booleans, roles and
// other enumerations, ids), that ids are unique, and that references refer to
// something. The status section is not checked: it is the cluster's own.
//
// [Upgrade] goes from schema to schema. Most versions only add to the one before;
// three steps (from 1.3, 2.10 and 3.10) change what a later series no longer has,
// each in files of its own. A step is taken only where the CIB is not valid
// without it, so that a CIB that uses nothing old keeps its form.
//
// What a schema cannot say but a user will want to know is in [Advise].
//
// The package is pure. Its tests compare it with the classic schemas and the
// classic tool, where environment variables name them.
package schema
