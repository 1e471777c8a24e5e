// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/messaging/auth"
	"github.com/quorate/quorate/messaging/link"
	"github.com/quorate/quorate/messaging/totem"
	"github.com/quorate/quorate/messaging/transport"
)

// collectPatience bounds how long a scrape waits for the engine's turn.
const collectPatience = time.Second

// A collector reads the engine's statistics when it is scraped.
type collector struct {
	e *Engine
	d map[string]*prometheus.Desc
}

// Collector gives the metrics of the messaging layer.
func (e *Engine) Collector() prometheus.Collector {
	c := &collector{e: e, d: map[string]*prometheus.Desc{}}
	for name, m := range metricHelp {
		c.d[name] = prometheus.NewDesc("quorate_"+name, m.help, m.labels, nil)
	}
	return c
}

type metric struct {
	help   string
	labels []string
}

var metricHelp = map[string]metric{
	"ring_members":                        {"Number of nodes in the ring.", nil},
	"ring_id":                             {"Sequence number of the ring id.", []string{"representative"}},
	"ring_state":                          {"1 for the state that the ring protocol is in.", []string{"state"}},
	"ring_token_rotation_seconds":         {"Smoothed time of one token rotation while messages flow.", nil},
	"ring_token_lost_total":               {"Tokens lost.", nil},
	"ring_tokens_received_total":          {"Tokens accepted.", nil},
	"ring_token_retransmits_total":        {"Tokens sent again.", nil},
	"ring_packet_retransmits_total":       {"Message packets sent again for nodes that lacked them.", nil},
	"ring_packets_sent_total":             {"Message packets sent.", nil},
	"ring_packets_received_total":         {"Message packets received, new ones.", nil},
	"ring_messages_delivered_total":       {"Ordered messages delivered.", nil},
	"ring_membership_changes_total":       {"Rings formed.", nil},
	"ring_consensus_timeouts_total":       {"Times that silent nodes were given up.", nil},
	"ring_process_pauses_total":           {"Times that this process was not scheduled for long.", nil},
	"ring_queued_bytes":                   {"Bytes waiting to be sent.", nil},
	"quorum_quorate":                      {"1 if this partition is quorate.", nil},
	"quorum_votes":                        {"Votes by kind.", []string{"type"}},
	"quorum_member_votes":                 {"Votes of each node.", []string{"node_id", "node", "member"}},
	"link_up":                             {"1 if the peer is heard on the link.", []string{"node_id", "link", "address"}},
	"link_downs_total":                    {"Times that a link went down.", nil},
	"messaging_scheduling_delay_seconds":  {"Largest delay of this process's own timer since the last scrape.", nil},
	"messaging_recorded_seconds":          {"How far back the recording of the ring's core goes.", nil},
	"messaging_recorded_events":           {"Events that the recording of the ring's core holds.", nil},
	"messaging_packets_refused_total":     {"Packets refused before their content was read, by reason.", []string{"reason"}},
	"messaging_transmit_packets_total":    {"UDP packets sent.", nil},
	"messaging_transmit_bytes_total":      {"Bytes sent in UDP packets.", nil},
	"messaging_transmit_errors_total":     {"Errors of sending.", nil},
	"messaging_receive_packets_total":     {"UDP packets received.", nil},
	"messaging_receive_bytes_total":       {"Bytes received in UDP packets.", nil},
	"messaging_receive_errors_total":      {"Errors of receiving.", nil},
	"cpg_groups":                          {"Process groups in the cluster.", nil},
	"cpg_members":                         {"Members of all process groups.", nil},
	"cpg_readers_cut_off_total":           {"Local members cut off because they did not read.", nil},
	"messaging_protocol_violations_total": {"Messages of other nodes that do not obey the protocol.", nil},
}

// Describe sends the descriptions.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range c.d {
		ch <- d
	}
}

// A snapshot is what one scrape reads in the engine's turn.
type snapshot struct {
	core            totem.Stats
	state           totem.State
	counters        counters
	wire            transport.Stats
	links           []link.State
	addrs           []string
	groups, members int
	ring            uint64
	rep             uint32
	size            int
	recorded        time.Duration
	events          uint64
}

// Collect sends the metrics; none while the engine does not answer.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	e := c.e
	ctx, cancel := context.WithTimeout(context.Background(), collectPatience)
	defer cancel()
	var s snapshot
	err := e.call(ctx, func() {
		s = snapshot{core: e.core.Stats(), state: e.core.State(), counters: e.stats, links: e.links.States()}
		for _, l := range s.links {
			s.addrs = append(s.addrs, e.peerAddr(l.Peer, l.Link))
		}
		if e.wire != nil {
			s.wire = e.wire.Stats()
		}
		s.groups, s.members = e.groups.Count()
		s.ring, s.rep, s.size = e.ring.Seq, uint32(e.ring.Rep), len(e.ringSet)
		s.recorded, s.events = e.recorded()
		e.stats.late = 0
	})
	if err != nil {
		return
	}
	gauge := func(name string, v float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(c.d[name], prometheus.GaugeValue, v, labels...)
	}
	count := func(name string, v uint64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(c.d[name], prometheus.CounterValue, float64(v), labels...)
	}
	collectRing(gauge, count, &s)
	c.collectVotes(gauge)
	for i, l := range s.links {
		gauge("link_up", b2f(l.Up), strconv.FormatUint(uint64(l.Peer), 10), strconv.Itoa(l.Link), s.addrs[i])
	}
	refused := e.guard.Refused()
	for _, r := range auth.Reasons {
		count("messaging_packets_refused_total", refused[r], string(r))
	}
}

func collectRing(gauge func(string, float64, ...string), count func(string, uint64, ...string), s *snapshot) {
	gauge("ring_members", float64(s.size))
	gauge("ring_id", float64(s.ring), strconv.FormatUint(uint64(s.rep), 10))
	for _, st := range []totem.State{totem.Operational, totem.Gather, totem.Commit, totem.Recovery} {
		gauge("ring_state", b2f(st == s.state), st.String())
	}
	gauge("ring_token_rotation_seconds", time.Duration(s.core.RotationNanos).Seconds())
	gauge("ring_queued_bytes", float64(s.core.QueuedBytes))
	gauge("messaging_scheduling_delay_seconds", s.counters.late.Seconds())
	gauge("messaging_recorded_seconds", s.recorded.Seconds())
	gauge("messaging_recorded_events", float64(s.events))
	gauge("cpg_groups", float64(s.groups))
	gauge("cpg_members", float64(s.members))
	for name, v := range map[string]uint64{
		"ring_token_lost_total": s.core.TokenLost, "ring_tokens_received_total": s.core.TokensReceived,
		"ring_token_retransmits_total": s.core.TokenRetransmits, "ring_packet_retransmits_total": s.core.McastRetransmits,
		"ring_packets_sent_total": s.core.McastSent, "ring_packets_received_total": s.core.McastReceived,
		"ring_messages_delivered_total": s.counters.delivered, "ring_membership_changes_total": s.counters.membershipChanges,
		"ring_consensus_timeouts_total": s.core.ConsensusLost, "ring_process_pauses_total": s.core.Pauses,
		"link_downs_total": s.counters.linkDown, "cpg_readers_cut_off_total": s.counters.cutOff,
		"messaging_protocol_violations_total": s.counters.protests + s.core.Malformed,
		"messaging_transmit_packets_total":    s.wire.TxPackets, "messaging_transmit_bytes_total": s.wire.TxBytes,
		"messaging_transmit_errors_total": s.wire.TxErrors, "messaging_receive_packets_total": s.wire.RxPackets,
		"messaging_receive_bytes_total": s.wire.RxBytes, "messaging_receive_errors_total": s.wire.RxErrors,
	} {
		count(name, v)
	}
}

func (c *collector) collectVotes(gauge func(string, float64, ...string)) {
	v, _, _ := c.e.views.get()
	gauge("quorum_quorate", b2f(v.Quorate))
	gauge("quorum_votes", float64(v.ExpectedVotes), "expected_votes")
	gauge("quorum_votes", float64(v.TotalVotes), "total_votes")
	gauge("quorum_votes", float64(v.Quorum), "quorum")
	for _, n := range v.Nodes {
		gauge("quorum_member_votes", float64(n.Votes), strconv.FormatUint(uint64(n.ID), 10), n.Name, strconv.FormatBool(n.Member))
	}
}

func b2f(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
