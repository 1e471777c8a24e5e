// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package exit

import (
	"errors"
	"fmt"
)

// A Code is an exit code of a tool.
type Code int

// The codes, with what a tool says by them.
const (
	OK                 Code = 0   // everything went well
	Error              Code = 1   // an error without a code of its own; of crm_diff: there are differences
	InvalidParam       Code = 2   // an OCF agent was given a bad parameter
	UnimplementFeature Code = 3   // an OCF agent does not know the action
	InsufficientPriv   Code = 4   // the caller may not do this
	NotInstalled       Code = 5   // a program that is needed is missing
	NotConfigured      Code = 6   // the configuration is not usable anywhere
	NotRunning         Code = 7   // the resource is not running
	Promoted           Code = 8   // the resource runs in the promoted role
	FailedPromoted     Code = 9   // the resource has failed in the promoted role
	Usage              Code = 64  // the command line is wrong
	DataErr            Code = 65  // the data given is wrong
	NoInput            Code = 66  // an input file cannot be read
	NoUser             Code = 67  // there is no such user
	NoHost             Code = 68  // there is no such host
	Unavailable        Code = 69  // a service that is needed is not there
	Software           Code = 70  // a fault of the program itself
	OSErr              Code = 71  // the operating system refused something
	OSFile             Code = 72  // a file of the system is missing
	CantCreat          Code = 73  // an output file cannot be made
	IOErr              Code = 74  // reading or writing went wrong
	TempFail           Code = 75  // it may work later
	Protocol           Code = 76  // the other side broke the protocol
	NoPerm             Code = 77  // the system denies the permission
	Config             Code = 78  // the configuration is invalid
	Fatal              Code = 100 // a daemon must not be started again
	Panic              Code = 101 // the node must be reset
	Disconnect         Code = 102 // the cluster is not reachable
	Old                Code = 103 // the update is older than what is there
	Digest             Code = 104 // a digest does not match
	NoSuch             Code = 105 // there is no such object
	Quorum             Code = 106 // it needs quorum
	Unsafe             Code = 107 // it needs --force
	Exists             Code = 108 // it is there already
	Multiple           Code = 109 // more than one object matches
	Expired            Code = 110 // the object has expired
	NotYetInEffect     Code = 111 // the object is not yet in effect
	Indeterminate      Code = 112 // the state could not be found out
	Unsatisfied        Code = 113 // the state does not allow it
	Timeout            Code = 124 // it took too long
	Degraded           Code = 190 // the resource runs and might fail soon
	DegradedPromoted   Code = 191 // the resource runs promoted and might fail soon
	None               Code = 193 // no exit code is known
	Max                Code = 255 // the highest code that an operating system carries
)

var names = map[Code]struct{ name, text string }{
	OK:                 {"CRM_EX_OK", "OK"},
	Error:              {"CRM_EX_ERROR", "Error occurred"},
	InvalidParam:       {"CRM_EX_INVALID_PARAM", "Invalid parameter"},
	UnimplementFeature: {"CRM_EX_UNIMPLEMENT_FEATURE", "Unimplemented"},
	InsufficientPriv:   {"CRM_EX_INSUFFICIENT_PRIV", "Insufficient privileges"},
	NotInstalled:       {"CRM_EX_NOT_INSTALLED", "Not installed"},
	NotConfigured:      {"CRM_EX_NOT_CONFIGURED", "Not configured"},
	NotRunning:         {"CRM_EX_NOT_RUNNING", "Not running"},
	Promoted:           {"CRM_EX_PROMOTED", "Promoted"},
	FailedPromoted:     {"CRM_EX_FAILED_PROMOTED", "Failed in promoted role"},
	Usage:              {"CRM_EX_USAGE", "Incorrect usage"},
	DataErr:            {"CRM_EX_DATAERR", "Invalid data given"},
	NoInput:            {"CRM_EX_NOINPUT", "Input file not available"},
	NoUser:             {"CRM_EX_NOUSER", "User does not exist"},
	NoHost:             {"CRM_EX_NOHOST", "Host does not exist"},
	Unavailable:        {"CRM_EX_UNAVAILABLE", "Necessary service unavailable"},
	Software:           {"CRM_EX_SOFTWARE", "Internal software bug"},
	OSErr:              {"CRM_EX_OSERR", "Operating system error occurred"},
	OSFile:             {"CRM_EX_OSFILE", "System file not available"},
	CantCreat:          {"CRM_EX_CANTCREAT", "Cannot create output file"},
	IOErr:              {"CRM_EX_IOERR", "I/O error occurred"},
	TempFail:           {"CRM_EX_TEMPFAIL", "Temporary failure, try again"},
	Protocol:           {"CRM_EX_PROTOCOL", "Protocol violated"},
	NoPerm:             {"CRM_EX_NOPERM", "Insufficient privileges"},
	Config:             {"CRM_EX_CONFIG", "Invalid configuration"},
	Fatal:              {"CRM_EX_FATAL", "Fatal error occurred, will not respawn"},
	Panic:              {"CRM_EX_PANIC", "System panic required"},
	Disconnect:         {"CRM_EX_DISCONNECT", "Not connected"},
	Old:                {"CRM_EX_OLD", "Update was older than existing configuration"},
	Digest:             {"CRM_EX_DIGEST", "Digest mismatch"},
	NoSuch:             {"CRM_EX_NOSUCH", "No such object"},
	Quorum:             {"CRM_EX_QUORUM", "Quorum required"},
	Unsafe:             {"CRM_EX_UNSAFE", "Operation not safe"},
	Exists:             {"CRM_EX_EXISTS", "Requested item already exists"},
	Multiple:           {"CRM_EX_MULTIPLE", "Multiple items match request"},
	Expired:            {"CRM_EX_EXPIRED", "Requested item has expired"},
	NotYetInEffect:     {"CRM_EX_NOT_YET_IN_EFFECT", "Requested item is not yet in effect"},
	Indeterminate:      {"CRM_EX_INDETERMINATE", "Could not determine status"},
	Unsatisfied:        {"CRM_EX_UNSATISFIED", "Not applicable under current conditions"},
	Timeout:            {"CRM_EX_TIMEOUT", "Timeout occurred"},
	Degraded:           {"CRM_EX_DEGRADED", "Service is active but might fail soon"},
	DegradedPromoted:   {"CRM_EX_DEGRADED_PROMOTED", "Service is promoted but might fail soon"},
	None:               {"CRM_EX_NONE", "No exit status available"},
	Max:                {"CRM_EX_MAX", "Error occurred"},
}

// String gives the text that the tools print for the code.
func (c Code) String() string {
	if row, ok := names[c]; ok {
		return row.text
	}
	return "Unknown exit status"
}

// Name gives the constant's name in Pacemaker's headers, CRM_EX_OK for one.
func (c Code) Name() string {
	if row, ok := names[c]; ok {
		return row.name
	}
	return "CRM_EX_UNKNOWN"
}

// Known tells whether the code has a name.
func (c Code) Known() bool {
	_, ok := names[c]
	return ok
}

// An ErrorCode is an error that decides the exit code. Msg is printed on
// standard error as it is; an empty one ends the tool without a word, where all
// has been said.
type ErrorCode struct {
	Code Code
	Msg  string
	Err  error // the cause, or nil
}

// Error implements error.
func (e *ErrorCode) Error() string { return e.Msg }

// Unwrap returns the cause.
func (e *ErrorCode) Unwrap() error { return e.Err }

// Errorf makes an error with a code. Its text is for people and is printed as it is.
func Errorf(c Code, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	return &ErrorCode{Code: c, Msg: err.Error(), Err: errors.Unwrap(err)}
}

// Silent makes an error that sets the exit code and prints nothing.
func Silent(c Code) error { return &ErrorCode{Code: c} }

// Of returns the code of an error: OK for nil, Error where it carries none.
func Of(err error) Code {
	var e *ErrorCode
	switch {
	case err == nil:
		return OK
	case errors.As(err, &e):
		return e.Code
	}
	return Error
}
