// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package core is the controller as a value: what happens goes in as method
// calls, what is to be done comes out as effects. It has no goroutine, clock,
// randomness, I/O or log of its own, so that a whole cluster of controllers runs
// from a seed. Package crmd/engine is the shell around it.
//
// A controller has two halves. Every node's half executes: it runs the
// operations that the DC asks for, records their results in the CIB, and joins.
// The DC's half decides: it keeps node states true, has the policy engine
// compute when something changed, and has the graph carried out.
//
// What makes the DC safe:
//   - It computes only from a document that contains all that it wrote itself and
//     all results that it was told of, and only while no action is in flight.
//   - An action is confirmed by its result in the CIB, so that the next
//     computation sees what was confirmed.
//   - A change that the graph did not expect aborts the graph.
//   - A node obeys only the DC that it elected; the election is by virtual
//     synchrony, so two controllers that see each other agree on it.
//   - A fenced node's history is erased before its fencing is confirmed to the
//     graph; without confirmation nothing that waits for it runs.
package core
