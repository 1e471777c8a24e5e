// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/auth"
	"github.com/quorate/quorate/messaging/cmap"
	"github.com/quorate/quorate/messaging/link"
)

const statsPrefix = "stats."

// maxMissed is how many delays of the own scheduling stats.schedmiss lists.
const maxMissed = 10

// A missed schedule is a delay of this process that was worth a warning.
type missed struct {
	at    time.Time
	delay time.Duration
}

// noteMissed remembers a delay of the own scheduling, the newest first.
func (e *Engine) noteMissed(delay time.Duration) {
	e.missed = slices.Insert(e.missed, 0, missed{e.cfg.Clock.Wall(), delay})
	e.missed = e.missed[:min(len(e.missed), maxMissed)]
}

// A statistic is one counter under corosync's name. Those of kind counter begin
// anew when they are cleared.
type statistic struct {
	key     string
	bits    int
	value   uint64
	counter bool
}

// statEntries are the statistics under corosync's names.
func (e *Engine) statEntries() []messaging.CmapEntry {
	var out []messaging.CmapEntry
	for _, s := range e.statistics() {
		v := s.value
		if s.counter {
			v -= min(v, e.cleared[s.key])
		}
		out = append(out, cmap.Uint(s.key, s.bits, v))
	}
	for i, m := range e.missed {
		key := fmt.Sprintf("stats.schedmiss.%d.", i)
		out = append(out, cmap.Uint(key+"timestamp", 64, uint64(max(m.at.UnixMilli(), 0))),
			messaging.CmapEntry{Key: key + "delay", Type: "flt", Value: strconv.FormatFloat(float64(m.delay.Milliseconds()), 'f', 6, 64)})
	}
	out = append(out, e.clientEntries()...)
	slices.SortFunc(out, func(x, y messaging.CmapEntry) int { return strings.Compare(x.Key, y.Key) })
	return out
}

func (e *Engine) statistics() []statistic {
	s := e.core.Stats()
	var out []statistic
	for key, v := range map[string]uint64{
		"srp.orf_token_rx": s.TokensReceived, "srp.mcast_tx": s.McastSent, "srp.mcast_rx": s.McastReceived, "srp.mcast_retx": s.McastRetransmits,
		"srp.memb_join_tx": s.JoinsSent, "srp.memb_join_rx": s.JoinsReceived, "srp.token_hold_cancel_tx": s.HoldCancels,
		"srp.operational_entered": s.RingsInstalled, "srp.gather_entered": s.GatherEntered,
		"srp.commit_entered": s.CommitEntered, "srp.recovery_entered": s.RecoveryEntered, "srp.consensus_timeouts": s.ConsensusLost,
		"srp.rx_msg_dropped": s.Malformed + s.Foreign,
	} {
		out = append(out, statistic{statsPrefix + key, 64, v, true})
	}
	gauge := func(key string, bits int, v uint64) {
		out = append(out, statistic{key: statsPrefix + key, bits: bits, value: v})
	}
	gauge("srp.mtt_rx_token", 32, uint64(max(s.RotationNanos, 0))/uint64(time.Millisecond))
	gauge("pg.msg_reserved", 32, uint64(s.QueuedMessages))
	gauge("pg.msg_queue_avail", 32, uint64(max(e.cfg.Totem.SendQueue-s.QueuedBytes, 0)))
	gauge("ipcs.global.active", 64, uint64(len(e.members)))
	out = append(out, statistic{statsPrefix + "ipcs.global.closed", 64, e.stats.closed, true})
	out = append(out, e.trafficStatistics()...)
	if e.cfg.Transport == knetName {
		out = append(out, e.handleStatistics()...)
	}
	for _, l := range e.links.States() {
		up := uint64(0)
		if l.Up {
			up = 1
		}
		var c linkCounters
		if p := e.peers[l.Peer]; p != nil {
			c = p.counts[l.Link]
		}
		out = append(out, linkStatistics(fmt.Sprintf("%sknet.node%d.link%d.", statsPrefix, l.Peer, l.Link), up, uint64(e.sizeTo(l.Peer, l.Link)), l.Latency, &c)...)
	}
	return out
}

// knetName is the transport whose statistics corosync keeps in detail.
const knetName = "knet"

// noneYet is what corosync shows as the least of times none of which was taken.
const noneYet = 1<<64 - 1

// handleStatistics are those of knet that belong to no link. Nothing is ever
// compressed, every packet is sealed, and how long that takes is not measured.
func (e *Engine) handleStatistics() []statistic {
	var tx, rx uint64
	for _, p := range e.peers {
		for i := range p.counts {
			c := &p.counts[i]
			sum := c.sum()
			tx += sum.txPackets
			rx += sum.rxPackets
		}
	}
	values := map[string]uint64{"tx_uncompressed_packets": tx, "tx_crypt_packets": tx, "rx_crypt_packets": rx, "tx_crypt_byte_overhead": tx * auth.Overhead}
	var out []statistic
	for _, key := range []string{
		"tx_uncompressed_packets", "tx_compressed_packets", "rx_compressed_packets", "tx_compressed_original_bytes", "rx_compressed_original_bytes",
		"tx_compressed_size_bytes", "rx_compressed_size_bytes", "tx_crypt_packets", "rx_crypt_packets", "tx_crypt_byte_overhead",
	} {
		out = append(out, statistic{statsPrefix + "knet.handle." + key, 64, values[key], true})
	}
	for _, what := range []string{"tx_compress", "rx_compress", "tx_crypt", "rx_crypt"} {
		for key, v := range map[string]uint64{"ave": 0, "max": 0, "min": noneYet} {
			out = append(out, statistic{key: statsPrefix + "knet.handle." + what + "_time_" + key, bits: 64, value: v})
		}
	}
	return out
}

// linkStatistics are those of a link to a peer. Heartbeats stand where knet has
// its pings; some of them are probes of the size of packets, which are answered.
func linkStatistics(key string, up, mtu uint64, lat link.Latency, c *linkCounters) []statistic {
	gauge := func(name string, bits int, v uint64) statistic {
		return statistic{key: key + name, bits: bits, value: v}
	}
	least := uint64(noneYet & (1<<32 - 1))
	if lat.Samples > 0 {
		least = uint64(lat.Min.Microseconds())
	}
	out := []statistic{
		gauge("enabled", 8, 1), gauge("connected", 8, up), gauge("mtu", 32, mtu),
		gauge("latency_ave", 32, uint64(lat.Ave.Microseconds())), gauge("latency_max", 32, uint64(lat.Max.Microseconds())),
		gauge("latency_min", 32, least), gauge("latency_samples", 32, lat.Samples),
	}
	add := func(name string, bits int, v uint64) { out = append(out, statistic{key + name, bits, v, true}) }
	add("up_count", 32, c.ups)
	add("down_count", 32, c.downs)
	for _, k := range []struct {
		name string
		n    packetCounters
	}{{"data", c.data}, {"ping", c.ping}, {"pong", c.pong}, {"pmtu", c.pmtu}} {
		add("tx_"+k.name+"_packets", 64, k.n.txPackets)
		add("tx_"+k.name+"_bytes", 64, k.n.txBytes)
		add("rx_"+k.name+"_packets", 64, k.n.rxPackets)
		add("rx_"+k.name+"_bytes", 64, k.n.rxBytes)
		// Errors of sending are counted for the node as a whole, see the metrics.
		add("tx_"+k.name+"_errors", 32, 0)
		add("tx_"+k.name+"_retries", 32, 0)
	}
	sum := c.sum()
	add("tx_total_packets", 64, sum.txPackets)
	add("tx_total_bytes", 64, sum.txBytes)
	add("rx_total_packets", 64, sum.rxPackets)
	add("rx_total_bytes", 64, sum.rxBytes)
	add("tx_total_errors", 64, 0)
	add("rx_total_retries", 64, 0)
	return out
}

// linkCounters count what went over one link to and from one peer: messages,
// heartbeats, answers to probes, and probes of sizes that may not pass.
type linkCounters struct {
	ups, downs             uint64
	data, ping, pong, pmtu packetCounters
}

// of gives the counters for a heartbeat.
func (c *linkCounters) of(b *link.Beat) *packetCounters {
	switch {
	case b.Ack != 0:
		return &c.pong
	case b.Seq == 0:
		return &c.pmtu
	}
	return &c.ping
}

func (c *linkCounters) sum() (out packetCounters) {
	for _, n := range []*packetCounters{&c.data, &c.ping, &c.pong, &c.pmtu} {
		out.rxPackets += n.rxPackets
		out.rxBytes += n.rxBytes
		out.txPackets += n.txPackets
		out.txBytes += n.txBytes
	}
	return out
}

type packetCounters struct {
	rxPackets, rxBytes uint64
	txPackets, txBytes uint64
}

func (c *packetCounters) sent(size int) {
	c.txPackets++
	c.txBytes += uint64(size)
}

func (c *packetCounters) received(size int) {
	c.rxPackets++
	c.rxBytes += uint64(size)
}

func (c *linkCounters) changed(up bool) {
	if up {
		c.ups++
	} else {
		c.downs++
	}
}

// statParts are the parts of the statistics that can be cleared, with the keys
// that belong to them.
var statParts = map[string][]string{
	"totem": {"stats.srp.", "stats.pg."}, "knet": {"stats.knet."}, "ipc": {"stats.ipcs."}, "schedmiss": {"stats.schedmiss."}, "all": {statsPrefix},
}

// ClearStats begins counters anew.
func (b *Bus) ClearStats(ctx context.Context, part string) error {
	prefixes, ok := statParts[part]
	if !ok {
		return fmt.Errorf("%w: %q is no part of the statistics: use %s", messaging.ErrInvalid, part, strings.Join(slices.Sorted(maps.Keys(statParts)), ", "))
	}
	return b.e.call(ctx, func() {
		for _, s := range b.e.statistics() {
			if slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(s.key, p) }) {
				b.e.cleared[s.key] = s.value
			}
		}
		if part == "schedmiss" || part == "all" {
			b.e.missed = nil
		}
	})
}

// clearKeys are the keys of the map that clear statistics when they are set.
const clearKeys = "stats.clear."
