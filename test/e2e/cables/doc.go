// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package cables runs messaging daemons, each in a network namespace of its own,
// with one or two cables to switches in another one. Its tests pull cables, take
// addresses away, make ways narrow, lossy or deaf, and judge by what the daemons
// say of their membership: a ring that has not changed is one whose number is
// the same.
//
// They need root, nsenter and nft, and are skipped otherwise. No address of
// theirs exists outside the namespaces, which end with the processes.
package cables
