// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package server serves a policy engine over gRPC.
package server
