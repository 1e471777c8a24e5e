// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package client

import (
	"fmt"
	"strings"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/cmap"
	"github.com/quorate/quorate/messaging/qnet"
)

// note keeps the core's status for others.
func (c *Client) note() {
	s := c.core.Status()
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.State != c.status.State {
		c.changed = c.cfg.Clock.Wall()
	}
	c.status = s
}

const stamp = "2006-01-02T15:04:05"

// Entries describe the client below runtime.qdevice, for the status tool.
func (c *Client) Entries() []messaging.CmapEntry {
	c.mu.Lock()
	s, v, since, polled := c.status, c.view, c.changed, c.polled
	c.mu.Unlock()
	k := &c.cfg.Core
	reply := ""
	if s.Reply > 0 {
		reply = c.cfg.Clock.Wall().Add(s.Reply - c.cfg.Clock.Now()).Format(stamp)
	}
	keep := map[bool]string{true: "Enabled", false: "Disabled"}[k.KeepActive]
	if k.Algorithm != qnet.FFSplit {
		keep = "Algorithm hard-coded"
	}
	last := "Never"
	if !polled.IsZero() {
		last = polled.Format(stamp)
		if s.Vote == "ACK" {
			last += " (cast vote)"
		}
	}
	var out []messaging.CmapEntry
	str := func(key, value string) { out = append(out, cmap.Str("runtime.qdevice."+key, value)) }
	ms := func(key string, d time.Duration) { str(key, fmt.Sprintf("%dms", d.Milliseconds())) }
	str("model", "Net")
	str("last_poll", last)
	str("members", joined(v.Members))
	str("heuristics", k.Checks.String())
	ms("hb_interval", c.cfg.Timeout)
	str("net.cluster_name", k.Cluster)
	str("net.host", c.cfg.Addr)
	ms("net.connect_timeout", k.Connect)
	ms("net.hb_interval", k.Heartbeat)
	ms("net.vote_interval", c.cfg.Timeout/2)
	str("net.tls", k.TLS.String())
	str("net.algorithm", k.Algorithm.String())
	str("net.tie_breaker", k.TieBreaker.String())
	str("net.keep_active", keep)
	str("net.vote", s.Vote)
	str("net.state", s.State)
	str("net.tls_active", map[bool]string{true: "Yes", false: "No"}[s.TLS])
	str("net.connected_since", since.Format(stamp))
	str("net.echo_received", reply)
	str("net.heuristics_result", fmt.Sprintf("%s (regular: %s, membership: %s)", s.Latest, s.Regular, s.Membership))
	return out
}

func joined(ids []messaging.NodeID) string {
	var words []string
	for _, id := range ids {
		words = append(words, fmt.Sprint(uint32(id)))
	}
	return strings.Join(words, ", ")
}
