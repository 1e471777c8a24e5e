// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package server offers a [messaging.Bus] over gRPC on the daemon's socket.
//
// Each Join stream is one member: its requests are multicast in order, with the
// ring's flow control passed on to the sender by the stream's; its deliveries
// go out in batches. A stream that ends without Leave leaves with ReasonProcDown;
// one that does not read is cut off by the bus behind.
package server
