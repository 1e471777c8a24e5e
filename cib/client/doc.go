// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package client is a cib.Store over gRPC, for the tools and the daemons above
// the CIB. It connects at the first call and again whenever the daemon has
// gone; a call while the daemon is away fails with ipc.ErrUnavailable, and a
// watch that ends with an error is to be begun anew.
package client
