// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package transport

import (
	"encoding/binary"
	"errors"
	"net"
	"unsafe"

	"golang.org/x/sys/unix"
)

// controlSize is the room for the control data of one received message.
const controlSize = 128

// canSegment tells whether the kernel cuts one message into many packets
// (UDP_SEGMENT), and asks it to join received ones (UDP_GRO), which it may do
// without the other side's knowing.
func canSegment(c *net.UDPConn) bool {
	rc, err := c.SyscallConn()
	if err != nil {
		return false
	}
	ok := false
	_ = rc.Control(func(fd uintptr) {
		_, err := unix.GetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_SEGMENT)
		ok = err == nil
		_ = unix.SetsockoptInt(int(fd), unix.SOL_UDP, unix.UDP_GRO, 1)
	})
	return ok
}

// segmentControl is the control data that names the packets' length.
func segmentControl(size int) []byte {
	b := make([]byte, unix.CmsgSpace(2))
	h := (*unix.Cmsghdr)(unsafe.Pointer(&b[0])) //nolint:gosec // the layout is the kernel's
	h.Level, h.Type = unix.SOL_UDP, unix.UDP_SEGMENT
	h.SetLen(unix.CmsgLen(2))
	binary.NativeEndian.PutUint16(b[unix.CmsgLen(0):], uint16(size))
	return b
}

// segmentSize reads the packets' length from the control data of a received
// message; a message without is one packet.
func segmentSize(oob []byte, whole int) int {
	if len(oob) == 0 {
		return max(whole, 1)
	}
	ms, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return max(whole, 1)
	}
	for _, m := range ms {
		if m.Header.Level == unix.SOL_UDP && m.Header.Type == unix.UDP_GRO && len(m.Data) >= 4 {
			if n := int(binary.NativeEndian.Uint32(m.Data)); n > 0 {
				return n
			}
		}
	}
	return max(whole, 1)
}

// refusesTrains tells whether an error means that this socket's way does not
// take trains: a device without checksums, or packets above its MTU.
func refusesTrains(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EIO) || errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.EOPNOTSUPP)
}
