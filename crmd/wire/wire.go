// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package wire

import (
	"bytes"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/go-msgpack/v2/codec"

	"github.com/quorate/quorate/messaging"
	"github.com/quorate/quorate/transition/graph"
)

// Group is the process group of the controllers.
const Group = "crmd"

// Version is the version of the encoding. A receiver refuses others.
const Version = 1

// ErrBad is a message that cannot be read.
var ErrBad = errors.New("wire: bad message")

// A Message is one of the kinds below: exactly one field beside V is set.
type Message struct {
	V            int           `codec:"v"`
	Vote         *Vote         `codec:"vote,omitempty"`
	NewRound     *NewRound     `codec:"new_round,omitempty"`
	Force        *Force        `codec:"force,omitempty"`
	Offer        *Offer        `codec:"offer,omitempty"`
	JoinRequest  *JoinRequest  `codec:"join_request,omitempty"`
	JoinAck      *JoinAck      `codec:"join_ack,omitempty"`
	JoinConfirm  *JoinConfirm  `codec:"join_confirm,omitempty"`
	Invoke       *Invoke       `codec:"invoke,omitempty"`
	Ack          *Ack          `codec:"ack,omitempty"`
	Shutdown     *Shutdown     `codec:"shutdown,omitempty"`
	FenceRequest *FenceRequest `codec:"fence_request,omitempty"`
	FenceRun     *FenceRun     `codec:"fence_run,omitempty"`
	FenceRan     *FenceRan     `codec:"fence_ran,omitempty"`
	FenceEvent   *FenceEvent   `codec:"fence_event,omitempty"`
	FenceManual  *FenceManual  `codec:"fence_manual,omitempty"`
	FenceHistory *FenceHistory `codec:"fence_history,omitempty"`
	Forget       *Forget       `codec:"forget,omitempty"`
	Forgotten    *Forgotten    `codec:"forgotten,omitempty"`
	Fail         *Fail         `codec:"fail,omitempty"`
	RemoveNode   *RemoveNode   `codec:"remove_node,omitempty"`
	Announce     *Announce     `codec:"announce,omitempty"`
	DCState      *DCState      `codec:"dc_state,omitempty"`
	Ask          *Ask          `codec:"ask,omitempty"`
	Answer       *Answer       `codec:"answer,omitempty"`
}

// A Vote is one controller's part in a round of the election.
type Vote struct {
	Round, Name, FeatureSet string
	Uptime                  time.Duration
	DC                      bool
}

// A NewRound starts a new round of the election among the present members.
type NewRound struct{ Round string }

// A Force decides a round by the votes that are in.
type Force struct{ Round string }

// An Offer invites members to join.
type Offer struct {
	JoinID int
	To     []messaging.MemberID
	// Settled tells that the cluster has passed its cold start.
	Settled bool
}

// An Announce tells the DC that the sender knows it and has not joined it.
type Announce struct{ To messaging.MemberID }

// A JoinRequest answers an offer.
type JoinRequest struct {
	JoinID     int
	FeatureSet string
	CIBVersion string
	// Boot names this run of the sender's controller.
	Boot string
}

// A JoinAck tells a member whether it may join.
type JoinAck struct {
	JoinID int
	To     messaging.MemberID
	OK     bool
	Why    string
	// Write has the member put its history into the CIB, which has another one,
	// before it confirms.
	Write bool
}

// A JoinConfirm brings a member's whole operation history.
type JoinConfirm struct {
	JoinID int
	LRM    []byte // the <lrm> element, XML text
	// Shutdown tells that the member is to shut down.
	Shutdown bool
	// Written tells that the member has put its history into the CIB as the DC
	// asked, and Version is that of the document then.
	Written bool
	Version string
}

// An Invoke has a node carry an action out.
type Invoke struct {
	To     messaging.NodeID
	Key    string // transition key
	Action graph.Action
}

// An Ack is the result of an action that leaves no record in the CIB.
type Ack struct {
	Key     string
	OK      bool
	Why     string
	Version string // of the CIB that shows the action's effect
}

// A Shutdown tells a node's controller to leave.
type Shutdown struct{ To messaging.NodeID }

// A FenceRequest asks the DC for fencing.
type FenceRequest struct {
	ID, Target, Action, Client, Origin string
	Timeout, Delay                     time.Duration
}

// A FenceRun has a node run a fence device.
type FenceRun struct {
	To                     messaging.NodeID
	ID, Op                 string // of this run, and of the operation that it is part of
	Device, Target, Action string
	Timeout, Delay         time.Duration
}

// A FenceRan is the result of a FenceRun.
type FenceRan struct {
	ID, Op string
	OK     bool
	Why    string
}

// A FenceEvent records the state of a fencing operation on all nodes.
type FenceEvent struct {
	ID, Target, Action, Device, Client, Origin, Delegate, State, Why string
	Completed                                                        time.Time
}

// A FenceManual is an operator's word that a node is down.
type FenceManual struct{ Target, Client, Origin string }

// A FenceHistory brings a newcomer up to date.
type FenceHistory struct{ Events []FenceEvent }

// A Forget asks a node to forget operation history, so that it is probed again.
type Forget struct {
	ID                 string
	To                 messaging.NodeID
	Resource           string // "" is all
	Operation          string
	Interval           time.Duration
	FailuresOnly       bool
	ResourceIsInstance bool
}

// A Forgotten answers a Forget.
type Forgotten struct {
	ID      string
	Why     string // "" is success
	Version string
}

// A Fail asks the node that knows a resource for a made-up failure of it.
type Fail struct {
	ID       string
	To       messaging.NodeID
	Resource string
}

// A DCState tells whether the DC has something to do.
type DCState struct {
	Idle       bool
	Transition int
}

// An Ask wants a node's controller to describe itself.
type Ask struct {
	ID string
	To messaging.NodeID
}

// An Answer answers an Ask.
type Answer struct {
	ID                                   string
	Node, DC, State, Version, FeatureSet string
	NodeID                               uint32
	Quorate, Idle                        bool
	Transition                           int
}

// A RemoveNode has all controllers forget a node.
type RemoveNode struct{ Name string }

func handle() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{}
	h.MaxInitLen = 1 << 16 // no allocation beyond it on a length's word alone
	h.MaxDepth = 32
	return h
}

// Encode writes a message.
func Encode(m *Message) ([]byte, error) {
	c := *m
	c.V = Version
	var buf bytes.Buffer
	if err := codec.NewEncoder(&buf, handle()).Encode(&c); err != nil {
		return nil, fmt.Errorf("wire: encode: %w", err)
	}
	return buf.Bytes(), nil
}

// Decode reads a message.
func Decode(b []byte) (m *Message, err error) {
	if len(b) > messaging.MaxMessage {
		return nil, fmt.Errorf("%w: %d bytes", ErrBad, len(b))
	}
	defer func() { // the codec panics on some malformed input
		if r := recover(); r != nil {
			m, err = nil, fmt.Errorf("%w: %v", ErrBad, r)
		}
	}()
	m = &Message{}
	if err := codec.NewDecoderBytes(b, handle()).Decode(m); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBad, err)
	}
	if m.V != Version {
		return nil, fmt.Errorf("%w: version %d, this is %d", ErrBad, m.V, Version)
	}
	return m, nil
}
