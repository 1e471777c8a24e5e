// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package ipc carries calls between the processes of one node: gRPC on Unix
// sockets, with the kernel's word on who is at the other end.
//
// Who may call what passes three gates here: the mode of the socket, the peer's
// credentials (SO_PEERCRED, read once when the connection is made), and a table
// from full method to the access it needs. A method that is not in the table is
// refused. A client looks at its server in the same way, so that a process that
// squats on a socket's path gets no requests.
//
// Errors cross as gRPC statuses: an [ErrorTable] names the sentinels of a
// layer, and errors.Is works on both sides. A daemon that does not answer is
// [ErrUnavailable].
//
// Streams in both directions may have connections of their own, without HTTP/2
// below them: see [DirectConn].
//
// This package and the server and client folders are the only places that know
// gRPC; it knows no layer.
package ipc
