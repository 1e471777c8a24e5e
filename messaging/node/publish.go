// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package node

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/cmap"
	"github.com/quorate/quorate/messaging/conf"
	"github.com/quorate/quorate/messaging/engine"
)

// published are the sections of the map that come from the file.
var published = []string{
	"totem.", "nodelist.", "quorum.", "logging.", "system.", "resources.", "uidgid.config.", "service.", "aisexec.", "nozzle.", "pload.",
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
	who, err := accessKeys(c)
	if err != nil {
		return err
	}
	es = append(es, who...)
	es = append(es, applied(c, cfg)...)
	es = append(es, addresses(c, cfg)...)
	if cfg.Transport == string(conf.Knet) {
		es = append(es, packets(c)...)
	}
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
		{"heartbeat_failures_allowed", said(c, "heartbeat_failures_allowed", 0)},
		{"max_network_delay", said(c, "max_network_delay", 50)},
		{"cancel_token_hold_on_retransmit", bit(t.NoHoldOnRetransmit)},
		{"block_unlisted_ips", bit(c.BlockUnlisted)},
		{"link_down_timeout", cfg.Link.Limit.Milliseconds()},
		{"node_down_timeout", cfg.Link.NodeLimit.Milliseconds()},
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

// addresses are those of this node's links, where the nodelist gives them: for
// readers who look for what an interface section would say.
func addresses(c *conf.Config, cfg *engine.Config) []messaging.CmapEntry {
	if len(c.Nodes) == 0 {
		return nil
	}
	var out []messaging.CmapEntry
	for _, l := range cfg.Links {
		if c.Interfaces[l.Number].BindNet == "" {
			out = append(out, cmap.Str(fmt.Sprintf("totem.interface.%d.bindnetaddr", l.Number), l.Local.String()))
		}
	}
	return out
}

// packets say what becomes of packets under knet: they are not compressed, and
// their size follows totem.netmtu.
func packets(c *conf.Config) []messaging.CmapEntry {
	const prefix = "runtime.config.totem.knet_"
	return []messaging.CmapEntry{
		cmap.Str(prefix+"compression_model", "none"),
		{Key: prefix + "compression_level", Type: "i32", Value: "0"},
		cmap.Uint(prefix+"compression_threshold", 32, 0), cmap.Uint(prefix+"mtu", 32, uint64(said(c, "knet_mtu", 0))),
		cmap.Uint(prefix+"pmtud_interval", 32, uint64(said(c, "knet_pmtud_interval", 30))),
	}
}

// said is the number that the file gives to a key of totem that has no effect
// here, or else corosync's default.
func said(c *conf.Config, key string, def int64) int64 {
	for _, e := range c.Entries {
		if e.Key == "totem."+key {
			if n, err := strconv.ParseInt(e.Value, 10, 64); err == nil {
				return n
			}
		}
	}
	return def
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
