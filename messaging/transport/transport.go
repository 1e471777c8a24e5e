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
	// TooBig reports that packets to dst that are larger than size, with all
	// headers, are dropped by this kernel or one on the way.
	TooBig(link int, dst netip.Addr, size int)
}

// A Wire carries packets. Send is for one goroutine.
type Wire interface {
	Send(batch []Datagram)
	Stats() Stats
	Close() error
}

// A Rewirer is a Wire whose links can change while it runs. Its methods are for
// the goroutine that sends.
type Rewirer interface {
	Wire
	// Stage opens those of the links that are not open yet: they are read from
	// at once. Links staged before that are neither in use nor among these are
	// closed. After an error nothing new is open.
	Stage(links []LinkConfig) error
	// Switch sends on these links from now on; they are open or staged. Links in
	// use until now are still read from.
	Switch(links []LinkConfig)
	// Retire closes all that is not in use.
	Retire() error
}

// Stats count packets since the wire was opened.
type Stats struct {
	TxPackets, TxBytes, TxErrors uint64
	RxPackets, RxBytes, RxErrors uint64
}
