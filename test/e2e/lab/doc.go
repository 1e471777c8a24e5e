// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package lab makes machines for tests: N systemd-nspawn containers with systemd
// as PID 1 on one Ethernet bridge, each over a copy-on-write view of this
// machine's root with the result of `make install` laid between.
//
//	l, err := lab.Start(ctx, lab.Options{Nodes: 3})
//	defer l.Down()
//	l.Node(1).Exec(ctx, "crm_mon", "-1")
//	l.Node(1).Kill() // power loss
//
// The bridge lives in a network namespace of its own (the hub), so a lab touches
// neither the machine's network nor another lab. Everything that a node writes
// goes to a folder made for the lab. A second process, the reaper, removes all of
// it when the test program ends without [Lab.Down], be it by a time limit or a
// signal; the test program must call [Reap] at its very start for that.
//
// A node's own clock is the machine's, so times of the witness, of the fencing
// device and of a node's journal compare.
package lab
