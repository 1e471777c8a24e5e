// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package link judges whether the other nodes can be heard.
//
// [Core] is a pure state machine over (peer, link) pairs. Any packet that passed
// the seal counts as a sign of life; where nothing else was sent, the core asks
// for a heartbeat. A peer whose links have all been silent for the limit is
// reported down, which lets the ring exclude it at once instead of waiting for
// its consensus timeout; a peer whose kernel keeps refusing our packets is
// reported earlier.
//
// Silence is counted in ticks of this process, each worth at most its nominal
// length. A process that was stopped, or not scheduled, for five seconds
// therefore accuses nobody: its own delay extends its own patience and nothing
// else. The core never judges a peer that it has not heard yet.
//
// The package knows no socket, no clock and no protocol above it.
package link
