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
	"github.com/quorate/quorate/messaging/cmap"
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

// statEntries are the statistics under corosync's names. What corosync counts
// and this engine does not have is left out, rather than shown as 0.
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
	slices.SortFunc(out, func(x, y messaging.CmapEntry) int { return strings.Compare(x.Key, y.Key) })
	return out
}

func (e *Engine) statistics() []statistic {
	s := e.core.Stats()
	var out []statistic
	for key, v := range map[string]uint64{
		"srp.orf_token_rx": s.TokensReceived, "srp.mcast_tx": s.McastSent, "srp.mcast_rx": s.McastReceived, "srp.mcast_retx": s.McastRetransmits,
		"srp.memb_join_tx": s.JoinsSent, "srp.memb_join_rx": s.JoinsReceived, "srp.token_hold_cancel_tx": s.HoldCancels,
		"srp.operational_entered": s.RingsInstalled, "srp.operational_token_lost": s.TokenLost, "srp.gather_entered": s.GatherEntered,
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
	for _, l := range e.links.States() {
		key := fmt.Sprintf("knet.node%d.link%d.", l.Peer, l.Link)
		up := uint64(0)
		if l.Up {
			up = 1
		}
		gauge(key+"enabled", 8, 1)
		gauge(key+"connected", 8, up)
		gauge(key+"mtu", 32, uint64(e.cfg.Totem.MTU))
		p := e.peers[l.Peer]
		if p == nil {
			continue
		}
		c := &p.counts[l.Link]
		out = append(out, statistic{statsPrefix + key + "up_count", 32, c.ups, true}, statistic{statsPrefix + key + "down_count", 32, c.downs, true},
			statistic{statsPrefix + key + "rx_total_packets", 64, c.rxPackets, true}, statistic{statsPrefix + key + "rx_total_bytes", 64, c.rxBytes, true},
			statistic{statsPrefix + key + "tx_total_packets", 64, c.txPackets, true}, statistic{statsPrefix + key + "tx_total_bytes", 64, c.txBytes, true})
	}
	return out
}

// linkCounters count what went over one link to and from one peer.
type linkCounters struct {
	ups, downs         uint64
	rxPackets, rxBytes uint64
	txPackets, txBytes uint64
}

func (c *linkCounters) sent(size int) {
	c.txPackets++
	c.txBytes += uint64(size)
}

func (c *linkCounters) received(size int) {
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
