// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package ipc

import (
	"context"
	"errors"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// Errors that any client can meet.
var (
	// ErrUnavailable: the daemon does not answer.
	ErrUnavailable = errors.New("ipc: daemon does not answer")
	// ErrDenied: the caller may not do this.
	ErrDenied = errors.New("ipc: permission denied")
)

// domain marks the reasons as ours in an ErrorInfo.
const domain = "quorate"

// An ErrorRow gives a sentinel its status code and its name on the wire.
type ErrorRow struct {
	Err    error
	Code   codes.Code
	Reason string // upper snake case, unique in its table
}

// An ErrorTable lists the sentinels of a layer.
type ErrorTable []ErrorRow

// ToStatus turns an error of a layer into a gRPC status with the reason of the
// first row that errors.Is finds in it. Errors of contexts keep their meaning,
// statuses stay as they are, and everything else is Unknown with its text.
func (t ErrorTable) ToStatus(err error) error {
	if err == nil {
		return nil
	}
	for _, row := range t {
		if errors.Is(err, row.Err) {
			return StatusError(row.Code, row.Reason, err.Error(), nil)
		}
	}
	if _, ok := err.(interface{ GRPCStatus() *status.Status }); ok { //nolint:errorlint // a wrapped status is the layer's error, not ours to pass on
		return err
	}
	switch {
	case errors.Is(err, context.Canceled):
		return status.Error(codes.Canceled, err.Error())
	case errors.Is(err, context.DeadlineExceeded):
		return status.Error(codes.DeadlineExceeded, err.Error())
	}
	return status.Error(codes.Unknown, err.Error())
}

// FromStatus is the way back: the error has the server's text, and errors.Is
// finds the sentinel whose reason it carries, [ErrUnavailable], [ErrDenied] or
// the context errors.
func (t ErrorTable) FromStatus(err error) error {
	if err == nil {
		return nil
	}
	s, ok := status.FromError(err)
	if !ok {
		return err
	}
	if reason, _, ok := ErrorInfo(err); ok {
		for _, row := range t {
			if row.Reason == reason {
				return &remoteError{text: s.Message(), is: row.Err}
			}
		}
	}
	switch s.Code() {
	case codes.OK:
		return nil
	case codes.Unavailable:
		return &remoteError{text: ErrUnavailable.Error() + ": " + s.Message(), is: ErrUnavailable}
	case codes.PermissionDenied:
		return &remoteError{text: s.Message(), is: ErrDenied}
	case codes.Canceled:
		return &remoteError{text: s.Message(), is: context.Canceled}
	case codes.DeadlineExceeded:
		return &remoteError{text: s.Message(), is: context.DeadlineExceeded}
	}
	return errors.New(s.Message())
}

// StatusError makes a status with a reason and values, for errors that carry
// more than their text.
func StatusError(code codes.Code, reason, text string, values map[string]string) error {
	s, err := status.New(code, text).WithDetails(&errdetails.ErrorInfo{
		Reason: reason, Domain: domain, Metadata: values,
	})
	if err != nil { // only for code OK, which is no error
		return status.Error(codes.Internal, text)
	}
	return s.Err()
}

// ErrorInfo returns the reason and values that a status of ours carries.
func ErrorInfo(err error) (reason string, values map[string]string, ok bool) {
	s, isStatus := status.FromError(err)
	if !isStatus {
		return "", nil, false
	}
	for _, d := range s.Details() {
		if info, isInfo := d.(*errdetails.ErrorInfo); isInfo && info.GetDomain() == domain {
			return info.GetReason(), info.GetMetadata(), true
		}
	}
	return "", nil, false
}

// A remoteError has the text of the other side and the identity of a sentinel.
type remoteError struct {
	text string
	is   error
}

func (e *remoteError) Error() string { return e.text }
func (e *remoteError) Unwrap() error { return e.is }
