// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package conf

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/quorate/quorate/messaging"
)

// ErrNotListed tells that this machine is no node of the nodelist.
var ErrNotListed = errors.New("conf: this machine is no node of the nodelist")

// A Machine is what the search for the own node may know of this machine.
type Machine struct {
	Hostname string
	Prefixes []netip.Prefix // addresses of all interfaces with their nets
	// Resolve turns a name of the nodelist into addresses.
	Resolve func(name string) ([]netip.Addr, error)
	// NodeName, where not empty, names the own node outright (several nodes on
	// one machine, where every address is local).
	NodeName string
}

func (m *Machine) has(a netip.Addr) bool {
	for _, p := range m.Prefixes {
		if p.Addr().Unmap() == a.Unmap() {
			return true
		}
	}
	return false
}

// Addresses resolves one address of the file.
func (m *Machine) Addresses(addr string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(addr); err == nil {
		return []netip.Addr{a.Unmap()}, nil
	}
	if m.Resolve == nil {
		return nil, fmt.Errorf("conf: address %q is no IP address", addr)
	}
	return m.Resolve(addr)
}

// FindLocal finds the own node in the nodelist: by totem.nodeid, by the node
// name given, by an address that only one node claims and this machine has, by
// the host's name.
func (c *Config) FindLocal(m Machine) (*NodeConf, error) {
	if c.NodeID != 0 {
		for i := range c.Nodes {
			if c.Nodes[i].ID == c.NodeID {
				return &c.Nodes[i], nil
			}
		}
		return nil, fmt.Errorf("%w: totem.nodeid is %d", ErrNotListed, c.NodeID)
	}
	if m.NodeName != "" {
		if n := c.byName(m.NodeName); n != nil {
			return n, nil
		}
		return nil, fmt.Errorf("%w: the node name is %q", ErrNotListed, m.NodeName)
	}
	var found []*NodeConf
	for i := range c.Nodes {
		as, err := m.Addresses(c.Nodes[i].Addrs[0])
		if err != nil {
			continue // the name of another node may not resolve here
		}
		if slices.ContainsFunc(as, m.has) {
			found = append(found, &c.Nodes[i])
		}
	}
	if len(found) == 1 {
		return found[0], nil
	}
	for _, name := range hostNames(m.Hostname) {
		if n := c.byName(name); n != nil {
			return n, nil
		}
	}
	if len(found) > 1 {
		return nil, fmt.Errorf("%w: %d nodes have addresses of this machine; set totem.nodeid", ErrNotListed, len(found))
	}
	return nil, fmt.Errorf("%w: no ring0_addr is an address of this machine and no name is %q", ErrNotListed, m.Hostname)
}

func hostNames(host string) []string {
	out := []string{host}
	if short, _, ok := strings.Cut(host, "."); ok {
		out = append(out, short)
	}
	return out
}

func (c *Config) byName(name string) *NodeConf {
	for i := range c.Nodes {
		n := &c.Nodes[i]
		if name != "" && (strings.EqualFold(n.Name, name) || strings.EqualFold(n.Addrs[0], name)) {
			return n
		}
	}
	for i := range c.Nodes {
		short, _, _ := strings.Cut(c.Nodes[i].Name, ".")
		if name != "" && strings.EqualFold(short, name) {
			return &c.Nodes[i]
		}
	}
	return nil
}

// BindAddr finds the address of this machine that bindnetaddr means: the
// address itself, or the first in its net.
func BindAddr(bindnet string, prefixes []netip.Prefix) (netip.Addr, error) {
	want, err := netip.ParseAddr(bindnet)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("conf: bindnetaddr %q is no IP address", bindnet)
	}
	for _, p := range prefixes {
		if p.Addr().Unmap() == want {
			return want, nil
		}
	}
	for _, p := range prefixes {
		if p.Masked().Addr().Unmap() == want {
			return p.Addr().Unmap(), nil
		}
	}
	return netip.Addr{}, fmt.Errorf("conf: no interface of this machine is in bindnetaddr %s", bindnet)
}

// LocalID is the node id where there is no nodelist: totem.nodeid, or one made
// from the bound address.
func (c *Config) LocalID(bound netip.Addr) messaging.NodeID {
	if c.NodeID != 0 {
		return c.NodeID
	}
	return AutoID(bound.String(), c.ClearHighBit)
}
