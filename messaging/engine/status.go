// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/cmap"
)

// ended is a context that ends with the engine.
func (e *Engine) ended() context.Context { return doneContext{e.done} }

// doneContext makes a context of a channel.
type doneContext struct{ done <-chan struct{} }

func (c doneContext) Deadline() (t time.Time, ok bool) { return t, false }
func (c doneContext) Done() <-chan struct{}            { return c.done }
func (c doneContext) Value(any) any                    { return nil }
func (c doneContext) Err() error {
	select {
	case <-c.done:
		return context.Canceled
	default:
		return nil
	}
}

// Status describes the node as it is now.
func (b *Bus) Status(ctx context.Context) (messaging.Status, error) {
	e := b.e
	s := messaging.Status{Self: e.cfg.Self, Name: e.cfg.Name, ClusterName: e.cfg.ClusterName, Transport: e.cfg.Transport, Version: e.cfg.Version}
	err := e.call(ctx, func() {
		s.View, _, _ = e.views.get()
		s.State = e.core.State().String()
		s.Rotation = time.Duration(e.core.Stats().RotationNanos)
		for _, l := range e.links.States() {
			s.Links = append(s.Links, messaging.Link{
				Number: l.Link, LocalAddr: e.localAddr(l.Link), Peer: l.Peer, PeerAddr: e.peerAddr(l.Peer, l.Link), Connected: l.Up, Enabled: true,
			})
		}
	})
	return s, err
}

func (e *Engine) localAddr(number int) string {
	for _, l := range e.cfg.Links {
		if l.Number == number {
			return l.Local.String()
		}
	}
	return ""
}

func (e *Engine) peerAddr(id messaging.NodeID, number int) string {
	if p := e.peers[id]; p != nil {
		return p.addrs[number].Addr().String()
	}
	return ""
}

// Cmap reads keys by prefix; those of statistics are made at the call.
func (b *Bus) Cmap(ctx context.Context, prefix string) ([]messaging.CmapEntry, error) {
	out := b.e.cfg.Cmap.Prefix(prefix)
	if strings.HasPrefix(prefix, "stats") {
		var stats []messaging.CmapEntry
		if err := b.e.call(ctx, func() { stats = b.e.statEntries() }); err != nil {
			return nil, err
		}
		for _, s := range stats {
			if strings.HasPrefix(s.Key, prefix) {
				out = append(out, s)
			}
		}
		slices.SortFunc(out, func(x, y messaging.CmapEntry) int { return strings.Compare(x.Key, y.Key) })
	}
	return out, nil
}

// statEntries are the counters under corosync's names.
func (e *Engine) statEntries() []messaging.CmapEntry {
	s := e.core.Stats()
	var out []messaging.CmapEntry
	for k, v := range map[string]uint64{
		"orf_token_rx": s.TokensReceived, "mcast_tx": s.McastSent, "mcast_rx": s.McastReceived, "mcast_retx": s.McastRetransmits,
		"memb_join_tx": s.JoinsSent, "memb_join_rx": s.JoinsReceived, "token_hold_cancel_tx": s.HoldCancels,
		"operational_entered": s.RingsInstalled, "operational_token_lost": s.TokenLost, "gather_entered": s.GatherEntered,
		"commit_entered": s.CommitEntered, "recovery_entered": s.RecoveryEntered, "consensus_timeouts": s.ConsensusLost,
		"rx_msg_dropped": s.Malformed + s.Foreign,
	} {
		out = append(out, cmap.Uint("stats.srp."+k, 64, v))
	}
	out = append(out, cmap.Uint("stats.srp.mtt_rx_token", 32, uint64(max(s.RotationNanos, 0))/uint64(time.Millisecond)))
	for _, l := range e.links.States() {
		up := uint64(0)
		if l.Up {
			up = 1
		}
		key := fmt.Sprintf("stats.knet.node%d.link%d.", l.Peer, l.Link)
		out = append(out, cmap.Uint(key+"enabled", 8, 1), cmap.Uint(key+"connected", 8, up), cmap.Uint(key+"mtu", 32, uint64(e.cfg.Totem.MTU)))
	}
	return out
}

// Groups lists all process groups.
func (b *Bus) Groups(ctx context.Context) ([]messaging.GroupInfo, error) {
	var out []messaging.GroupInfo
	err := b.e.call(ctx, func() {
		groups := b.e.groups.Groups()
		for _, name := range slices.Sorted(maps.Keys(groups)) {
			g := messaging.GroupInfo{Name: name}
			for _, m := range groups[name] {
				g.Members = append(g.Members, messaging.GroupMember{ID: m.ID, PID: m.PID, Addr: b.e.addrOf(m.ID.Node)})
			}
			out = append(out, g)
		}
	})
	return out, err
}

func (e *Engine) setCmapUint(key string, bits int, v uint64) {
	if err := e.cfg.Cmap.Set(cmap.Uint(key, bits, v)); err != nil {
		e.cfg.Log.Debug("key not set", "key", key, "error", err)
	}
}

func (e *Engine) setCmapStr(key, v string) {
	if err := e.cfg.Cmap.Set(cmap.Str(key, v)); err != nil {
		e.cfg.Log.Debug("key not set", "key", key, "error", err)
	}
}
