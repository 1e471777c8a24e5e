// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package transport

import "net/netip"

// A Packet was received. Data is valid until Receive returns.
type Packet struct {
	Link int
	Src  netip.AddrPort
	Data []byte
}

// A Datagram is to be sent on a link. An invalid To means the link's multicast
// group.
type Datagram struct {
	Link int
	To   netip.AddrPort
	Data []byte
}

// A Handler takes what arrives. Its methods are called from one goroutine per
// socket and must not wait for the network.
type Handler interface {
	Receive(batch []Packet)
	// Refused reports that the kernel at dst has nobody at that port.
	Refused(link int, dst netip.Addr)
}

// A Wire carries packets. Send is for one goroutine.
type Wire interface {
	Send(batch []Datagram)
	Stats() Stats
	Close() error
}

// Stats count packets since the wire was opened.
type Stats struct {
	TxPackets, TxBytes, TxErrors uint64
	RxPackets, RxBytes, RxErrors uint64
}
