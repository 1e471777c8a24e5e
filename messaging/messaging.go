// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package messaging

import (
	"context"
	"fmt"
	"time"
)

// NodeID identifies a node of the ring; 0 is no node. Range 1 to 2³²−1 as in
// corosync.conf's nodelist.
type NodeID uint32

// RingID names one configuration of the ring: the representative (lowest
// member) that created it and a number that only grows.
type RingID struct {
	Rep NodeID
	Seq uint64
}

// String gives the ring id as corosync's tools print it: rep in decimal, a
// point, seq in lower-case hexadecimal.
func (r RingID) String() string { return fmt.Sprintf("%d.%x", r.Rep, r.Seq) }

// MemberID identifies one member of a process group: a client connection of a
// node's messaging daemon. Client is never used twice while that daemon lives.
type MemberID struct {
	Node   NodeID
	Client uint64
}

// Reason says why a member entered or left a process group (cpg(8)).
type Reason uint8

// The reasons, with CPG's numbers.
const (
	ReasonJoin     Reason = 1 // the process joined
	ReasonLeave    Reason = 2 // the process left on purpose
	ReasonNodeDown Reason = 3 // its node left the ring
	ReasonNodeUp   Reason = 4 // its node entered the ring
	ReasonProcDown Reason = 5 // its connection ended without a leave
)

// A MemberChange is one entry of a configuration change's joined or left list.
type MemberChange struct {
	Member MemberID
	Reason Reason
}

// An Event is what a group delivers: *Message or *ConfigChange, in one total
// order that is the same at every member.
type Event interface{ groupEvent() }

// A Message is one multicast. The sender receives its own.
type Message struct {
	From MemberID
	Body []byte
}

// A ConfigChange tells the members of the group from here on. Every member that
// survives from one ConfigChange to the next has received the same messages
// between them (virtual synchrony). Left is to be handled before Joined: a
// member that was away for long can stand in both.
type ConfigChange struct {
	Ring    RingID
	Members []MemberID // sorted by node, then client
	Joined  []MemberChange
	Left    []MemberChange
}

func (*Message) groupEvent()      {}
func (*ConfigChange) groupEvent() {}

// MaxMessage bounds the body of one multicast, in bytes.
const MaxMessage = 64 << 20

// A Bus is a node's messaging daemon as its local clients see it. It is safe
// for concurrent use.
type Bus interface {
	// Join makes the caller a member of the group. The first event delivered is
	// the ConfigChange that contains the caller.
	Join(ctx context.Context, group string) (Group, error)
	// WatchQuorum gives the present view, then each change of it. A reader that
	// does not keep up sees only the newest view: nothing is queued.
	WatchQuorum(ctx context.Context) (QuorumWatch, error)
	// Status describes ring, links, nodes and votes as they are now.
	Status(ctx context.Context) (Status, error)
	// Cmap reads configuration and statistics keys by prefix, sorted by key.
	Cmap(ctx context.Context, prefix string) ([]CmapEntry, error)
	// SetExpectedVotes changes the expected votes cluster-wide
	// (corosync-quorumtool -e).
	SetExpectedVotes(ctx context.Context, votes uint32) error
	// Close ends the connection; groups joined through it are left.
	Close() error
}

// A Group is one membership of a process group.
type Group interface {
	Self() MemberID
	// Multicast queues body for total order. It blocks while the ring's queue is
	// full, and returns once the message is accepted, not delivered.
	Multicast(ctx context.Context, body []byte) error
	// Next blocks for the next event. It is for one goroutine. After
	// ErrCutOff or ErrClosed the group is gone and must be joined anew.
	Next(ctx context.Context) (Event, error)
	// Leave ends the membership; members see ReasonLeave.
	Leave(ctx context.Context) error
}

// A QuorumWatch is a running watch of the quorum view.
type QuorumWatch interface {
	// Next returns the present view at the first call, then blocks for one that
	// differs from the one returned last.
	Next(ctx context.Context) (QuorumView, error)
	Close() error
}

// A QuorumView is one state of membership and votes.
type QuorumView struct {
	Ring          RingID
	Quorate       bool
	ExpectedVotes uint32
	TotalVotes    uint32
	Quorum        uint32
	Self          NodeID
	Nodes         []Node // members and configured nodes, sorted by id
	WaitForAll    bool   // votes suffice but not all nodes were seen yet
	Flags         []string
}

// A Node is one node that is a member or configured.
type Node struct {
	ID     NodeID
	Name   string // nodelist.node.name, or "" where none is configured
	Addr   string // its first address
	Votes  uint32
	Member bool
}

// Status is the picture that the status tools print.
type Status struct {
	View        QuorumView
	Self        NodeID
	Name        string
	ClusterName string
	Transport   string
	Version     string
	State       string // gather, commit, recovery, operational
	Links       []Link
	Rotation    time.Duration // smoothed time of one token rotation
}

// A Link is one network link of this node to one peer.
type Link struct {
	Number    int
	LocalAddr string
	Peer      NodeID
	PeerAddr  string
	Connected bool
	Enabled   bool
}

// A CmapEntry is one key of the configuration and statistics map, with its
// type in cmap's words (str, u8, u16, u32, u64, i32, …) and value as text. The
// text of type bin is hexadecimal.
type CmapEntry struct {
	Key, Type, Value string
}

// A CmapEvent is what happened to a key.
type CmapEvent uint8

// The events of keys.
const (
	CmapAdded    CmapEvent = 1
	CmapModified CmapEvent = 2
	CmapDeleted  CmapEvent = 3
)

// A CmapChange is one change of one key: its new value, or the last one of a key
// that was deleted.
type CmapChange struct {
	Event CmapEvent
	Entry CmapEntry
}

// A CmapWatch is a running watch of keys.
type CmapWatch interface {
	// Next gives the present keys at the first call, each as one that was added,
	// then blocks for changes. A reader that is far too slow gets ErrCutOff.
	Next(ctx context.Context) ([]CmapChange, error)
	Close() error
}

// Admin is what administration tools need beyond a Bus. Both forms of a Bus
// have it.
type Admin interface {
	// Groups lists all process groups with their members, sorted by name.
	Groups(ctx context.Context) ([]GroupInfo, error)
	// SetVotes changes the votes of one node cluster-wide.
	SetVotes(ctx context.Context, node NodeID, votes uint32) error
	// SetCmap sets one key of this node's map, or deletes it where the entry has
	// no type. Some keys have an effect, such as quorum.cancel_wait_for_all; those
	// that follow corosync.conf or the state of the cluster are read-only.
	SetCmap(ctx context.Context, entry CmapEntry) error
	// Reload makes all nodes of the ring change to what their files say now, at
	// one place of the total order, or none: then the error is [ErrRefused], and
	// its text has the reasons of each node.
	Reload(ctx context.Context) (ReloadReport, error)
	// WatchCmap gives the keys that begin with prefix, then each change of them.
	// Statistics are made when they are read and cannot be watched.
	WatchCmap(ctx context.Context, prefix string) (CmapWatch, error)
	// ClearStats begins counters anew: totem, knet, ipc, schedmiss or all.
	ClearStats(ctx context.Context, part string) error
	// KillNode makes another node's daemon end (corosync-cfgtool -k).
	KillNode(ctx context.Context, node NodeID) error
	// ReopenLogs opens this node's log files anew, after they were rotated.
	ReopenLogs(ctx context.Context) error
	// Dump writes what the daemon recorded of the last minutes into a file of
	// this node and tells its path.
	Dump(ctx context.Context) (string, error)
	// Shutdown makes this node leave the ring and its daemon end.
	Shutdown(ctx context.Context) error
}

// A ReloadReport tells what a reload did, key by key.
type ReloadReport struct {
	// Changed are the keys that have a new value, as "key: old → new".
	Changed []string
	// Kept are those that the file changes and that count at the start only: the
	// value before is still in use.
	Kept []string
}

// GroupInfo describes one process group.
type GroupInfo struct {
	Name    string
	Members []GroupMember
}

// A GroupMember is one member of a group as status tools show it.
type GroupMember struct {
	ID   MemberID
	PID  uint32
	Addr string // first address of its node
}
