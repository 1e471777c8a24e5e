// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package service runs what the machine calls a service, whatever keeps it: an
// init script of that name where there is one, else a systemd unit.
package service
