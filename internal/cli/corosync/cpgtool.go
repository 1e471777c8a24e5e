// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package corosync

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/messaging"
)

const cpgtoolUsage = `corosync-cpgtool [-d delimiter] [-e] [-n] [-h]

A tool for displaying cpg groups and members.
options:
	-d	Delimiter between fields.
	-e	Don't escape unprintable characters in group name.
	-n	Display only all existing group names.
	-h	Display this help.
`

func runCpgtool(ctx context.Context, io *cli.IO, args []string) int {
	opts, _, err := getopt("corosync-cpgtool", args, "hd:en", nil)
	if err != nil {
		io.Errorf("%s\n", err)
		return exitError
	}
	delimiter, escape, namesOnly := "", true, false
	for _, o := range opts {
		switch o.name {
		case "d":
			delimiter = o.arg[:min(len(o.arg), 1)]
		case "e":
			escape = false
		case "n":
			namesOnly = true
		case "h":
			io.Printf("%s", cpgtoolUsage)
			return exitOK
		}
	}
	bus, status, err := dial(ctx, io)
	if err != nil {
		io.Errorf("Could not initialize corosync cpg API error 2\n")
		return exitError
	}
	defer func() { _ = bus.Close() }()
	groups, err := bus.Groups(ctx)
	if err != nil {
		io.Errorf("Could not list groups: %s\n", err)
		return exitError
	}
	switch {
	case namesOnly:
	case delimiter != "":
		io.Printf("GRP_NAME%sPID%sNODEID\n", delimiter, delimiter)
	default:
		io.Printf("Group Name\t%10s\t%10s\n", "PID", "Node ID")
	}
	addrs := map[messaging.NodeID]string{}
	for _, n := range status.View.Nodes {
		addrs[n.ID] = strings.Join(addresses(ctx, bus, status.View, n.ID), " ")
	}
	for _, g := range groups {
		name := g.Name
		if escape {
			name = escapeName(name)
		}
		if delimiter == "" || namesOnly {
			io.Printf("%s\n", name)
		}
		if namesOnly {
			continue
		}
		for _, m := range g.Members {
			if delimiter != "" {
				io.Printf("%s%s%d%s%d\n", name, delimiter, m.PID, delimiter, uint32(m.ID.Node))
				continue
			}
			io.Printf("\t\t%10d\t%10d (%s)\n", m.PID, uint32(m.ID.Node), cmp.Or(addrs[m.ID.Node], m.Addr))
		}
	}
	return exitOK
}

// escapeName makes unprintable bytes visible.
func escapeName(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; {
		case c == '\\':
			b.WriteString(`\\`)
		case c < 0x20 || c > 0x7e:
			fmt.Fprintf(&b, `\x%02X`, c)
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}
