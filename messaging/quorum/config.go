// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package quorum

import (
	"fmt"
	"time"

	"github.com/quorate/quorate/messaging"
)

// MaxVotes bounds the votes of one node and the expected votes.
const MaxVotes = 1 << 20

// DefaultWindow is the time that last_man_standing waits after a loss before it
// lowers the expected votes.
const DefaultWindow = 10 * time.Second

// Config is the quorum section of corosync.conf as this node reads it.
type Config struct {
	Self  messaging.NodeID
	Votes uint32
	// ExpectedVotes are those of all nodes and of the device.
	ExpectedVotes uint32
	// TwoNode makes one vote of two enough; it implies WaitForAll unless that is
	// set to false on purpose.
	TwoNode bool
	// WaitForAll withholds quorum after a start until all nodes were seen once.
	WaitForAll bool
	// AutoTieBreaker lets half the votes suffice on the side of TieBreakers (the
	// first of them that is present decides), or of the lowest node.
	AutoTieBreaker bool
	TieBreakers    []messaging.NodeID
	TieHighest     bool
	// LastManStanding lowers the expected votes after Window, as long as the
	// partition stays quorate.
	LastManStanding bool
	Window          time.Duration
	// AllowDownscale lowers the expected votes when a node leaves cleanly, but
	// not below what is configured. It implies Tracking.
	AllowDownscale bool
	// Tracking keeps the highest expected votes ever seen: Tracked is what was
	// kept before this start, and [Track] asks to keep more.
	Tracking bool
	Tracked  uint32
	// Device is the arbitration device; a device without a name is none.
	Device Device
	// Off counts nothing: every partition is quorate, as with corosync without a
	// quorum provider.
	Off bool
}

// A Device is an arbitration device as the configuration knows it.
type Device struct {
	Name  string
	Votes uint32
	// MasterWins makes a partition quorate in which a node has the device's vote,
	// whatever the votes.
	MasterWins bool
}

// Normalize applies what options imply and switches off what cannot work
// together; the texts say what it changed. What corosync refuses to start with
// is refused where the file is read.
func (c Config) Normalize() (Config, []string) {
	var notes []string
	if c.TwoNode && c.AutoTieBreaker {
		c.TwoNode = false
		notes = append(notes, "two_node and auto_tie_breaker exclude each other: two_node is off")
	}
	if c.TwoNode && c.Device.Name != "" {
		c.TwoNode = false
		notes = append(notes, "two_node and a quorum device exclude each other: two_node is off")
	}
	if c.AutoTieBreaker && c.ExpectedVotes%2 == 1 && !c.WaitForAll {
		c.AutoTieBreaker = false
		notes = append(notes, "auto_tie_breaker with an odd number of votes needs wait_for_all: auto_tie_breaker is off")
	}
	if c.LastManStanding && c.Votes > 1 {
		c.LastManStanding = false
		notes = append(notes, "last_man_standing needs one vote per node: it is off")
	}
	c.Tracking = c.Tracking || c.AllowDownscale
	if c.Window == 0 {
		c.Window = DefaultWindow
	}
	return c, notes
}

func (c *Config) validate() error {
	if c.Self == 0 || c.Votes > MaxVotes || c.ExpectedVotes > MaxVotes || c.Device.Votes > MaxVotes || c.Tracked > MaxVotes {
		return fmt.Errorf("quorum: node %d has %d votes (its device %d) of %d expected: at most %d are possible", c.Self, c.Votes, c.Device.Votes, c.ExpectedVotes, MaxVotes)
	}
	return nil
}

// Info is what a node tells of itself after each change of the membership, and
// whenever its device's vote changes.
type Info struct {
	Votes    uint32
	Expected uint32
	Flags    Flags
	// Tie is the node that decides a tie, as of when the sender was last
	// quorate; 0 is none. Epoch is the number of the ring of that time, 0 for
	// none since the sender's start. Ring numbers grow, over restarts too: of
	// what two nodes remember that with the larger number is the later.
	Tie   messaging.NodeID
	Epoch uint64
	// Base is the epoch at which the expected votes were lowered, 0 for never:
	// those members count for the lower number who have been in a quorate view
	// since.
	Base uint64
}

// Flags of a node's state, with votequorum's bits.
type Flags uint32

// The flags.
const (
	FlagQuorate          Flags = 1
	FlagLeaving          Flags = 2
	FlagWaitForAll       Flags = 4 // wait_for_all is not satisfied yet
	FlagFirst            Flags = 8 // not yet in a membership of more than one
	FlagDeviceRegistered Flags = 16
	FlagDeviceAlive      Flags = 32 // the device polls
	FlagDeviceCast       Flags = 64 // this node has the device's vote
	FlagDeviceMasterWins Flags = 128
)

// DeviceText shows the device's flags of one node as corosync-quorumtool does:
// alive, votes, master wins, with an N before what is not.
func (f Flags) DeviceText() string {
	if f&FlagDeviceRegistered == 0 {
		return "NR"
	}
	text := ""
	for _, x := range []struct {
		bit  Flags
		name string
	}{{FlagDeviceAlive, "A"}, {FlagDeviceCast, "V"}, {FlagDeviceMasterWins, "MW"}} {
		if text != "" {
			text += ","
		}
		if f&x.bit == 0 {
			text += "N"
		}
		text += x.name
	}
	return text
}

// Result is what the core decided.
type Result struct {
	Quorate       bool
	ExpectedVotes uint32
	Highest       uint32
	TotalVotes    uint32
	Quorum        uint32
	WaitForAll    bool
	Flags         []string
	Nodes         map[messaging.NodeID]uint32 // votes of the members
	Devices       map[messaging.NodeID]Flags  // of the members
	Device        Device                      // its name is "" where none is registered
	DeviceCast    bool                        // this node has its vote
}

// An Action is one output: *StartWindow, *StopWindow, *Waiting, *Tell, *Track.
type Action interface{ action() }

// StartWindow asks to order an end of the window ([Core.WindowExpired]) after a
// time.
type StartWindow struct{ After time.Duration }

// StopWindow cancels that.
type StopWindow struct{}

// Waiting tells that wait_for_all withholds quorum.
type Waiting struct{ Total, Expected uint32 }

// Tell asks to order this node's [Info] for [Core.Update] of all members.
type Tell struct{}

// Track asks to keep the highest expected votes.
type Track struct{ Votes uint32 }

func (*StartWindow) action() {}
func (*StopWindow) action()  {}
func (*Waiting) action()     {}
func (*Tell) action()        {}
func (*Track) action()       {}
