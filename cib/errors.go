// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cib

import (
	"errors"
	"fmt"
)

// Code is the outcome of a request in Pacemaker's crm_exit_t numbers
// (crm_error(8)).
type Code int

// The codes that CIB operations give.
const (
	CodeOK         Code = 0
	CodeError      Code = 1
	CodeNoPriv     Code = 4
	CodeUsage      Code = 64
	CodeDataErr    Code = 65
	CodeSoftware   Code = 70
	CodeConfig     Code = 78 // does not validate against the schema
	CodeDisconnect Code = 102
	CodeOld        Code = 103
	CodeDigest     Code = 104
	CodeNoSuch     Code = 105
	CodeExists     Code = 108
	CodeMultiple   Code = 109
	CodeTimeout    Code = 124
)

// An Error is a request that was refused. Nothing was changed.
type Error struct {
	Code Code
	Op   Op
	Msg  string // in Pacemaker's words where it has some: "File exists"
	// Output is the <failed> block, XML text, where there is one.
	Output []byte
}

// Error implements error.
func (e *Error) Error() string {
	return fmt.Sprintf("cib: call %s refused: %s", e.Op, e.Msg)
}

// Errors of watches and connections.
var (
	ErrCutOff = errors.New("cib: cut off as a slow reader")
	ErrClosed = errors.New("cib: closed")
)
