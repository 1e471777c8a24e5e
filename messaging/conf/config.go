// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package conf

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/quorate/quorate/messaging"
)

// Bounds and defaults of corosync.conf.
const (
	MaxLinks = 8
	MaxNodes = 384

	// DefaultPort is the port of link 0; link n uses the n-th port after it.
	DefaultPort = 5405
	// DefaultMTU is the size of the packets on the wire, with all headers.
	DefaultMTU = 1500
	// MinMTU and MaxMTU bound the sizes that can be set.
	MinMTU = 576
	MaxMTU = 65536
	// DefaultToken is the time until a lost token is noticed, for up to two
	// nodes, and DefaultTokenCoefficient what each further node adds. corosync's
	// own 3000 and 650 date from when it had no other detector; ours is the
	// links' silence.
	DefaultToken            = 1000 * time.Millisecond
	DefaultTokenCoefficient = 125 * time.Millisecond
)

// A Transport is the way packets travel.
type Transport string

// The transports. Knet is what files mean that name none; it is carried by
// unicast for now.
const (
	Knet Transport = "knet"
	UDPU Transport = "udpu"
	UDP  Transport = "udp"
)

// A Number is a value that the file may leave open.
type Number struct {
	Value uint64
	Set   bool
}

// Or returns the value, or def where the file gives none.
func (n Number) Or(def uint64) uint64 {
	if n.Set {
		return n.Value
	}
	return def
}

// Millis returns the value as a duration, or def where the file gives none.
func (n Number) Millis(def time.Duration) time.Duration {
	if n.Set {
		return time.Duration(n.Value) * time.Millisecond
	}
	return def
}

// A Config is what one corosync.conf says.
type Config struct {
	File          string
	ClusterName   string
	ConfigVersion uint64
	Transport     Transport
	LinkMode      string // passive, active, rr
	// IPVersion says which addresses names stand for: ipv4, ipv6, or both with
	// the preferred one first, ipv4-6, ipv6-4; "" is the transport's default.
	IPVersion     string
	Keyfile       string // "" is the default path
	Key           string // inline key, "" for none
	NodeID        messaging.NodeID
	BlockUnlisted bool
	ClearHighBit  bool
	NetMTU        int
	// KnetMTU is a size of packets that is not to be searched for, 0 for none;
	// ProbeEvery the time between two searches in seconds.
	KnetMTU    int
	ProbeEvery Number
	// DSCP marks the packets for the network's queues.
	DSCP       int
	Timers     Timers
	Interfaces map[int]Interface // by link number
	Nodes      []NodeConf        // in the order of the file
	Quorum     Quorum
	Logging    Logging
	StateDir   string // "" is the default path
	SchedRR    bool
	Priority   string      // system.priority: a nice value, min or max; "" is max
	Access     []Principal // who may use the daemon besides root and the operators

	Entries  []messaging.CmapEntry // for cmap, in the order of the file
	Warnings []Warning

	root *Section
}

// Timers are the protocol's timers and counts as the file gives them. A zero
// Number leaves the choice to the protocol.
type Timers struct {
	Token, TokenCoefficient, TokenWarning, TokenRetransmit, Retransmits Number
	Hold, Join, SendJoin, Consensus, Merge, Downcheck                   Number
	FailRecv, SeqnoUnchanged, WindowSize, MaxMessages, MissCount        Number
	LinkDown, NodeDown, HeartbeatInterval                               Number
	CancelHoldOnRetransmit                                              Number
}

// An Interface describes one link.
type Interface struct {
	Link      int
	BindNet   string
	McastAddr netip.Addr // invalid where none is set
	Broadcast bool
	Port      int // 0 where none is set
	TTL       int
	Priority  Number
	Members   []string
}

// A NodeConf is one node of the nodelist.
type NodeConf struct {
	Pos   int
	ID    messaging.NodeID // 0 where the file gives none
	Name  string
	Addrs map[int]string // by link number
	Votes uint32
	Line  int
}

// A Principal is a user or a group of a uidgid section.
type Principal struct {
	Group bool
	Name  string // or number
	File  string
	Line  int
}

// Subsys is a logger_subsys section: what it says differs from what is said for
// all subsystems, as far as the log file goes.
type Subsys struct {
	Name            string
	ToLogfile       Switch
	LogfilePriority string // "" says nothing
	Debug           Switch
}

// A Switch is on, off, or not set.
type Switch int8

// The states of a switch.
const (
	Unset Switch = 0
	On    Switch = 1
	Off   Switch = -1
)

// Or is the switch as it is set, or else def.
func (s Switch) Or(def bool) bool { return s == On || s == Unset && def }

// Logging is the logging section.
type Logging struct {
	ToStderr, ToSyslog, ToLogfile bool
	Logfile                       string
	// LogfilePriority is the least severe level that goes into the file: alert,
	// crit, debug, emerg, err, info, notice, warning; "" is info.
	LogfilePriority string
	Debug           bool
	// Timestamp is on, off or hires.
	Timestamp string
	Subsys    []Subsys
	Blackbox  bool // keep a recording
}

// A Warning is a remark about one line.
type Warning struct {
	File string
	Line int
	Text string
}

// String gives the remark with file and line.
func (w Warning) String() string { return fmt.Sprintf("%s:%d: %s", w.File, w.Line, w.Text) }

// Token is the token timeout that counts: the base plus the coefficient for
// each node over two of a nodelist.
func (c *Config) Token() time.Duration {
	t := c.Timers.Token.Millis(DefaultToken)
	if n := len(c.Nodes); n > 2 {
		t += time.Duration(n-2) * c.Timers.TokenCoefficient.Millis(DefaultTokenCoefficient)
	}
	return t
}

// Port is the UDP port of a link.
func (c *Config) Port(link int) int {
	if p := c.Interfaces[link].Port; p != 0 {
		return p
	}
	return DefaultPort + link
}

// Links lists the numbers of the links in use, ascending.
func (c *Config) Links() []int {
	var out []int
	for l := range MaxLinks {
		used := len(c.Nodes) == 0 && (l == 0 || c.Interfaces[l].BindNet != "")
		for _, n := range c.Nodes {
			used = used || n.Addrs[l] != ""
		}
		if used {
			out = append(out, l)
		}
	}
	return out
}

// Families tells which versions of IP addresses may be, the preferred one first.
func (c *Config) Families() []int {
	v := c.IPVersion
	if v == "" {
		v = "ipv6-4"
		if c.Transport == UDP {
			v = "ipv4"
		}
	}
	switch v {
	case "ipv4":
		return []int{4}
	case "ipv6":
		return []int{6}
	case "ipv4-6":
		return []int{4, 6}
	}
	return []int{6, 4}
}

// MulticastAddr is the group of a link: the one set, or one made from the
// cluster's name as corosync makes it.
func (c *Config) MulticastAddr(link int, v6 bool) netip.Addr {
	if a := c.Interfaces[link].McastAddr; a.IsValid() {
		return a
	}
	var h uint32
	for i := range len(c.ClusterName) {
		h = h<<1 + uint32(c.ClusterName[i])
	}
	id := h&0xffff + uint32(link)
	if v6 {
		a := [16]byte{0: 0xff, 1: 0x15, 14: byte(id >> 8), 15: byte(id)}
		return netip.AddrFrom16(a)
	}
	return netip.AddrFrom4([4]byte{239, 192, byte(id >> 8), byte(id % 255)})
}
