// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package wire translates between the transition engine's types and their
// protobuf forms, for the server and the client.
package wire

import (
	"google.golang.org/grpc/codes"

	"github.com/quorate/quorate/internal/ipc"
	transitionv1 "github.com/quorate/quorate/proto/transition/v1"
	"github.com/quorate/quorate/transition"
)

// Errors is the layer's error table.
func Errors() ipc.ErrorTable {
	return ipc.ErrorTable{
		{Err: transition.ErrInvalid, Code: codes.InvalidArgument, Reason: "TRANSITION_INVALID"},
		{Err: transition.ErrClosed, Code: codes.Aborted, Reason: "TRANSITION_CLOSED"},
	}
}

// FromDone gives the protobuf form of the end of a run.
func FromDone(d *transition.Done) *transitionv1.Done {
	return &transitionv1.Done{
		Complete: d.Complete, Aborted: d.Aborted, Status: d.Status, Follow: FromCompletion(d.Follow), Why: d.Why,
		Completed: clamp(d.Completed), Pending: clamp(d.Pending), Fired: clamp(d.Fired), Skipped: clamp(d.Skipped),
		Incomplete: clamp(d.Incomplete),
	}
}

// ToDone reads the protobuf form of the end of a run.
func ToDone(d *transitionv1.Done) *transition.Done {
	return &transition.Done{
		Complete: d.GetComplete(), Aborted: d.GetAborted(), Status: d.GetStatus(), Follow: ToCompletion(d.GetFollow()),
		Why: d.GetWhy(), Completed: int(d.GetCompleted()), Pending: int(d.GetPending()), Fired: int(d.GetFired()),
		Skipped: int(d.GetSkipped()), Incomplete: int(d.GetIncomplete()),
	}
}

// FromCompletion gives the protobuf form of a completion.
func FromCompletion(c transition.Completion) transitionv1.Completion {
	return transitionv1.Completion(clamp(int(c) + 1))
}

// ToCompletion reads a completion; what is unknown is FollowDone.
func ToCompletion(c transitionv1.Completion) transition.Completion {
	if c < transitionv1.Completion_COMPLETION_DONE || c > transitionv1.Completion_COMPLETION_SHUTDOWN {
		return transition.FollowDone
	}
	return transition.Completion(c - 1)
}

// FromConfirm gives the protobuf form of a confirmation.
func FromConfirm(c transition.Confirm) *transitionv1.Confirm {
	return &transitionv1.Confirm{ActionId: clamp(c.ActionID), Failed: c.Failed, CanFail: c.CanFail, Quiet: c.Quiet}
}

// ToConfirm reads a confirmation.
func ToConfirm(c *transitionv1.Confirm) transition.Confirm {
	return transition.Confirm{
		ActionID: int(c.GetActionId()), Failed: c.GetFailed(), CanFail: c.GetCanFail(), Quiet: c.GetQuiet(),
	}
}

// FromAbort gives the protobuf form of an abort.
func FromAbort(a transition.Abort) *transitionv1.Abort {
	return &transitionv1.Abort{Priority: clamp(a.Priority), Follow: FromCompletion(a.Follow), Why: a.Why}
}

// ToAbort reads an abort.
func ToAbort(a *transitionv1.Abort) transition.Abort {
	return transition.Abort{Priority: int(a.GetPriority()), Follow: ToCompletion(a.GetFollow()), Why: a.GetWhy()}
}

// FromOptions gives the protobuf form of a run's limits.
func FromOptions(graph []byte, o transition.Options) *transitionv1.Begin {
	return &transitionv1.Begin{
		Graph: graph, BatchLimit: clamp(o.BatchLimit), NodeLimit: clamp(o.NodeLimit), MigrationLimit: clamp(o.MigrationLimit),
	}
}

// ToOptions reads a run's limits.
func ToOptions(b *transitionv1.Begin) transition.Options {
	return transition.Options{
		BatchLimit: int(b.GetBatchLimit()), NodeLimit: int(b.GetNodeLimit()), MigrationLimit: int(b.GetMigrationLimit()),
	}
}

// clamp keeps a number within 32 bits; the engine's own bounds are far below.
func clamp(n int) int32 { return int32(min(max(n, -1<<31), 1<<31-1)) } //nolint:gosec // bounded in this line
