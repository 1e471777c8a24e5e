// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package daemon is what the six daemons have in common: where a node's files
// are, flags, logging, metrics, signals, and what systemd is told.
//
// A daemon's main calls [Main] with a function that declares its flags and
// returns the daemon's body. The body gets an [Env] and a context that ends
// with SIGTERM or SIGINT; it calls Ready once it serves, and returns when it has
// stopped. An error ends the process with exit code 1, so that the supervisor
// starts it again.
//
// The package knows no layer.
package daemon
