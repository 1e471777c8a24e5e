// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"time"

	"github.com/quorate/quorate/internal/clock"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/auth"
	"github.com/quorate/quorate/messaging/cmap"
	"github.com/quorate/quorate/messaging/link"
	"github.com/quorate/quorate/messaging/quorum"
	"github.com/quorate/quorate/messaging/reload"
	"github.com/quorate/quorate/messaging/totem"
	"github.com/quorate/quorate/messaging/transport"
)

// Config is all that an engine needs.
type Config struct {
	Self        messaging.NodeID
	Name        string
	ClusterName string
	Transport   string // as shown by status tools
	Version     string
	// ConfVersion is totem.config_version; nodes that differ are reported.
	ConfVersion uint64

	// Nodes are the configured nodes, this one among them. Empty: any node that
	// has the key may come (multicast without a nodelist).
	Nodes []Node
	Links []Link

	Totem  totem.Config
	Link   link.Config
	Quorum quorum.Config

	Key  auth.Key
	Rand io.Reader
	// StrictSource refuses packets whose source is not an address of the node
	// that they claim to come from.
	StrictSource bool

	Clock clock.Clock
	Ring  RingStore
	Cmap  *cmap.Map
	// Wire opens the sockets. Links can change at run time if it is a
	// [transport.Rewirer].
	Wire func(transport.Handler) (transport.Wire, error)
	// Recorder is the size of a segment of the recorder in bytes, 0 for its
	// default; less than 0 records nothing. DumpDir is where recordings are
	// written to; without it they are not.
	Recorder int
	DumpDir  string
	// Device is the arbitration device, Lease how long a node may take itself for
	// quorate after the last token (0: as long as the ring takes to notice).
	Device DeviceConfig
	Lease  time.Duration
	// Tracker keeps the highest expected votes; nil forgets them.
	Tracker Tracker
	// Digest stands for what the configuration says about the whole cluster.
	Digest reload.Digest
	// Read reads the node's configuration anew, for a reload; nil refuses one.
	Read func(context.Context) (*Draft, error)
	// ReopenLogs opens log files anew; nil where there are none.
	ReopenLogs func() error
	Log        *slog.Logger
	// Announce takes the sentences that administrators and their tools look for
	// in corosync's log. Nil drops them.
	Announce func(Announcement)
}

// A Node is one configured node.
type Node struct {
	ID    messaging.NodeID
	Name  string
	Votes uint32
	Addrs map[int]netip.Addr // by link
}

// A Link is one link of this node.
type Link struct {
	Number int
	Local  netip.Addr
	Port   uint16
	// Group tells that packets to all go to a multicast group.
	Group bool
}

// A RingStore keeps the highest ring sequence number across restarts.
type RingStore interface {
	Load() (uint64, error)
	// Save returns when the number is durable.
	Save(seq uint64) error
}

// An Announcement is one of corosync's log sentences.
type Announcement struct {
	Level  string // notice, warning, error
	Subsys string // MAIN, TOTEM, QUORUM, CPG …
	Text   string
}

func (c *Config) validate() error {
	var errs []error
	need := func(ok bool, what string) {
		if !ok {
			errs = append(errs, fmt.Errorf("engine: %s", what))
		}
	}
	need(c.Self != 0, "node id is missing")
	need(c.Clock != nil && c.Ring != nil && c.Wire != nil && c.Log != nil && c.Rand != nil, "clock, ring store, wire, log or randomness is missing")
	need(len(c.Links) > 0, "there is no link")
	found := len(c.Nodes) == 0
	for _, n := range c.Nodes {
		found = found || n.ID == c.Self
	}
	need(found, "this node is not among the configured ones")
	return errors.Join(errs...)
}
