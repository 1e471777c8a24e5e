// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"time"

	"github.com/quorate/quorate/messaging"
)

// An Event is one input of the core: *Start, *Recv, *Timer, *Submit,
// *SuspectDown, *SuspectCleared, *Leave, *SyncDone, *Reconfigure, *Persisted,
// *ForceGather.
type Event interface{ event() }

// Start begins the protocol. SavedRingSeq is the highest ring sequence number
// that this node ever persisted, 0 where there is none. Ring ids must never be
// used twice: where the file was lost pass something that only grows, such as
// the wall clock's seconds shifted left by 8. Durable is up to where the shell
// has stored numbers for this start already, 0 if it has not.
type Start struct{ SavedRingSeq, Durable uint64 }

// Recv is one packet that another node sent. Packet is plaintext: the shell
// has opened the seal, which also proved From. Packets read in one batch are
// to be handed over with tokens last (a token may overtake data). The core keeps
// Packet: it must not change any more.
type Recv struct {
	From   messaging.NodeID
	Packet []byte
}

// Timer is the expiry of a timer that SetTimer started.
type Timer struct{ ID TimerID }

// Submit queues one message of the application (at most messaging.MaxMessage
// plus 4 KiB; the core packs and fragments). It is refused by Core.Room before
// it is submitted: the shell asks first. Body belongs to the core from here on.
type Submit struct {
	Body []byte
	// Sync marks a message of the synchronisation after a regular
	// configuration. With Config.HoldForSync such messages go out at once while
	// others wait for SyncDone; those not yet sent when the next regular
	// configuration comes are dropped, since they speak of the one before.
	Sync bool
}

// SuspectDown is the link layer's evidence that peers are dead: all that are
// found so at a time, since a node that hears nobody at all must not accuse one
// peer before another that believes it.
type SuspectDown struct{ Nodes []messaging.NodeID }

// SuspectCleared takes a SuspectDown back, or tells that a node is in reach for
// the first time: it is then greeted at once. A packet from the node takes a
// suspicion back too.
type SuspectCleared struct{ Node messaging.NodeID }

// Leave announces an orderly departure; afterwards the core does nothing more.
type Leave struct{}

// SyncDone tells that the layer above has finished its synchronisation after
// the latest regular configuration.
type SyncDone struct{}

// ForceGather makes an operational ring agree on its membership anew, at an
// administrator's word.
type ForceGather struct{}

// Reconfigure changes timers and limits of a running core, Self excepted. A
// Config that New would refuse is ignored with a notice. Nodes should get the
// same values soon one after the other; membership does not move by it.
type Reconfigure struct{ Config Config }

// Persisted answers PersistRingSeq: the number is durable. The core asks long
// before it needs it, so that the shell may take its time and other events go on
// meanwhile; only a ring whose number is not durable yet is not agreed to.
type Persisted struct{ Seq uint64 }

func (*Persisted) event()      {}
func (*Start) event()          {}
func (*Recv) event()           {}
func (*Timer) event()          {}
func (*Submit) event()         {}
func (*SuspectDown) event()    {}
func (*SuspectCleared) event() {}
func (*Leave) event()          {}
func (*Reconfigure) event()    {}
func (*SyncDone) event()       {}
func (*ForceGather) event()    {}

// TimerID names a timer of the core.
type TimerID uint8

// An Action is one output of the core. Actions are to be carried out in the
// order given.
type Action interface{ action() }

// Send transmits a packet to one node, or to all other nodes if To is 0. The
// core delivers to itself without the shell. Packet is read only: the core may
// keep it to send it again, so it must be sealed into another buffer.
type Send struct {
	To     messaging.NodeID
	Packet []byte
	// Token marks token and commit token packets, which go out after data.
	Token bool
}

// SetTimer starts or restarts a timer. The core knows its deadlines itself: an
// expiry that comes early, late or twice does no harm, and a timer that moves
// is set again only when it has to fire earlier than before.
type SetTimer struct {
	ID    TimerID
	After time.Duration
}

// StopTimer cancels a timer; one that does not run is fine.
type StopTimer struct{ ID TimerID }

// PersistRingSeq asks to store the highest ring sequence number durably; the
// answer is *Persisted, which need not come at once.
type PersistRingSeq struct{ Seq uint64 }

// Deliver hands one application message up, in total order. Ring is the
// configuration that the message was sent in. Body is read only and may be kept.
type Deliver struct {
	From messaging.NodeID
	Ring messaging.RingID
	Body []byte
}

// ConfKind tells the two kinds of configuration of extended virtual synchrony.
type ConfKind uint8

// The kinds of configuration.
const (
	Transitional ConfKind = 1
	Regular      ConfKind = 2
)

// ConfChange installs a configuration. A node's first one is a Regular; then
// Transitional and Regular alternate. The Transitional's members are those that
// come along from the old configuration, Left is what the new one lost; the
// messages between it and the Regular are the rest of the old configuration.
// The Regular's Joined holds the members that do not come along: a node that
// was away for long stands in the one's Left and the other's Joined.
type ConfChange struct {
	Kind    ConfKind
	Ring    messaging.RingID
	Members []messaging.NodeID
	Joined  []messaging.NodeID
	Left    []messaging.NodeID
	// LeftClean are those of Left that announced their departure.
	LeftClean []messaging.NodeID
}

// Notice is a remarkable event for log and statistics, with a constant name.
type Notice struct {
	Name string // e.g. "state_changed", "token_retransmitted"
	From string
	To   string
	Why  string
}

func (*Send) action()           {}
func (*SetTimer) action()       {}
func (*StopTimer) action()      {}
func (*PersistRingSeq) action() {}
func (*Deliver) action()        {}
func (*ConfChange) action()     {}
func (*Notice) action()         {}

// The core itself:
//
//	func New(cfg Config) (*Core, error)
//	func (c *Core) Step(now time.Duration, ev Event) []Action
//	func (c *Core) Room(size int) bool      // may a message of that size be submitted now
//	func (c *Core) State() State            // gather, commit, recovery, operational
//	func (c *Core) Stats() Stats            // counters and gauges, a copy
//	func (c *Core) Ring() messaging.RingID  // the installed ring
//	func (c *Core) Members() []messaging.NodeID // its members, sorted, a copy
//	func (c *Core) Digest() uint64          // of the whole state, to compare replays
//
// now is monotonic time that counts suspend, from any fixed origin. Step never
// blocks. The slice that it returns, and the actions in it, are valid until the
// next Step; what an action's slices hold (Packet, Body, Members …) stays valid.
