// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package engine is the shell around the pure cores of the messaging layer:
// Totem, process groups, votes and links.
//
// One goroutine owns all cores; one bounded channel feeds it. The goroutines of
// the sockets open the seals and hand batches over. What one event leads to is
// carried out in this order: ring ids are made durable, deliveries go to the
// local members' queues, packets are sealed and sent in one batch at the end,
// tokens after the data that goes before them.
//
// [Engine.Bus] is the layer in process; package server offers it over gRPC. A
// member of a group has a queue that is bounded in events and bytes; a reader
// that lets it overflow is cut off and leaves its groups, so that no reader can
// hold up the ring. Senders are held up by the ring's own queue.
//
// The engine knows no gRPC and no file format.
package engine
