// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package runner is the executor: the shell around lrmd/queue. One goroutine
// owns the queue and the journal; each run of an operation has a goroutine of its
// own, of which there are no more than the queue's bounds allow.
//
// After the death of its process a new executor on the same journal kills what
// the old one left running, reports what was lost, and goes on with recurring
// operations.
package runner
