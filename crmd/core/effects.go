// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"time"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/crmd/fencing"
	"github.com/quorate/quorate/crmd/fsa"
	"github.com/quorate/quorate/crmd/wire"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/pengine"
	"github.com/quorate/quorate/transition"
	"github.com/quorate/quorate/transition/graph"
)

// An Effect is something that the shell is to do. Effects of one kind are done
// in the order given.
type Effect interface{ effect() }

// A Token connects an effect with the event that answers it.
type Token int

// Level is the weight of a log line.
type Level int

// The levels.
const (
	Debug Level = iota
	Info
	Warn
	Error
)

type (
	// JoinGroup asks for membership in the controllers' group.
	JoinGroup struct{}
	// LeaveGroup ends it, and the controller with it.
	LeaveGroup struct{ Why string }
	// Send multicasts a message.
	Send struct{ Msg *wire.Message }
	// Write changes the CIB; WriteDone answers it. Writes and Attrs are done one
	// after the other.
	Write struct {
		Token Token
		Req   cib.Request
	}
	// Attr changes a node attribute; WriteDone answers it.
	Attr struct {
		Token Token
		Up    cib.AttrUpdate
	}
	// Compute asks the policy engine; Computed answers it.
	Compute struct {
		Token Token
		Req   pengine.Request
	}
	// Begin starts a transition; its steps come as Step.
	Begin struct {
		Graph *graph.Graph
		Opts  transition.Options
	}
	// Confirm reports an action's result to the transition engine.
	Confirm struct{ Confirm transition.Confirm }
	// Abort ends the transition early.
	Abort struct{ Abort transition.Abort }
	// Execute runs an operation on this node; Accepted answers it, results come
	// as LRMResult.
	Execute struct {
		Token Token
		Op    lrmd.Op
	}
	// CancelOp ends a recurring operation; Cancelled answers it.
	CancelOp struct {
		Token            Token
		Resource, Action string
		Interval         time.Duration
	}
	// ForgetRsc has the executor forget a resource; Cancelled answers it.
	ForgetRsc struct {
		Token    Token
		Resource string
	}
	// Metadata asks for an agent's metadata; GotMetadata answers it.
	Metadata struct{ Agent lrmd.Agent }
	// RunFence runs a fence device on this node; FenceRan answers it.
	RunFence struct {
		Run    wire.FenceRun
		Device fencing.Device
	}
	// SetTimer asks for TimerFired at a time of the monotonic clock; a new one of
	// the same name replaces the old.
	SetTimer struct {
		Name string
		At   time.Duration
	}
	// StopTimer withdraws a timer.
	StopTimer struct{ Name string }
	// Reply answers a call of the API.
	Reply struct {
		Token Token
		Err   error
		Value any // of calls that ask for something
	}
	// Log is a line for the log.
	Log struct {
		Level Level
		Msg   string
		Attrs []any
	}
	// StateChanged tells of a step of the state machine.
	StateChanged struct {
		From, To fsa.State
		Input    fsa.Input
		Cause    string
	}
	// RunEnded tells how a transition ended, for metrics.
	RunEnded struct {
		Done transition.Done
		Took time.Duration
	}
	// Note counts something, for metrics.
	Note struct{ What, Label string }
	// Exit ends the controller for good.
	Exit struct{ Err error }
)

func (JoinGroup) effect()    {}
func (LeaveGroup) effect()   {}
func (Send) effect()         {}
func (Write) effect()        {}
func (Attr) effect()         {}
func (Compute) effect()      {}
func (Begin) effect()        {}
func (Confirm) effect()      {}
func (Abort) effect()        {}
func (Execute) effect()      {}
func (CancelOp) effect()     {}
func (ForgetRsc) effect()    {}
func (Metadata) effect()     {}
func (RunFence) effect()     {}
func (SetTimer) effect()     {}
func (StopTimer) effect()    {}
func (Reply) effect()        {}
func (Log) effect()          {}
func (StateChanged) effect() {}
func (RunEnded) effect()     {}
func (Note) effect()         {}
func (Exit) effect()         {}
