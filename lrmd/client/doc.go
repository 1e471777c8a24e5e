// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package client is an executor at the other end of a socket. It connects when
// it is first used and again after the daemon's restart; a watch does not
// survive that and is to be begun anew.
package client
