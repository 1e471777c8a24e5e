// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package engine is the shell around crmd/core: one goroutine owns the core, one
// bounded channel feeds it, and for each thing below (group, CIB, executor,
// policy engine, transition engine, fence agents) a goroutine carries the
// effects out in the order given. Whatever is below may go away and come back at
// any time: connections are made anew with a bounded back-off.
//
// It implements [crmd.Controller] in process.
package engine
