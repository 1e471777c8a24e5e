// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package node

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/quorate/quorate/messaging/conf"
)

// resolvePatience bounds one look-up of a name: a dead name server must not keep
// a node from starting for ever.
const resolvePatience = 5 * time.Second

// ThisMachine describes the machine for the search of the own node. hostnameFile,
// where it exists, names the node outright: nodes that share a machine have one
// each under their own root.
func ThisMachine(ctx context.Context, hostnameFile, nodeName string) (conf.Machine, error) {
	m := conf.Machine{NodeName: nodeName}
	host, err := os.Hostname()
	if err != nil {
		return m, fmt.Errorf("node: host name: %w", err)
	}
	m.Hostname = host
	if m.NodeName == "" && hostnameFile != "" {
		if b, err := os.ReadFile(hostnameFile); err == nil {
			m.NodeName = strings.TrimSpace(string(b))
		}
	}
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		return m, fmt.Errorf("node: addresses of this machine: %w", err)
	}
	for _, a := range addrs {
		p, err := netip.ParsePrefix(a.String())
		if err != nil {
			continue
		}
		m.Prefixes = append(m.Prefixes, p)
	}
	m.Resolve = func(name string) ([]netip.Addr, error) {
		ctx, cancel := context.WithTimeout(ctx, resolvePatience)
		defer cancel()
		return net.DefaultResolver.LookupNetIP(ctx, "ip", name)
	}
	return m, nil
}
