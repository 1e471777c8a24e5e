// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package queue is the executor's pure core: it decides which operation runs
// when. Events come in as method calls with the time they happened at, and what
// is to be done comes out as a list of [Output]s, in the order in which it must
// be done: [Save] before the [Start] or [Report] that follows it.
//
// Guarantees: of one resource, one operation runs at a time, in the order given;
// operations given once and recurring ones have separate bounds, so that hanging
// monitors do not keep a stop from running; a recurring operation runs again its
// interval after its run has ended, until it is cancelled; equal results of a
// recurring operation are reported once; every accepted operation that is not
// replaced by its like ends in exactly one report, or in reports of changes and
// a last one that says cancelled.
//
// It knows no process, clock, disk or agent.
package queue
