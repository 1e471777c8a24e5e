// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package conformance holds the one suite that every form of [messaging.Bus]
// has to pass, and a [Lab] of engines on a network within the process to run it
// on. It is for tests only.
package conformance
