// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package ringbench measures rings of whole nodes: daemons and clients in machines of
// the lab (see test/e2e/lab), and, where it is told of one, another stack on the
// same machine in the same run.
//
//	go test ./test/ringbench -run - -bench . -benchtime 1x
//
// $BENCH_PEER is a folder to lay over the machines' root that holds corosync with
// its libraries; the program that measures it is built from cpgbench.c beside
// the project, with the C compiler. Without them only this stack is measured, and
// one line says so.
package ringbench
