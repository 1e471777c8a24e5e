// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
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
		s.View, _, _ = e.current()
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
	if !strings.HasPrefix(prefix, statsPrefix[:5]) {
		out := b.e.cfg.Cmap.Prefix(prefix)
		if strings.HasPrefix(prefix, servicesPrefix) || strings.HasPrefix(servicesPrefix, prefix) {
			if err := b.e.call(ctx, func() { out = merge(out, b.e.serviceEntries(), prefix) }); err != nil {
				return nil, err
			}
		}
		return b.e.withDevice(out, prefix), nil
	}
	var stats []messaging.CmapEntry
	if err := b.e.call(ctx, func() { stats = b.e.statEntries() }); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(stats, func(s messaging.CmapEntry) bool { return !strings.HasPrefix(s.Key, prefix) }), nil
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

func (e *Engine) setCmapUint(key string, bits int, v uint64) { e.setCmap(cmap.Uint(key, bits, v)) }

func (e *Engine) setCmapStr(key, v string) { e.setCmap(cmap.Str(key, v)) }

func (e *Engine) setCmap(entry messaging.CmapEntry) {
	if err := e.cfg.Cmap.Set(entry); err != nil {
		e.cfg.Log.Debug("key not set", "key", entry.Key, "error", err)
	}
}
