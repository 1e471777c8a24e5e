// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package wire

import (
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/internal/ipc"
	cibv1 "github.com/quorate/quorate/proto/cib/v1"
)

// Errors is how the errors of watches and connections cross. Refusals are parts
// of answers.
func Errors() ipc.ErrorTable {
	return ipc.ErrorTable{
		{Err: cib.ErrClosed, Code: codes.Aborted, Reason: "CLOSED"},
		{Err: cib.ErrCutOff, Code: codes.DataLoss, Reason: "CUT_OFF"},
	}
}

// FromRequest makes the wire form of a request.
func FromRequest(r cib.Request) *cibv1.DoRequest {
	return &cibv1.DoRequest{
		Op: string(r.Op), Section: r.Section, Xpath: r.XPath, Data: r.Data, CanCreate: r.CanCreate, NoChildren: r.NoChildren,
		NodePath: r.NodePath, Score: r.Score, Force: r.Force, DryRun: r.DryRun, User: r.User, Client: r.Client,
	}
}

// ToRequest is the way back.
func ToRequest(r *cibv1.DoRequest) cib.Request {
	return cib.Request{
		Op: cib.Op(r.GetOp()), Section: r.GetSection(), XPath: r.GetXpath(), Data: r.GetData(), CanCreate: r.GetCanCreate(),
		NoChildren: r.GetNoChildren(), NodePath: r.GetNodePath(), Score: r.GetScore(), Force: r.GetForce(), DryRun: r.GetDryRun(),
		User: r.GetUser(), Client: r.GetClient(),
	}
}

// FromVersion makes the wire form of a version.
func FromVersion(v cib.Version) *cibv1.Version {
	return &cibv1.Version{AdminEpoch: v.AdminEpoch, Epoch: v.Epoch, NumUpdates: v.NumUpdates}
}

// ToVersion is the way back.
func ToVersion(v *cibv1.Version) cib.Version {
	return cib.Version{AdminEpoch: v.GetAdminEpoch(), Epoch: v.GetEpoch(), NumUpdates: v.GetNumUpdates()}
}

// FromResult makes the wire form of a result.
func FromResult(r cib.Result) *cibv1.Result {
	return &cibv1.Result{Output: r.Output, Version: FromVersion(r.Version), Applied: r.Applied}
}

// ToResult is the way back.
func ToResult(r *cibv1.Result) cib.Result {
	return cib.Result{Output: r.GetOutput(), Version: ToVersion(r.GetVersion()), Applied: r.GetApplied()}
}

// FromError makes the wire form of a refusal.
func FromError(e *cib.Error) *cibv1.Refusal {
	return &cibv1.Refusal{Code: int32(e.Code), Op: string(e.Op), Message: e.Msg, Output: e.Output}
}

// ToError is the way back.
func ToError(r *cibv1.Refusal) *cib.Error {
	return &cib.Error{Code: cib.Code(r.GetCode()), Op: cib.Op(r.GetOp()), Msg: r.GetMessage(), Output: r.GetOutput()}
}

// FromChange makes the wire form of a change.
func FromChange(c cib.Change) *cibv1.WatchResponse {
	return &cibv1.WatchResponse{Version: FromVersion(c.Version), Patchset: c.Patchset, Client: c.Client, Snapshot: c.Snapshot}
}

// ToChange is the way back.
func ToChange(c *cibv1.WatchResponse) cib.Change {
	return cib.Change{Version: ToVersion(c.GetVersion()), Patchset: c.GetPatchset(), Client: c.GetClient(), Snapshot: c.GetSnapshot()}
}

// FromUpdate makes the wire form of an update of an attribute.
func FromUpdate(u cib.AttrUpdate) *cibv1.SetAttrRequest {
	return &cibv1.SetAttrRequest{
		Node: u.Node, Name: u.Name, Value: u.Value, Delete: u.Delete, Permanent: u.Permanent, Set: u.Set, Pattern: u.Pattern,
		Private: u.Private, Dampen: durationpb.New(u.Dampen), SetDampen: u.SetDampen, User: u.User,
	}
}

// ToUpdate is the way back.
func ToUpdate(u *cibv1.SetAttrRequest) cib.AttrUpdate {
	return cib.AttrUpdate{
		Node: u.GetNode(), Name: u.GetName(), Value: u.GetValue(), Delete: u.GetDelete(), Permanent: u.GetPermanent(), Set: u.GetSet(),
		Pattern: u.GetPattern(), Private: u.GetPrivate(), Dampen: u.GetDampen().AsDuration(), SetDampen: u.GetSetDampen(), User: u.GetUser(),
	}
}
