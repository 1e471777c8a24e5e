// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package sched is the scheduler: one pure function, [Schedule], from the state
// of the cluster to a transition graph. Its body is the list of stages; each
// stage, and each kind of resource (the variants), has a file of its own.
//
// Decisions depend on nothing but the input: no clock, no randomness, and no
// order of a map. Every node score keeps what made it (alloc.why), every action
// why it is needed or cannot run (action.reason), so that questions can be
// answered afterwards.
package sched
