// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package peertools compares the operator's tools with corosync's: every flag, on
// a ring, without quorum and without a daemon, judged by exit code and text.
//
//	PEER_TOOLS=1 BENCH_PEER=DIR go test ./test/peertools -v
//
// $BENCH_PEER is a folder to lay over the machines' root that holds corosync
// 3.1.7 (see test/ringbench). Without it, or where machines cannot be booted
// (see test/e2e/lab), the test is skipped.
package peertools
