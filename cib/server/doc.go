// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package server serves a cib.Store over gRPC. It knows its callers: each
// request is made in the name of the user that the kernel tells, and only root
// and the daemons' user may speak for others.
package server
