// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package engine

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/cpg"
)

// ErrKilled ends a daemon that another node killed (corosync-cfgtool -k).
var ErrKilled = fmt.Errorf("%w: another node made this daemon end", messaging.ErrClosed)

// WatchCmap gives keys and their changes.
func (b *Bus) WatchCmap(_ context.Context, prefix string) (messaging.CmapWatch, error) {
	if strings.HasPrefix(prefix, statsPrefix) {
		return nil, fmt.Errorf("%w: statistics are made when they are read and cannot be watched", messaging.ErrInvalid)
	}
	return b.e.cfg.Cmap.Watch(prefix)
}

// KillNode makes another node's daemon end.
func (b *Bus) KillNode(ctx context.Context, node messaging.NodeID) error {
	var known bool
	if err := b.e.call(ctx, func() { known = slices.Contains(b.e.ringSet, node) }); err != nil {
		return err
	}
	if !known {
		return fmt.Errorf("%w: node %d is no member", messaging.ErrNoNode, node)
	}
	return b.ask(ctx, operation{Op: opKill, Node: node})
}

// killed ends this daemon if the operation means it.
func (e *Engine) killed(s *cpg.Service, op *operation) {
	e.cfg.Log.Warn("node killed", "node", uint32(op.Node), "by", uint32(s.From))
	if op.Node == e.cfg.Self {
		e.announce("error", "CFG", "Killed by node %d: killed by cfgtool", s.From)
		e.fail(fmt.Errorf("%w (node %d)", ErrKilled, s.From))
	}
}

// ReopenLogs opens log files anew.
func (b *Bus) ReopenLogs(context.Context) error {
	if b.e.cfg.ReopenLogs == nil {
		return nil
	}
	return b.e.cfg.ReopenLogs()
}
