// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package replica

import (
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/attrs"
	"github.com/quorate/quorate/cib/operation"
	"github.com/quorate/quorate/messaging"
)

// Bounds of the core.
const (
	PartSize   = 512 << 10 // bytes of one piece of a document
	maxParts   = 1024
	maxHeld    = 100_000 // held requests of a meeting
	checkEvery = 128     // writes between comparisons of digests
	maxPatch   = 64 << 10

	// TickEvery is the time between two ticks. A member that does not tell what it
	// has within goOnAfter ticks is left out of a meeting; a meeting whose chosen
	// members send nothing for anewAfter ticks begins anew.
	TickEvery = 500 * time.Millisecond
	goOnAfter = 4
	anewAfter = 8
)

// An Event is one input of the core.
type Event interface{ event() }

// Joined tells that this replica is the member Self of the group; a View
// follows.
type Joined struct{ Self messaging.MemberID }

// View is a configuration change of the group.
type View struct{ Change *messaging.ConfigChange }

// Deliver is a message of the group, also an own one.
type Deliver struct {
	From messaging.MemberID
	Body []byte
}

// Lost tells that the membership of the group ended.
type Lost struct{}

// Write submits a client's write. ID is the caller's, to be answered.
type Write struct {
	ID   uint64
	Req  cib.Request
	Meta operation.Meta
}

// SetAttr submits an update of a transient attribute.
type SetAttr struct {
	ID uint64
	Up attrs.Update
}

// Stored tells how a Persist ended: all up to Index is on disk, or why not.
type Stored struct {
	Index uint64
	Err   error
}

// TimerFired tells that the timer of an attribute fired.
type TimerFired struct{ Name string }

// Tick tells that TickEvery has passed. It is asked for by Core.Waiting.
type Tick struct{}

// GiveUp tells that nobody waits for the answer any longer.
type GiveUp struct{ ID uint64 }

func (*Joined) event()     {}
func (*View) event()       {}
func (*Deliver) event()    {}
func (*Lost) event()       {}
func (*Write) event()      {}
func (*SetAttr) event()    {}
func (*Stored) event()     {}
func (*TimerFired) event() {}
func (*GiveUp) event()     {}
func (*Tick) event()       {}

// An Action is one output of the core; actions are to be carried out in order.
type Action interface{ action() }

// Multicast sends a message to the group.
type Multicast struct{ Body []byte }

// Publish tells that the document changed from Old to New.
type Publish struct {
	Old, New *etree.Element
	Client   string
	// Whole: the document was replaced by another member's.
	Whole bool
	Op    cib.Op
}

// Persist stores the document, to be answered by Stored. A later one stands for
// all before it.
type Persist struct {
	Index uint64
	Root  *etree.Element
}

// Answer answers a Write or SetAttr.
type Answer struct {
	ID     uint64
	Result cib.Result
	Err    error
}

// StartTimer asks for a TimerFired; one that runs for the name goes on.
type StartTimer struct {
	Name  string
	After time.Duration
}

// Notice is a remarkable event, with a constant name.
type Notice struct {
	Level int // 0 info, 1 warning, 2 error
	Name  string
	Attrs []any // keys and values
}

func (*Multicast) action()  {}
func (*Publish) action()    {}
func (*Persist) action()    {}
func (*Answer) action()     {}
func (*StartTimer) action() {}
func (*Notice) action()     {}

// Mode is what a replica is at.
type Mode string

// The modes.
const (
	ModeAlone   Mode = "alone"   // in no group: reads only
	ModeMeeting Mode = "meeting" // members state what they have
	ModeReady   Mode = "ready"
)
