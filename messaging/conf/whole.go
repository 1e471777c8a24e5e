// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package conf

import (
	"fmt"
	"net/netip"
	"slices"

	"github.com/quorate/quorate/messaging"
)

// minTimer is the least value of most timers, in milliseconds.
const minTimer = 30

// checkWhole finds the faults that no single line shows.
func (b *builder) checkWhole() {
	b.membersToNodes()
	b.checkNodes()
	b.checkTimers()
	b.checkQuorum()
	c := b.cfg
	if _, err := ReadUrgency(c.SchedRR, c.Priority); err != nil {
		b.fault(b.at("system.priority"), "%s", err)
	}
	if c.Transport == UDP && len(c.Nodes) == 0 && c.Interfaces[0].BindNet == "" {
		b.fault(b.at("totem.transport", "totem"), "transport udp needs totem.interface.bindnetaddr or a nodelist")
	}
	if c.Transport != UDP && len(c.Nodes) == 0 {
		// A file of the tutorials names no transport and gives an interface
		// section: in the corosync of its day that meant multicast.
		if c.Interfaces[0].BindNet != "" {
			c.Transport = UDP
			c.Warnings = append(c.Warnings, Warning{c.File, b.at("totem.interface"), "no nodelist: transport udp (multicast) is used, as corosync 1 and 2 did"})
		} else {
			b.fault(b.at("nodelist", "totem"), "nodelist is missing: list each node with ring0_addr and nodeid")
		}
	}
}

// membersToNodes turns the member sections of old udpu files into a nodelist.
func (b *builder) membersToNodes() {
	if len(b.cfg.Nodes) > 0 {
		return
	}
	for i, addr := range b.cfg.Interfaces[0].Members {
		n := NodeConf{Pos: i, Addrs: map[int]string{0: addr}, Votes: 1, Line: 1}
		for l := 1; l < MaxLinks; l++ {
			if m := b.cfg.Interfaces[l].Members; i < len(m) {
				n.Addrs[l] = m[i]
			}
		}
		b.cfg.Nodes = append(b.cfg.Nodes, n)
	}
}

func (b *builder) checkNodes() {
	c := b.cfg
	if len(c.Nodes) > MaxNodes {
		b.fault(c.Nodes[MaxNodes].Line, "nodelist has %d nodes, %d are possible", len(c.Nodes), MaxNodes)
		return
	}
	ids, names := map[messaging.NodeID]int{}, map[string]int{}
	addrs := map[string]int{}
	for i := range c.Nodes {
		n := &c.Nodes[i]
		if len(n.Addrs) == 0 {
			b.fault(n.Line, "node has no ring0_addr")
			continue
		}
		if n.ID == 0 {
			n.ID = AutoID(n.Addrs[0], c.ClearHighBit)
		}
		if n.ID == 0 {
			b.fault(n.Line, "node has no nodeid: it is needed where ring0_addr is no IPv4 address")
		}
		if at, ok := ids[n.ID]; ok && n.ID != 0 {
			b.fault(n.Line, "nodeid %d is used by the node at line %d too", n.ID, at)
		}
		ids[n.ID] = n.Line
		if at, ok := names[n.Name]; ok && n.Name != "" {
			b.fault(n.Line, "name %q is used by the node at line %d too", n.Name, at)
		}
		names[n.Name] = n.Line
		for _, a := range n.Addrs {
			if fault := c.addressFault(a); fault != "" {
				b.fault(n.Line, "address %s of the node %s", a, fault)
			}
			if at, ok := addrs[a]; ok {
				b.fault(n.Line, "address %s is used by the node at line %d too", a, at)
			}
			addrs[a] = n.Line
		}
	}
}

// addressFault tells why an address cannot be a node's; a name is no fault.
func (c *Config) addressFault(addr string) string {
	a, err := netip.ParseAddr(addr)
	if err != nil {
		return ""
	}
	version := 6
	if a.Unmap().Is4() {
		version = 4
	}
	switch {
	case a.Zone() != "" || a.IsLinkLocalUnicast():
		return "is link-local: it means another interface on each machine; give a global or unique local address (fd00::/8)"
	case a.Is4In6():
		return "is an IPv4 address in IPv6 clothes: give " + a.Unmap().String()
	case a.IsUnspecified() || a.IsMulticast():
		return "is no address of one machine"
	case !slices.Contains(c.Families(), version):
		return fmt.Sprintf("is not of the ip_version that is set or is the default of transport %s", c.Transport)
	}
	return ""
}

// AutoID makes a node id from an IPv4 address as corosync does on x86: the
// bytes of the address, lowest first. It is 0 for anything else.
func AutoID(addr string, clearHighBit bool) messaging.NodeID {
	a, err := netip.ParseAddr(addr)
	if err != nil || !a.Unmap().Is4() {
		return 0
	}
	q := a.Unmap().As4()
	id := uint32(q[0]) | uint32(q[1])<<8 | uint32(q[2])<<16 | uint32(q[3])<<24
	if clearHighBit {
		id &= 1<<31 - 1
	}
	return messaging.NodeID(id)
}

func (b *builder) checkTimers() {
	t := &b.cfg.Timers
	for _, f := range []struct {
		name string
		n    Number
		min  uint64
	}{
		{"token", t.Token, minTimer},
		{"token_retransmit", t.TokenRetransmit, minTimer},
		{"join", t.Join, minTimer},
		{"consensus", t.Consensus, minTimer},
		{"merge", t.Merge, minTimer},
		{"downcheck", t.Downcheck, minTimer},
		{"hold", t.Hold, 14},
		{"link_down_timeout", t.LinkDown, 100},
		{"node_down_timeout", t.NodeDown, 100},
		{"heartbeat_interval", t.HeartbeatInterval, 10},
	} {
		if f.n.Set && f.n.Value < f.min {
			b.fault(b.at("totem."+f.name), "The %s timeout parameter (%d ms) may not be less than (%d ms)", f.name, f.n.Value, f.min)
		}
	}
	if t.Consensus.Set && t.Join.Set && t.Consensus.Value < t.Join.Value {
		b.fault(b.at("totem.consensus"), "The consensus timeout parameter (%d ms) may not be less than join (%d ms)", t.Consensus.Value, t.Join.Value)
	}
}
