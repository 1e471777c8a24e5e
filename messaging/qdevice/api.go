// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package qdevice

import (
	"time"

	"github.com/quorate/quorate/messaging/qnet"
)

// LeaseFactor is how many heartbeat intervals the vote lasts after the sending of
// the last message that was answered.
const LeaseFactor = 1.25

// Bounds and defaults.
const (
	MinHeartbeat = time.Second
	MaxHeartbeat = 2 * time.Minute
	// Reconnect is the pause between two attempts to reach the server.
	Reconnect = time.Second
	// maxEchoes bounds the heartbeats under way.
	maxEchoes = 8
)

// Mode tells when heuristics run.
type Mode uint8

// The modes, with corosync's words: off, sync (when the membership changes and at
// each connection), on (also in between).
const (
	Off  Mode = 0
	Sync Mode = 1
	On   Mode = 2
)

// String gives the word of the status tools.
func (m Mode) String() string { return [...]string{"Disabled", "Sync", "Enabled"}[m] }

// Config is how a node uses its arbitration server.
type Config struct {
	Node       uint32
	Cluster    string
	Algorithm  qnet.Algorithm
	TieBreaker qnet.TieBreaker
	KeepActive bool
	TLS        qnet.TLS
	Nodes      []uint32 // configured
	Version    qnet.Opt[uint64]
	// Connect bounds the time from the start of a connection until the server has
	// let the node in.
	Connect   time.Duration
	Heartbeat time.Duration
	// Checks tells when heuristics run, Interval how often with On.
	Checks   Mode
	Interval time.Duration
}

// An Event is one input: *Ring, *Quorum, *Connected, *Secured, *Received,
// *Disconnected, *Checked, *Ticked.
type Event interface{ event() }

// Ring is a new membership.
type Ring struct {
	ID      qnet.RingID
	Members []uint32
}

// Quorum is what the votes came to.
type Quorum struct {
	Quorate    bool
	WaitForAll bool
	Members    []uint32
}

// Connected is a connection that is up.
type Connected struct{}

// Secured is the end of the TLS handshake.
type Secured struct{}

// Received is a message.
type Received struct {
	Message   *qnet.Message
	Malformed bool
}

// Disconnected is the end of the connection, or of an attempt to make one.
type Disconnected struct{ Reason string }

// Checked is the result of a run of the heuristics.
type Checked struct {
	Run  uint64
	Pass bool
}

// Ticked tells that the time of [Core.Deadline] has come.
type Ticked struct{}

func (*Ring) event()         {}
func (*Quorum) event()       {}
func (*Connected) event()    {}
func (*Secured) event()      {}
func (*Received) event()     {}
func (*Disconnected) event() {}
func (*Checked) event()      {}
func (*Ticked) event()       {}

// An Action is one output: *Vote, *Dial, *StartTLS, *Send, *HangUp, *Check,
// *Notice. They are carried out in order, a Vote before what follows it: the
// server may rely on what is sent then.
type Action interface{ action() }

// Vote tells whether the node has the vote for a ring.
type Vote struct {
	Ring qnet.RingID
	Cast bool
}

// Dial makes a connection.
type Dial struct{}

// StartTLS makes the handshake, once what was sent before is out.
type StartTLS struct{}

// Send sends a message.
type Send struct{ Message *qnet.Message }

// HangUp ends the connection; Disconnected is not expected for it.
type HangUp struct{ Reason string }

// Check runs the heuristics; Sync tells that a change of the membership waits.
type Check struct {
	Run  uint64
	Sync bool
}

// Notice is for the log.
type Notice struct {
	Warn bool
	Text string
	Args []any
}

func (*Vote) action()     {}
func (*Dial) action()     {}
func (*StartTLS) action() {}
func (*Send) action()     {}
func (*HangUp) action()   {}
func (*Check) action()    {}
func (*Notice) action()   {}
