// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package wire

import (
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/quorate/quorate/internal/ipc"
	"github.com/quorate/quorate/lrmd"
	lrmdv1 "github.com/quorate/quorate/proto/lrmd/v1"
)

// Errors is how the executor's errors cross.
func Errors() ipc.ErrorTable {
	return ipc.ErrorTable{
		{Err: lrmd.ErrClosed, Code: codes.Aborted, Reason: "CLOSED"},
		{Err: lrmd.ErrCutOff, Code: codes.DataLoss, Reason: "CUT_OFF"},
		{Err: lrmd.ErrNoAgent, Code: codes.NotFound, Reason: "NO_AGENT"},
		{Err: lrmd.ErrBusy, Code: codes.ResourceExhausted, Reason: "BUSY"},
		{Err: lrmd.ErrInvalid, Code: codes.InvalidArgument, Reason: "INVALID"},
	}
}

// FromAgent makes the wire form of an agent's name.
func FromAgent(a lrmd.Agent) *lrmdv1.Agent {
	return &lrmdv1.Agent{Class: a.Class, Provider: a.Provider, Type: a.Type}
}

// ToAgent is the way back.
func ToAgent(a *lrmdv1.Agent) lrmd.Agent {
	return lrmd.Agent{Class: a.GetClass(), Provider: a.GetProvider(), Type: a.GetType()}
}

// FromOp makes the wire form of an operation.
func FromOp(op lrmd.Op) *lrmdv1.Op {
	return &lrmdv1.Op{
		Resource: op.Resource, Agent: FromAgent(op.Agent), Action: op.Action,
		Interval: durationpb.New(op.Interval), Timeout: durationpb.New(op.Timeout),
		StartDelay: durationpb.New(op.StartDelay), Params: op.Params, UserData: op.UserData, Every: op.Every,
	}
}

// ToOp is the way back.
func ToOp(op *lrmdv1.Op) lrmd.Op {
	return lrmd.Op{
		Resource: op.GetResource(), Agent: ToAgent(op.GetAgent()), Action: op.GetAction(),
		Interval: op.GetInterval().AsDuration(), Timeout: op.GetTimeout().AsDuration(),
		StartDelay: op.GetStartDelay().AsDuration(), Params: op.GetParams(), UserData: op.GetUserData(), Every: op.GetEvery(),
	}
}

// FromResult makes the wire form of a result.
func FromResult(r lrmd.Result) *lrmdv1.Result {
	return &lrmdv1.Result{
		Op: FromOp(r.Op), CallId: int64(r.CallID), ExitCode: int32(r.ExitCode), Status: int32(r.Status),
		ExitReason: r.ExitReason, Output: r.Output, Started: stamp(r.Started), Ended: stamp(r.Ended),
		Queued: durationpb.New(r.Queued), Ran: durationpb.New(r.Ran), Lost: r.Lost,
	}
}

// ToResult is the way back.
func ToResult(r *lrmdv1.Result) lrmd.Result {
	return lrmd.Result{
		Op: ToOp(r.GetOp()), CallID: int(r.GetCallId()), ExitCode: lrmd.ExitCode(r.GetExitCode()), Status: lrmd.OpStatus(r.GetStatus()),
		ExitReason: r.GetExitReason(), Output: r.GetOutput(), Started: instant(r.GetStarted()), Ended: instant(r.GetEnded()),
		Queued: r.GetQueued().AsDuration(), Ran: r.GetRan().AsDuration(), Lost: r.GetLost(),
	}
}

func stamp(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

func instant(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.AsTime()
}

// FromSnapshot makes the wire form of a snapshot.
func FromSnapshot(s lrmd.Snapshot) *lrmdv1.Snapshot {
	p := &lrmdv1.Snapshot{Boot: s.Boot}
	for _, r := range s.Results {
		p.Results = append(p.Results, FromResult(r))
	}
	for _, op := range s.Recurring {
		p.Recurring = append(p.Recurring, FromOp(op))
	}
	for _, op := range s.InFlight {
		p.InFlight = append(p.InFlight, FromOp(op))
	}
	return p
}

// ToSnapshot is the way back.
func ToSnapshot(p *lrmdv1.Snapshot) lrmd.Snapshot {
	s := lrmd.Snapshot{Boot: p.GetBoot()}
	for _, r := range p.GetResults() {
		s.Results = append(s.Results, ToResult(r))
	}
	for _, op := range p.GetRecurring() {
		s.Recurring = append(s.Recurring, ToOp(op))
	}
	for _, op := range p.GetInFlight() {
		s.InFlight = append(s.InFlight, ToOp(op))
	}
	return s
}
