// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package lab

import (
	"context"
	"fmt"
	"strconv"
)

// Cut pulls the node's network cable: it has no carrier any more.
func (n *Node) Cut() error { return n.lab.hub.carrier(n.Name, false) }

// Heal plugs the cable in again, after Cut or Silence.
func (n *Node) Heal() error {
	if err := n.lab.hub.join(n.Name, true); err != nil {
		return err
	}
	return n.lab.hub.carrier(n.Name, true)
}

// Silence lets the switch lose all that the node sends and all that is sent to
// it; the node sees no difference at its interface.
func (n *Node) Silence() error { return n.lab.hub.join(n.Name, false) }

// Block makes the node deaf to another, in this direction only.
func (n *Node) Block(ctx context.Context, from *Node) error {
	return n.Exec(ctx, "nft", "add", "rule", "inet", "lab", "block", "ip", "saddr", from.Address().String(), "drop").Err()
}

// Unblock lets the node hear everyone again.
func (n *Node) Unblock(ctx context.Context) error {
	return n.Exec(ctx, "nft", "flush", "chain", "inet", "lab", "block").Err()
}

// Loss makes the node lose percent of what arrives; 0 ends it.
func (n *Node) Loss(ctx context.Context, percent int) error {
	if percent < 0 || percent > 100 {
		return fmt.Errorf("lab: loss of %d percent", percent)
	}
	if err := n.Exec(ctx, "nft", "flush", "chain", "inet", "lab", "lossy").Err(); err != nil || percent == 0 {
		return err
	}
	rule := []string{"nft", "add", "rule", "inet", "lab", "lossy", "iif", "eth0"}
	if percent < 100 {
		rule = append(rule, "numgen", "random", "mod", "100", "<", strconv.Itoa(percent))
	}
	return n.Exec(ctx, append(rule, "drop")...).Err()
}
