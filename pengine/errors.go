// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package pengine

import "errors"

// The errors of an engine.
var (
	// ErrBadInput is the answer to a text that is no CIB.
	ErrBadInput = errors.New("pengine: the input is not a CIB")
	// ErrClosed is the answer after Close.
	ErrClosed = errors.New("pengine: closed")
)
