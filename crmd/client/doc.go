// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package client is a [crmd.Controller] that is reached through crmd's socket.
package client
