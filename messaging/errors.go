// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package messaging

import "errors"

// Errors of the messaging layer.
var (
	// ErrClosed: the bus or the group was closed, or the daemon went away.
	ErrClosed = errors.New("messaging: closed")
	// ErrCutOff: the reader did not keep up and its queue overflowed; join anew
	// and fetch the state again.
	ErrCutOff = errors.New("messaging: cut off as a slow reader")
	// ErrTooBig: a message exceeds MaxMessage.
	ErrTooBig = errors.New("messaging: message too big")
	// ErrRefused: a reload was refused by a node, and nothing was changed on any.
	ErrRefused = errors.New("messaging: reload refused, nothing was changed on any node")
	// ErrAgain: something else is under way; the same call may work later.
	ErrAgain = errors.New("messaging: try again")
	// ErrReadOnly: a key cannot be set.
	ErrReadOnly = errors.New("messaging: read-only key")
	// ErrNoKey: there is no such key in the map.
	ErrNoKey = errors.New("messaging: no such key")
	// ErrNoNode: there is no such node.
	ErrNoNode = errors.New("messaging: no such node")
	// ErrInvalid: an argument is out of its range.
	ErrInvalid = errors.New("messaging: invalid argument")
)
