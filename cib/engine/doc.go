// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package engine is the CIB daemon in process: the shell around cib/replica
// that joins the group "cib" of the messaging layer, keeps the document on
// disk, and serves local clients as a [cib.Store].
//
// One goroutine owns the replica. Beside it, one reads the group and joins
// again when that is lost, one sends, and one writes to the disk; a slow disk
// or a full ring holds up neither. Writes to disk that wait are replaced by
// newer ones, so that many writes share one sync.
//
// Queries are answered from the latest document, which is never changed, by
// the caller's own goroutine. Without a group (the messaging daemon is not
// there yet) queries are answered and writes wait until their time is over.
// Without quorum writes work, as they do in Pacemaker.
//
//	e, err := engine.Open(engine.Config{Bus: bus, Dir: dir, Clock: clk, Log: log})
//	defer e.Close()
package engine
