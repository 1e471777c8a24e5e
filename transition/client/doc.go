// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package client is a [transition.Engine] that is reached through transitiond's
// socket.
package client
