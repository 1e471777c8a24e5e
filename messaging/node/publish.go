// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package node

import (
	"fmt"
	"slices"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/cmap"
	"github.com/quorate/quorate/messaging/conf"
	"github.com/quorate/quorate/messaging/engine"
)

// published are the sections of the map that come from the file.
var published = []string{
	"totem.", "nodelist.", "quorum.", "logging.", "system.", "resources.", "uidgid.", "service.", "aisexec.", "nozzle.", "pload.",
	"runtime.config.",
}

// Publish puts what the file says, and the values that apply, into the map. Keys
// that stay as they are do not count as changed.
func Publish(c *conf.Config, cfg *engine.Config, m *cmap.Map) error {
	es := slices.Clone(c.Entries)
	for i, n := range cfg.Nodes {
		if n.ID == cfg.Self {
			es = append(es, cmap.Uint("nodelist.local_node_pos", 32, uint64(i)))
		}
	}
	es = append(es, applied(c, cfg)...)
	return m.Replace(published, es)
}

// applied are the timers and counts that count, wherever they come from.
func applied(c *conf.Config, cfg *engine.Config) []messaging.CmapEntry {
	t := cfg.Totem
	var out []messaging.CmapEntry
	for _, e := range []struct {
		key string
		n   int64
	}{
		{"token", t.Token.Milliseconds()},
		{"token_retransmit", orDerived(t.TokenRetransmit.Milliseconds(), float64(t.Token.Milliseconds())/(float64(t.TokenRetransmitsBeforeLoss)+0.2))},
		{"hold", orDerived(t.Hold.Milliseconds(), float64(t.Token.Milliseconds())/(float64(t.TokenRetransmitsBeforeLoss)+0.2)*0.8-10)},
		{"join", t.Join.Milliseconds()},
		{"send_join", t.SendJoin.Milliseconds()},
		{"consensus", orDerived(t.Consensus.Milliseconds(), 1.2*float64(t.Token.Milliseconds()))},
		{"merge", t.Merge.Milliseconds()},
		{"downcheck", int64(c.Timers.Downcheck.Or(1000))},
		{"fail_recv_const", int64(t.FailToReceive)},
		{"seqno_unchanged_const", int64(t.SeqnoUnchanged)},
		{"window_size", int64(t.Window)},
		{"max_messages", int64(t.MaxMessages)},
		{"miss_count_const", int64(t.MissCount)},
		{"token_retransmits_before_loss_const", int64(t.TokenRetransmitsBeforeLoss)},
		{"token_warning", int64(c.Timers.TokenWarning.Or(75))},
		{"cancel_token_hold_on_retransmit", bit(t.NoHoldOnRetransmit)},
		{"block_unlisted_ips", bit(c.BlockUnlisted)},
		{"link_down_timeout", cfg.Link.Limit.Milliseconds()},
		{"heartbeat_interval", cfg.Link.Interval.Milliseconds()},
	} {
		out = append(out, cmap.Uint("runtime.config.totem."+e.key, 32, uint64(max(e.n, 0))))
	}
	if cfg.Transport == string(conf.Knet) {
		// Links are watched by heartbeats: their interval is what a ping's is there.
		for _, l := range cfg.Links {
			key := fmt.Sprintf("runtime.config.totem.interface.%d.", l.Number)
			out = append(out, cmap.Uint(key+"knet_ping_interval", 32, uint64(cfg.Link.Interval.Milliseconds())),
				cmap.Uint(key+"knet_ping_timeout", 32, uint64(cfg.Link.Limit.Milliseconds())))
		}
	}
	return out
}

func bit(on bool) int64 {
	if on {
		return 1
	}
	return 0
}

func orDerived(set int64, derived float64) int64 {
	if set != 0 {
		return set
	}
	return int64(derived)
}
