// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package client reaches a policy engine over its socket.
package client
