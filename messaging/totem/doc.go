// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package totem is the Totem single-ring protocol: membership and totally
// ordered multicast with extended virtual synchrony, as a pure function of
// state, event and time.
//
// # Model
//
// The members of a ring pass a token in the order of their ids. Whoever has it
// numbers and multicasts its waiting messages; everybody delivers by number.
// When the token is lost or somebody foreign is heard, the members go through
// four states: gather (agree who is in), commit (tell each other where they
// stand), recovery (hand round the old ring's messages that some have and
// others lack), operational (install the new ring and go on).
//
// Events go into [Core.Step], actions come out of it, to be carried out in
// order. The core has no goroutine, clock, randomness, socket, disk or log; the
// same events give the same actions. One goroutine owns it.
//
// # Guarantees
//
// No message is delivered twice or without having been sent. Any two nodes
// deliver their common messages in the same order. A node delivers what it
// sent, unless it crashes. Nodes that go together from one configuration to
// the next have delivered the same messages in between. A message is delivered
// whole, in the configuration that it was sent in or the transitional one
// after it: one that is cut when the configuration changes is sent anew in the
// next. Ring ids only grow at a node, also over restarts, and one ring id has
// one list of members.
//
// # What differs from corosync
//
// Sequence numbers are 64 bits wide. Messages are filed by ring id. A node
// hears itself without the network. Only counters of accepted tokens move.
// Recovered messages enter the old ring's set as they come. The lowest member
// known to have a message sends it for all in recovery. Evidence that a node is
// dead ([SuspectDown]) replaces the consensus timeout. Constants that count
// rotations also want time to pass.
//
// The package knows nothing of links, keys, groups, votes or configuration
// files.
package totem
