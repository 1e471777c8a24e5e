// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package transport

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"

	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
	"golang.org/x/sys/unix"
)

// bind makes a socket. It does so by hand because package net binds to the
// wildcard address where a group is asked for, which collides with the unicast
// socket of the same port.
func bind(at netip.AddrPort, group bool, dscp int) (net.PacketConn, error) {
	family, sa := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Port: int(at.Port()), Addr: v4of(at.Addr())})
	if at.Addr().Is6() {
		family, sa = unix.AF_INET6, &unix.SockaddrInet6{Port: int(at.Port()), Addr: at.Addr().As16()}
	}
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, unix.IPPROTO_UDP)
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "udp "+at.String())
	defer func() { _ = f.Close() }() // the connection has a descriptor of its own
	if err := setOptions(fd, at.Addr().Is4(), group); err != nil {
		return nil, err
	}
	if dscp != 0 {
		if err := mark(fd, at.Addr().Is4(), dscp); err != nil {
			return nil, err
		}
	}
	if err := unix.Bind(fd, sa); err != nil {
		return nil, err
	}
	return net.FilePacketConn(f)
}

// mark sets the code point of what a socket sends, which is the upper six bits
// of a byte of the header.
func mark(fd int, v4 bool, dscp int) error {
	if v4 {
		return unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_TOS, dscp<<2)
	}
	return unix.SetsockoptInt(fd, unix.SOL_IPV6, unix.IPV6_TCLASS, dscp<<2)
}

func v4of(a netip.Addr) (b [4]byte) {
	if a.Is4() {
		b = a.As4()
	}
	return b
}

func newBatcher(c *net.UDPConn, v4 bool) batcher {
	if v4 {
		return ipv4.NewPacketConn(c)
	}
	return ipv6.NewPacketConn(c)
}

// setOptions prepares a socket before it is bound: it may bind to an address
// that is not there yet, and it hears what other kernels answer.
func setOptions(fd int, v4, group bool) error {
	var errs []error
	level, recverr, freebind, discover, probe := unix.SOL_IP, unix.IP_RECVERR, unix.IP_FREEBIND, unix.IP_MTU_DISCOVER, unix.IP_PMTUDISC_PROBE
	if !v4 {
		level, recverr, freebind, discover, probe = unix.SOL_IPV6, unix.IPV6_RECVERR, unix.IPV6_FREEBIND, unix.IPV6_MTU_DISCOVER, unix.IPV6_PMTUDISC_PROBE
		errs = append(errs, unix.SetsockoptInt(fd, level, unix.IPV6_V6ONLY, 1))
	}
	errs = append(errs, unix.SetsockoptInt(fd, level, freebind, 1))
	if group {
		return errors.Join(append(errs, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))...)
	}
	errs = append(errs, unix.SetsockoptInt(fd, level, recverr, 1))
	// No kernel cuts our packets: where one is too large the link finds the size
	// that passes, and packets are cut before they are sealed.
	errs = append(errs, unix.SetsockoptInt(fd, level, discover, probe))
	// A hint to the queues of the machine, which may be refused.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_PRIORITY, 6)
	return errors.Join(errs...)
}

// enlarge asks for big kernel queues, beyond the system's limit where that is
// allowed.
func enlarge(c *net.UDPConn) {
	_ = c.SetReadBuffer(socketBytes)
	_ = c.SetWriteBuffer(socketBytes)
	rc, err := c.SyscallConn()
	if err != nil {
		return
	}
	_ = rc.Control(func(fd uintptr) {
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_RCVBUFFORCE, socketBytes)
		_ = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_SNDBUFFORCE, socketBytes)
	})
}

// interfaceOf finds the interface that has an address.
func interfaceOf(a netip.Addr) (*net.Interface, error) {
	ifs, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for i := range ifs {
		addrs, err := ifs[i].Addrs()
		if err != nil {
			continue
		}
		for _, x := range addrs {
			if p, err := netip.ParsePrefix(x.String()); err == nil && (p.Addr().Unmap() == a || a.IsLoopback() && p.Addr().IsLoopback()) {
				return &ifs[i], nil
			}
		}
	}
	return nil, fmt.Errorf("no interface has the address %s", a)
}

// setMulticastSender chooses interface and reach of what a socket sends to its
// group. Own packets come back only on the loopback interface, where several
// nodes may share a machine.
func setMulticastSender(s *socket) error {
	ifi, err := interfaceOf(s.cfg.Bind.Addr())
	if err != nil {
		return err
	}
	loop := s.cfg.Bind.Addr().IsLoopback()
	if s.cfg.Bind.Addr().Is4() {
		p := ipv4.NewPacketConn(s.conn)
		return errors.Join(p.SetMulticastInterface(ifi), p.SetMulticastTTL(s.cfg.TTL), p.SetMulticastLoopback(loop))
	}
	p := ipv6.NewPacketConn(s.conn)
	return errors.Join(p.SetMulticastInterface(ifi), p.SetMulticastHopLimit(s.cfg.TTL), p.SetMulticastLoopback(loop))
}

// joiner gives a function that makes a group's socket a member, which it may be
// already.
func joiner(s *socket) func() error {
	group := &net.UDPAddr{IP: s.cfg.Group.Addr().AsSlice()}
	return func() error {
		ifi, err := interfaceOf(s.cfg.Bind.Addr())
		if err != nil {
			return err
		}
		if s.cfg.Group.Addr().Is4() {
			err = ipv4.NewPacketConn(s.conn).JoinGroup(ifi, group)
		} else {
			err = ipv6.NewPacketConn(s.conn).JoinGroup(ifi, group)
		}
		if errors.Is(err, unix.EADDRINUSE) {
			return nil
		}
		return err
	}
}

// isPending tells whether an error may stem from an ICMP answer to an earlier
// packet.
func isPending(err error) bool {
	return errors.Is(err, unix.ECONNREFUSED) || errors.Is(err, unix.EHOSTUNREACH) || errors.Is(err, unix.ENETUNREACH) ||
		errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.EPROTO) || errors.Is(err, unix.ENOPROTOOPT) || errors.Is(err, unix.EACCES)
}

// maxErrors bounds the answers read at once.
const maxErrors = 64

// An answer is what a kernel said of a packet to dst: that nobody is at the
// port, or, where size is set, that it was too large.
type answer struct {
	dst  netip.Addr
	size int
}

// drainErrors empties a socket's error queue.
func drainErrors(c *net.UDPConn) []answer {
	rc, err := c.SyscallConn()
	if err != nil {
		return nil
	}
	var out []answer
	_ = rc.Control(func(fd uintptr) {
		oob, data := make([]byte, 512), make([]byte, 64)
		for range maxErrors {
			_, n, _, to, err := unix.Recvmsg(int(fd), data, oob, unix.MSG_ERRQUEUE|unix.MSG_DONTWAIT)
			if err != nil {
				return
			}
			dst, ok := sockAddr(to)
			if size, told := parseError(oob[:n]); ok && told {
				out = append(out, answer{dst, size})
			}
		}
	})
	return out
}

func sockAddr(sa unix.Sockaddr) (netip.Addr, bool) {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrFrom4(sa.Addr), true
	case *unix.SockaddrInet6:
		return netip.AddrFrom16(sa.Addr).Unmap(), true
	}
	return netip.Addr{}, false
}

// parseError reads the control data of an error: "port unreachable" gives size
// 0, "too large" the size that passes. Errno and origin lead the kernel's
// sock_extended_err, info is its third word.
func parseError(oob []byte) (size int, ok bool) {
	ms, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return 0, false
	}
	for _, m := range ms {
		v4 := m.Header.Level == unix.SOL_IP && m.Header.Type == unix.IP_RECVERR
		v6 := m.Header.Level == unix.SOL_IPV6 && m.Header.Type == unix.IPV6_RECVERR
		if !v4 && !v6 || len(m.Data) < 12 {
			continue
		}
		remote := m.Data[4] == unix.SO_EE_ORIGIN_ICMP || m.Data[4] == unix.SO_EE_ORIGIN_ICMP6
		switch unix.Errno(binary.NativeEndian.Uint32(m.Data)) {
		case unix.ECONNREFUSED:
			return 0, remote
		case unix.EMSGSIZE:
			size = int(min(binary.NativeEndian.Uint32(m.Data[8:]), maxSize))
			return size, size > 0 && (remote || m.Data[4] == unix.SO_EE_ORIGIN_LOCAL)
		}
	}
	return 0, false
}

// maxSize is the largest size of a packet that is believed.
const maxSize = 1 << 16
