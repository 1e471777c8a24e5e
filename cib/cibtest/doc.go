// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package cibtest is for tests: a messaging layer in memory, and the suite
// that every implementation of cib.Store must pass.
//
//	net := cibtest.NewNet()
//	bus := net.Bus(1, "node1") // a messaging.Bus
//	net.Split([]messaging.NodeID{1}, []messaging.NodeID{2, 3})
//	net.Kill(3)
//
// The net orders messages and configuration changes of a group at the moment
// when they are made, the same for all members of a partition.
package cibtest
