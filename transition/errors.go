// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package transition

import "errors"

// Errors of the transition engine.
var (
	// ErrClosed: the engine or the run was closed, or the daemon went away. What
	// was fired and not confirmed is for the caller to await.
	ErrClosed = errors.New("transition: closed")
	// ErrInvalid: the graph or an argument is not well formed.
	ErrInvalid = errors.New("transition: invalid argument")
)

// Infinity is Pacemaker's INFINITY, the highest priority.
const Infinity = 1000000
