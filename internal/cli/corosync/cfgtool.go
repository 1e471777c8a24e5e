// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package corosync

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/internal/cli"
	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/client"
)

const cfgtoolUsage = `corosync-cfgtool [[-i <interface ip>] [-b] -s] [-R] [-L] [-k nodeid] [-a nodeid] [-h] [-H]

A tool for displaying and configuring active parameters within corosync.
options:
	-i	Finds only information about the specified interface IP address or link id when used with -s..
	-s	Displays the status of the current links on this node.
	-n	Displays the status of the connected nodes and their links.
	-b	Displays the brief status of the current links on this node when used with -s.
	-R	Tell all instances of corosync in this cluster to reload corosync.conf.
	-L	Tell corosync to reopen all logging files.
	-k	Kill a node identified by node id.
	-a	Display the IP address(es) of a node
	-h	Print basic usage.
	-H	Shutdown corosync cleanly on this node.
		--force will shut down corosync regardless of daemon vetos
`

func runCfgtool(ctx context.Context, io *cli.IO, args []string) int {
	opts, _, err := getopt("corosync-cfgtool", args, "i:snbrRLk:a:hHF", map[string]string{"force": "F"})
	if err != nil {
		io.Errorf("%s\n", err)
		return exitError
	}
	action, arg, only, brief := "", "", "", false
	for _, o := range opts {
		switch o.name {
		case "i":
			only = o.arg
		case "b":
			brief = true
		case "F": // the daemons have no say in it anyway
		case "a", "k":
			id, ok := positive(o.arg, math.MaxUint32)
			if !ok {
				io.Errorf("The nodeid was not valid, try a positive number\n")
				return exitError
			}
			action, arg = o.name, strconv.FormatUint(id, 10)
		default:
			action = o.name
		}
	}
	if action == "" || action == "h" || action == "r" {
		io.Printf("%s", cfgtoolUsage)
		return exitOK
	}
	// These two say what they are about before they ask anybody.
	switch action {
	case "R":
		io.Printf("Reloading corosync.conf...\n")
	case "k":
		io.Printf("Killing node %s\n", arg)
	}
	bus, status, err := dial(ctx, io)
	if err != nil {
		why := "2"
		if action == "R" || action == "L" {
			why = "CS_ERR_LIBRARY"
		}
		io.Errorf("Could not initialize corosync configuration API error %s\n", why)
		return exitError
	}
	defer func() { _ = bus.Close() }()
	c := &cfgtool{io: io, bus: bus, status: status}
	switch action {
	case "s":
		return c.links(only, brief)
	case "n":
		return c.nodes(ctx)
	case "R":
		return c.reload(ctx)
	case "H":
		return c.shutdown(ctx)
	case "a":
		return c.address(ctx, arg)
	case "k":
		return c.kill(ctx, arg)
	}
	return c.reopen(ctx)
}

type cfgtool struct {
	io     *cli.IO
	bus    *client.Bus
	status messaging.Status
}

func (c *cfgtool) head() {
	c.io.Printf("Local node ID %d, transport %s\n", c.status.Self, c.status.Transport)
}

func (c *cfgtool) protocol() string {
	if c.status.Transport == "knet" {
		return "udp"
	}
	return ""
}

// numbers lists the links; a node alone has link 0.
func (c *cfgtool) numbers() []int {
	out := []int{}
	for _, l := range c.status.Links {
		out = append(out, l.Number)
	}
	if len(out) == 0 {
		out = []int{0}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (c *cfgtool) localAddr(number int) string {
	for _, l := range c.status.Links {
		if l.Number == number {
			return l.LocalAddr
		}
	}
	for _, n := range c.status.View.Nodes {
		if n.ID == c.status.Self {
			return n.Addr
		}
	}
	return ""
}

func (c *cfgtool) links(only string, brief bool) int {
	c.head()
	for _, number := range c.numbers() {
		addr := c.localAddr(number)
		if only != "" && only != addr && only != strconv.Itoa(number) {
			continue
		}
		c.io.Printf("LINK ID %d %s\n\taddr\t= %s\n", number, c.protocol(), addr)
		if brief {
			c.io.Printf("\tstatus\t= ")
		} else {
			c.io.Printf("\tstatus:\n")
		}
		for _, n := range c.status.View.Nodes {
			text, char := c.linkState(n.ID, number)
			if brief {
				c.io.Printf("%s", char)
			} else {
				c.io.Printf("\t\tnodeid: %10d:\t%s\n", uint32(n.ID), text)
			}
		}
		if brief {
			c.io.Printf("\n")
		}
	}
	return exitOK
}

func (c *cfgtool) linkState(id messaging.NodeID, number int) (text, char string) {
	if id == c.status.Self {
		return "localhost", "n"
	}
	for _, l := range c.status.Links {
		if l.Peer == id && l.Number == number && l.Connected {
			return "connected", "3"
		}
	}
	return "disconnected", "1"
}

func (c *cfgtool) nodes(ctx context.Context) int {
	c.head()
	for _, n := range c.status.View.Nodes {
		if n.ID == c.status.Self {
			continue
		}
		var lines []string
		reachable := false
		for _, l := range c.status.Links {
			if l.Peer != n.ID {
				continue
			}
			reachable = reachable || l.Connected
			ends := l.LocalAddr + "->" + l.PeerAddr
			if c.status.Transport != "knet" {
				ends = l.PeerAddr
			}
			line := fmt.Sprintf("   LINK: %d %s (%s) enabled", l.Number, c.protocol(), ends)
			if l.Connected {
				line += " connected mtu: " + c.mtu(ctx, l)
			}
			lines = append(lines, line)
		}
		if !reachable {
			continue
		}
		c.io.Printf("nodeid: %d reachable\n", n.ID)
		for _, l := range lines {
			c.io.Printf("%s\n", l)
		}
		c.io.Printf("\n")
	}
	return exitOK
}

func (c *cfgtool) mtu(ctx context.Context, l messaging.Link) string {
	es, err := c.bus.Cmap(ctx, fmt.Sprintf("stats.knet.node%d.link%d.mtu", l.Peer, l.Number))
	if err != nil || len(es) == 0 {
		return "0"
	}
	return es[0].Value
}

func (c *cfgtool) reload(ctx context.Context) int {
	report, err := c.bus.Reload(ctx)
	if errors.Is(err, messaging.ErrRefused) {
		// One line for each reason; the first line of the error is the refusal.
		_, reasons, more := strings.Cut(err.Error(), "\n")
		if !more {
			reasons = err.Error()
		}
		for r := range strings.Lines(reasons) {
			c.io.Printf("ERROR from reload: %s - see syslog for more information\n", strings.TrimSpace(r))
		}
		c.io.Errorf("Nothing was changed on any node: mend corosync.conf where it says so, then reload again\n")
		return exitError
	}
	if err != nil {
		c.io.Errorf("Could not reload configuration. Error %s (%s)\n", csError(err), err)
		return exitError
	}
	for _, k := range report.Kept {
		c.io.Errorf("Takes effect after a restart: %s\n", k)
	}
	c.io.Printf("Done\n")
	return exitOK
}

func (c *cfgtool) shutdown(ctx context.Context) int {
	c.io.Printf("Shutting down corosync\n")
	if err := c.bus.Shutdown(ctx); err != nil {
		c.io.Errorf("Could not shutdown (error = %s)\n", csError(err))
		return exitError
	}
	return exitOK
}

func (c *cfgtool) reopen(ctx context.Context) int {
	if err := c.bus.ReopenLogs(ctx); err != nil {
		c.io.Errorf("Could not reopen corosync logging files. Error %s\n", csError(err))
		return exitError
	}
	return exitOK
}

func (c *cfgtool) kill(ctx context.Context, arg string) int {
	id, _ := positive(arg, math.MaxUint32)
	if err := c.bus.KillNode(ctx, messaging.NodeID(id)); err != nil {
		c.io.Errorf("Could not kill node (error = %s)\n", csError(err))
		return exitError
	}
	return exitOK
}

func (c *cfgtool) address(ctx context.Context, arg string) int {
	id, _ := positive(arg, math.MaxUint32)
	all := addresses(ctx, c.bus, c.status.View, messaging.NodeID(id))
	if len(all) == 0 {
		c.io.Errorf("Could not get node address for nodeid %d\n", id)
		return exitError
	}
	c.io.Printf("%s\n", strings.Join(all, " "))
	return exitOK
}
