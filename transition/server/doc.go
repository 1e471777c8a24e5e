// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package server serves a transition engine over gRPC: one stream for each run.
package server
