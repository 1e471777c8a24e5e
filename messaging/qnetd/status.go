// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package qnetd

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/quorate/quorate/messaging/qnet"
)

// Status describes the server as corosync-qnetd-tool -s does. addr is where it
// listens.
func (c *Core) Status(addr string, verbose bool) string {
	var b strings.Builder
	clients := 0
	for _, k := range c.clusters {
		clients += len(k.clients)
	}
	certificate := ""
	if c.cfg.TLS != qnet.TLSUnsupported && c.cfg.CertRequired {
		certificate = " (client certificate required)"
	}
	fmt.Fprintf(&b, "QNetd address:\t\t\t%s\n", addr)
	fmt.Fprintf(&b, "TLS:\t\t\t\t%s%s\n", c.cfg.TLS, certificate)
	fmt.Fprintf(&b, "Connected clients:\t\t%d\n", clients)
	fmt.Fprintf(&b, "Connected clusters:\t\t%d\n", len(c.clusters))
	if verbose {
		fmt.Fprintf(&b, "Maximum allowed clients:\t%d\n", c.cfg.MaxClients)
		fmt.Fprintf(&b, "Maximum send/receive size:\t%d/%d bytes\n", qnet.MaxMessage, qnet.MaxMessage)
	}
	return b.String()
}

// List describes the clusters as corosync-qnetd-tool -l does; name picks one.
func (c *Core) List(name string, verbose bool) string {
	var b strings.Builder
	for _, n := range slices.Sorted(maps.Keys(c.clusters)) {
		k := c.clusters[n]
		if name != "" && name != n || len(k.clients) == 0 {
			continue
		}
		first := k.clients[0]
		keep := " (KAP Tie-breaker)"
		if first.algorithm != qnet.FFSplit || slices.ContainsFunc(k.clients, func(cl *client) bool { return !cl.keep }) {
			keep = ""
		}
		fmt.Fprintf(&b, "Cluster \"%s\":\n", n)
		fmt.Fprintf(&b, "    Algorithm:\t\t%s%s\n", first.algorithm, keep)
		fmt.Fprintf(&b, "    Tie-breaker:\t%s\n", first.tie)
		for _, cl := range k.clients {
			cl.describe(&b, verbose)
		}
	}
	return b.String()
}

func (cl *client) describe(b *strings.Builder, verbose bool) {
	l := &cl.lists
	line := func(on bool, format string, args ...any) {
		if on {
			fmt.Fprintf(b, format+"\n", args...)
		}
	}
	line(true, "    Node ID %d:", cl.node)
	line(true, "        Client address:\t\t%s", cl.addr)
	line(verbose, "        HB interval:\t\t%dms", cl.heartbeat.Milliseconds())
	line(l.confVersion.Set, "        Configuration version:\t%d", l.confVersion.Value)
	line(len(l.config) > 0, "        Configured node list:\t%s", nodeText(l.config))
	line(verbose, "        Ring ID:\t\t%s", l.ring)
	line(len(l.members) > 0, "        Membership node list:\t%s", nodeText(l.members))
	heuristics := l.heuristics.String()
	if verbose {
		heuristics += fmt.Sprintf(" (membership: %s, regular: %s)", l.atMember, l.regular)
	}
	line(verbose || l.heuristics != 0, "        Heuristics:\t\t%s", heuristics)
	tls := "No"
	if cl.secured {
		tls = "Yes"
		if len(cl.names) > 0 {
			tls += " (client certificate verified)"
		}
	}
	line(verbose, "        TLS active:\t\t%s", tls)
	vote := cl.lastVote.String()
	if cl.told.vote != 0 {
		vote += " (" + cl.told.vote.String() + ")"
	}
	line(cl.lastVote != 0, "        Vote:\t\t\t%s", vote)
}

func nodeText(nodes []qnet.Node) string {
	var out []string
	for _, n := range nodes {
		s := fmt.Sprint(n.ID)
		if n.DataCentre != 0 {
			s += fmt.Sprintf(" (%d)", n.DataCentre)
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}
