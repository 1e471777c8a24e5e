// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package qnetd

import (
	"time"

	"github.com/quorate/quorate/messaging/qnet"
)

// Bounds and defaults.
const (
	// SilentFactor is how many heartbeat intervals a client may be silent before
	// it counts as gone.
	SilentFactor = 1.5
	// MaxClients bounds the connections.
	MaxClients = 1024
	// MinHeartbeat and MaxHeartbeat bound the interval that a client may ask for.
	MinHeartbeat = time.Second
	MaxHeartbeat = 2 * time.Minute
	// InitPatience bounds the time until a client has introduced itself.
	InitPatience = 10 * time.Second
)

// Config is how the server was started.
type Config struct {
	TLS          qnet.TLS
	CertRequired bool
	// KeepActive is the tie-breaker "keep the active partition" for clients that
	// do not say.
	KeepActive bool
	// MaxClients bounds the connections; 0 is the constant of that name.
	MaxClients int
}

// A Client numbers a connection; numbers are never used twice.
type Client uint64

// An Event is one input: *Opened, *Received, *Secured, *Closed, *Ticked.
type Event interface{ event() }

// Opened is a new connection.
type Opened struct {
	Client Client
	Addr   string
}

// Received is a message. Malformed tells that it could not be decoded whole.
type Received struct {
	Client    Client
	Message   *qnet.Message
	Malformed bool
}

// Secured is the end of a TLS handshake. Names are those of the certificate that
// the client has proven, nil where it sent none.
type Secured struct {
	Client Client
	Names  []string
}

// Closed is the end of a connection. Orderly tells that the client ended it or
// has ended itself: then it has no vote any more.
type Closed struct {
	Client  Client
	Orderly bool
}

// Ticked tells that the time of [Core.Deadline] has come.
type Ticked struct{}

func (*Opened) event()   {}
func (*Received) event() {}
func (*Secured) event()  {}
func (*Closed) event()   {}
func (*Ticked) event()   {}

// An Action is one output: *Send, *StartTLS, *Close, *Notice.
type Action interface{ action() }

// Send sends a message.
type Send struct {
	Client  Client
	Message *qnet.Message
}

// StartTLS begins the handshake: the next byte of the connection is its.
type StartTLS struct{ Client Client }

// Close ends a connection; no Closed is expected for it.
type Close struct {
	Client Client
	Reason string
}

// Notice is for the log.
type Notice struct {
	Warn    bool
	Text    string
	Cluster string
	Node    uint32
	Detail  string
}

func (*Send) action()     {}
func (*StartTLS) action() {}
func (*Close) action()    {}
func (*Notice) action()   {}
