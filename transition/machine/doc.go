// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package machine is the pure core of the transition engine: a graph and what
// happens to it (confirmations, the passing of time, aborts) in, the actions to
// fire next out.
//
// The model: a synapse may fire when all its inputs are done; it is done when
// all its own actions are. Pseudo events are done as they fire. Three limits
// hold an otherwise ready synapse back: actions in flight in all, on one node,
// and migrations on one node. A failed action holds back whatever depends on it,
// save synapses of infinite priority. An abort of priority p lets only synapses
// of at least that priority fire from then on; what is in flight is always
// awaited. The run is over when nothing is in flight and nothing may fire.
//
// Ready synapses fire in the order of the graph, so the same events give the
// same fires. The package knows no clock: time is passed in and is monotonic.
package machine
