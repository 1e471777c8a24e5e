// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmd

import "errors"

// Errors of the controller.
var (
	// ErrClosed: the controller has left or went away.
	ErrClosed = errors.New("crmd: closed")
	// ErrNoDC: there is no DC now; try again in a moment.
	ErrNoDC = errors.New("crmd: no dc")
	// ErrNoNode: the node is not known, or not online.
	ErrNoNode = errors.New("crmd: no such node")
	// ErrInvalid: an argument is out of its range.
	ErrInvalid = errors.New("crmd: invalid argument")
	// ErrFencing: the fencing failed; the node counts as alive.
	ErrFencing = errors.New("crmd: fencing failed")
	// ErrNotDrained: the node could not be drained in time and leaves as it is.
	ErrNotDrained = errors.New("crmd: node not drained in time")
	// ErrBusy: too many calls wait.
	ErrBusy = errors.New("crmd: too many calls at once")
)
