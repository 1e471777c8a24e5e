// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package sched is the scheduler: one pure function, [Schedule], from the state
// of the cluster to a transition graph. Its body is the list of stages; each
// stage, and each kind of resource (the variants), has a file of its own.
//
// Decisions depend on nothing but the input: no clock, no randomness, and no
// order of a map. Where Input.Trace asks for it, every node score keeps what made
// it and every action why it is needed or cannot run; [Result.Trace] tells.
package sched
