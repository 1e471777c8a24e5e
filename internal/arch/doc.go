// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package arch holds no code: its tests keep the shape of the tree. They check
// that packages import only toward the left of the order that
// docs/architecture.md draws, that protobuf and gRPC stop at the servers and
// clients, that pure cores stay pure, that each package and each exported name
// says what it is for, that each file carries its licence, and that none grows
// beyond what one can read.
package arch
