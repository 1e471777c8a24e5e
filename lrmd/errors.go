// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package lrmd

import "errors"

// Errors of the executor.
var (
	ErrClosed  = errors.New("lrmd: closed")
	ErrCutOff  = errors.New("lrmd: cut off as a slow reader")
	ErrNoAgent = errors.New("lrmd: no such agent")
	ErrBusy    = errors.New("lrmd: too many operations queued")
	ErrInvalid = errors.New("lrmd: invalid operation")
)
