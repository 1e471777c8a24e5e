// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package explain answers why a resource is where it is, or is not; why it moves,
// stops or is restarted; and what single change would alter that.
//
// [Explain] schedules the cluster's state once more with all causes remembered
// (sched.Input.Trace), finds those that decided the question, and derives changes
// from them: a constraint to remove, a fail count to clear, a node to take out of
// standby. A change is offered only after a trial: it is applied to a copy of the
// CIB, the copy is scheduled, and the outcome is compared. So an answer says what
// would happen, not what might.
//
// The package is pure: it runs no command, reads no clock and changes no input.
package explain
