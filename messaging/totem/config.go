// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package totem

import (
	"errors"
	"fmt"
	"time"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/messaging/totem/wire"
)

// Bounds of the core.
const (
	// MaxBody bounds one submitted message.
	MaxBody = messaging.MaxMessage + 4096
	// MaxNodes bounds the nodes of a ring.
	MaxNodes = wire.MaxNodes
	// maxUnreleased bounds the messages kept of one ring, a power of two.
	maxUnreleased = 16384
	// minTimer and minHold are the least values of timers.
	minTimer = 30 * time.Millisecond
	minHold  = 14 * time.Millisecond
	// minMTU leaves room for a recovery copy and some payload.
	minMTU = 256
)

// A Config has what the administrator may set, with the names of
// corosync.conf. Zero values of derived timers are filled in by New.
type Config struct {
	// Self is this node.
	Self messaging.NodeID

	// Token is the time without a token after which the ring is given up. It is
	// most of the time a dead node goes unnoticed without other evidence.
	Token time.Duration
	// TokenRetransmit is the time without a sign of the next member's life after
	// which the token is sent again. 0: Token/(TokenRetransmitsBeforeLoss+0.2).
	TokenRetransmit time.Duration
	// TokenRetransmitsBeforeLoss divides Token for TokenRetransmit.
	TokenRetransmitsBeforeLoss int
	// Hold is how long the token of an idle ring rests at one node at most.
	// 0: TokenRetransmit*0.8 - 10 ms.
	Hold time.Duration
	// Join is the time between two JOIN packets while a membership is agreed.
	Join time.Duration
	// SendJoin spreads the JOIN packets of large clusters over this time.
	SendJoin time.Duration
	// Consensus is the time after which silent nodes are left out of the next
	// membership. 0: Token*1.2.
	Consensus time.Duration
	// Merge is the time between two packets that tell other rings of this one.
	Merge time.Duration

	// FailToReceive is the number of rotations without progress after which a
	// node that lacks messages leaves. At least Token has to pass as well.
	FailToReceive int
	// SeqnoUnchanged is the number of rotations without messages after which
	// the token rests at who sent last; corosync's default is 30.
	SeqnoUnchanged int
	// Window bounds the packets that all nodes send in one rotation. corosync's
	// default is 50, of packets that knet cuts from up to 64 KiB; ours fit the
	// network's. Few packets cost many rotations, many let the others wait long.
	Window int
	// MaxMessages bounds the packets that one node sends in one token visit;
	// corosync's default is 17.
	MaxMessages int
	// MissCount is the number of token visits after which a missing message is
	// requested. At least MissTime has to pass as well.
	MissCount int
	// MissTime is the least age of a gap that is requested.
	MissTime time.Duration
	// NoHoldOnRetransmit keeps the token moving while messages are missing
	// (cancel_token_hold_on_retransmit); otherwise a second loss costs a Hold.
	NoHoldOnRetransmit bool

	// MTU bounds the packets of the core, in bytes, except for tokens, JOIN and
	// commit tokens of very large clusters.
	MTU int
	// SendQueue bounds the bytes that wait to be sent, where each message counts
	// for messageCost more. A message of any size is accepted while less than half
	// of that waits. What waits delays what comes after it, so this is little more
	// than two visits of the token take.
	SendQueue int
	// HoldForSync lets ordinary messages wait from each regular configuration
	// until SyncDone.
	HoldForSync bool
	// Seed is for the jitter of SendJoin.
	Seed uint64
}

// TokenFor is the default of Token for a cluster of so many nodes.
func TokenFor(nodes int) time.Duration {
	const base, coefficient = 1000 * time.Millisecond, 125 * time.Millisecond
	return base + time.Duration(max(nodes-2, 0))*coefficient
}

// DefaultConfig gives the configuration of one node of a cluster of so many.
func DefaultConfig(self messaging.NodeID, nodes int) Config {
	return Config{
		Self:                       self,
		Token:                      TokenFor(nodes),
		TokenRetransmitsBeforeLoss: 4,
		Join:                       50 * time.Millisecond,
		Merge:                      200 * time.Millisecond,
		FailToReceive:              2500,
		SeqnoUnchanged:             1,
		Window:                     512,
		MaxMessages:                256,
		MissCount:                  5,
		MissTime:                   time.Millisecond,
		NoHoldOnRetransmit:         true,
		MTU:                        1350,
		SendQueue:                  768 << 10,
	}
}

// derive fills in the timers that follow from others.
func (c *Config) derive() {
	if c.TokenRetransmit == 0 && c.TokenRetransmitsBeforeLoss > 0 {
		ms := float64(c.Token.Milliseconds()) / (float64(c.TokenRetransmitsBeforeLoss) + 0.2)
		c.TokenRetransmit = time.Duration(ms) * time.Millisecond
	}
	if c.Hold == 0 {
		ms := float64(c.TokenRetransmit.Milliseconds())*0.8 - 10
		c.Hold = max(time.Duration(ms)*time.Millisecond, minHold)
	}
	if c.Consensus == 0 {
		c.Consensus = time.Duration(c.Token.Milliseconds()*12/10) * time.Millisecond
	}
}

// validate gives all faults at once.
func (c *Config) validate() error {
	var faults []error
	bad := func(cond bool, format string, args ...any) {
		if cond {
			faults = append(faults, fmt.Errorf("totem: "+format, args...))
		}
	}
	bad(c.Self == 0, "node id must not be 0")
	timer := func(name string, d, least time.Duration) {
		bad(d < least, "%s is %v, the least is %v", name, d, least)
	}
	timer("token", c.Token, minTimer)
	timer("token_retransmit", c.TokenRetransmit, minTimer)
	timer("hold", c.Hold, minHold)
	timer("join", c.Join, minTimer)
	timer("consensus", c.Consensus, minTimer)
	timer("merge", c.Merge, minTimer)
	bad(c.Consensus < c.Join, "consensus (%v) must not be less than join (%v)", c.Consensus, c.Join)
	bad(c.TokenRetransmit >= c.Token, "token_retransmit (%v) must be less than token (%v)", c.TokenRetransmit, c.Token)
	bad(c.Hold >= c.TokenRetransmit, "hold (%v) must be less than token_retransmit (%v)", c.Hold, c.TokenRetransmit)
	bad(c.SendJoin < 0, "send_join must not be negative")
	bad(c.FailToReceive < 1, "fail_recv_const must be at least 1")
	bad(c.SeqnoUnchanged < 1, "seqno_unchanged_const must be at least 1")
	bad(c.Window < 1 || c.Window > maxUnreleased/4, "window_size is %d, the range is 1 to %d", c.Window, maxUnreleased/4)
	bad(c.MaxMessages < 1 || c.MaxMessages > maxUnreleased/4, "max_messages is %d, the range is 1 to %d", c.MaxMessages, maxUnreleased/4)
	bad(c.MissCount < 0, "miss_count_const must not be negative")
	bad(c.MTU < minMTU || c.MTU > wire.MaxPacket, "mtu is %d, the range is %d to %d", c.MTU, minMTU, wire.MaxPacket)
	bad(c.SendQueue < 1, "the send queue must hold something")
	return errors.Join(faults...)
}
