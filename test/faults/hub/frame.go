// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package hub

import (
	"encoding/binary"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
)

const (
	etherHeader = 14
	ipHeader    = 20
	udpHeader   = 8
	headers     = etherHeader + ipHeader + udpHeader

	typeIPv4 = 0x0800
	protoUDP = 17
)

// isUDP tells whether a frame is an unfragmented UDP packet over IPv4 without
// options.
func isUDP(f []byte) bool {
	return len(f) >= headers && binary.BigEndian.Uint16(f[12:]) == typeIPv4 && f[14] == 0x45 && f[23] == protoUDP &&
		binary.BigEndian.Uint16(f[20:])&0x3fff == 0
}

// Payload returns what the UDP packet in a frame carries, nil where there is none.
func Payload(f []byte) []byte {
	if !isUDP(f) {
		return nil
	}
	end := etherHeader + int(binary.BigEndian.Uint16(f[16:]))
	if end > len(f) || end < headers {
		return nil
	}
	return f[headers:end]
}

// corrupt changes one bit of the payload of a copy, whose checksum is left out.
func corrupt(f []byte, r *rand.Rand) []byte {
	n := len(Payload(f))
	if n == 0 {
		return nil
	}
	out := slices.Clone(f)
	out[headers+r.IntN(n)] ^= 1 << r.IntN(8)
	return seal(out)
}

// truncate cuts the payload of a copy at a random place; the lengths in its
// headers say so.
func truncate(f []byte, r *rand.Rand) []byte {
	n := len(Payload(f))
	if n == 0 {
		return nil
	}
	return seal(slices.Clone(f[:headers+r.IntN(n)]))
}

// seal makes lengths and checksums of a UDP frame right again.
func seal(f []byte) []byte {
	binary.BigEndian.PutUint16(f[16:], uint16(len(f)-etherHeader))
	binary.BigEndian.PutUint16(f[38:], uint16(len(f)-etherHeader-ipHeader))
	f[24], f[25], f[40], f[41] = 0, 0, 0, 0 // no UDP checksum: allowed over IPv4
	sum := uint32(0)
	for i := etherHeader; i < etherHeader+ipHeader; i += 2 {
		sum += uint32(binary.BigEndian.Uint16(f[i:]))
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	binary.BigEndian.PutUint16(f[24:], ^uint16(sum))
	return f
}

// UDP makes a frame that carries a UDP packet.
func UDP(srcMAC, dstMAC net.HardwareAddr, src, dst netip.AddrPort, payload []byte) []byte {
	f := make([]byte, headers, headers+len(payload))
	copy(f, dstMAC)
	copy(f[6:], srcMAC)
	binary.BigEndian.PutUint16(f[12:], typeIPv4)
	f[14], f[22], f[23] = 0x45, 64, protoUDP
	s, d := src.Addr().As4(), dst.Addr().As4()
	copy(f[26:], s[:])
	copy(f[30:], d[:])
	binary.BigEndian.PutUint16(f[34:], src.Port())
	binary.BigEndian.PutUint16(f[36:], dst.Port())
	return seal(append(f, payload...))
}
