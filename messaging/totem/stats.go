// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"fmt"
	"time"
)

// State is one of the four states of the protocol.
type State uint8

// The states, with corosync's numbers.
const (
	Operational State = 1
	Gather      State = 2
	Commit      State = 3
	Recovery    State = 4
)

// String gives the name of a state.
func (s State) String() string {
	switch s {
	case Operational:
		return "operational"
	case Gather:
		return "gather"
	case Commit:
		return "commit"
	case Recovery:
		return "recovery"
	}
	return fmt.Sprintf("state_%d", uint8(s))
}

// Stats are the counters of a core since its start, and gauges of now.
type Stats struct {
	TokensReceived   uint64 // accepted
	TokensDuplicate  uint64 // dropped, seen before
	TokensForeign    uint64 // dropped, of another ring or in the wrong state
	TokenRetransmits uint64
	TokenLost        uint64
	McastSent        uint64 // packets
	McastReceived    uint64 // packets, new ones
	McastDuplicate   uint64
	McastRetransmits uint64 // sent for others that lacked them
	MessagesSent     uint64 // application messages taken
	Delivered        uint64 // application messages
	JoinsSent        uint64
	JoinsReceived    uint64
	GatherEntered    uint64
	CommitEntered    uint64
	RecoveryEntered  uint64
	RingsInstalled   uint64
	HoldCancels      uint64 // sent
	FailedToReceive  uint64
	ConsensusLost    uint64 // consensus timeouts
	Pauses           uint64 // times this process did not run
	Malformed        uint64 // packets that cannot be read
	Foreign          uint64 // packets dropped for their ring, state or sender

	QueuedMessages int // waiting to be sent
	QueuedBytes    int
	Unreleased     int // message packets kept for others
	Held           bool
	RotationNanos  int64 // smoothed time of a rotation while messages flow

	lastToken time.Duration // the accepted token before, 0 while the ring idles
}

// Stats gives a copy of the counters and the gauges of now.
func (c *Core) Stats() Stats {
	s := c.stats
	s.QueuedMessages = c.queue.Len() + c.syncQueue.Len()
	s.QueuedBytes = c.queue.Bytes() + c.syncQueue.Bytes()
	s.Unreleased = int(c.cur.high - min(c.cur.released, c.cur.high))
	s.Held = c.held
	return s
}
