// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package heuristics

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strconv"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"
)

// echoEvery is the time between two echo requests to one address.
const echoEvery = 500 * time.Millisecond

// Echo sends echo requests to an address until it answers or ctx is done.
func Echo(ctx context.Context, addr netip.Addr) error {
	conn, datagram, err := open(addr)
	if errors.Is(err, fs.ErrPermission) {
		return program(ctx, addr)
	}
	if err != nil {
		return fmt.Errorf("heuristics: socket for echo requests: %w", err)
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	var to net.Addr = &net.IPAddr{IP: addr.AsSlice(), Zone: addr.Zone()}
	if datagram {
		to = &net.UDPAddr{IP: addr.AsSlice(), Zone: addr.Zone()}
	}
	id := os.Getpid() & 0xffff
	for seq := 1; ctx.Err() == nil; seq++ {
		if err := request(conn, to, addr, id, seq); err != nil {
			return err
		}
		_ = conn.SetReadDeadline(time.Now().Add(echoEvery))
		if answered(conn, addr, id, datagram) {
			return nil
		}
	}
	return fmt.Errorf("heuristics: %s does not answer: %w", addr, ctx.Err())
}

// open makes the socket: an unprivileged one (datagram) if the kernel lets us.
func open(addr netip.Addr) (conn *icmp.PacketConn, datagram bool, err error) {
	names := [2]string{"udp4", "ip4:icmp"}
	any := "0.0.0.0"
	if addr.Is6() {
		names, any = [2]string{"udp6", "ip6:ipv6-icmp"}, "::"
	}
	if conn, err = icmp.ListenPacket(names[0], any); err == nil {
		return conn, true, nil
	}
	conn, err = icmp.ListenPacket(names[1], any)
	return conn, false, err
}

func request(conn *icmp.PacketConn, to net.Addr, addr netip.Addr, id, seq int) error {
	var typ icmp.Type = ipv4.ICMPTypeEcho
	if addr.Is6() {
		typ = ipv6.ICMPTypeEchoRequest
	}
	m := icmp.Message{Type: typ, Body: &icmp.Echo{ID: id, Seq: seq, Data: []byte("quorate heuristics")}}
	b, err := m.Marshal(nil)
	if err != nil {
		return fmt.Errorf("heuristics: echo request: %w", err)
	}
	if _, err := conn.WriteTo(b, to); err != nil {
		return fmt.Errorf("heuristics: echo request to %s: %w", addr, err)
	}
	return nil
}

// answered reads until the address has answered or the deadline has come.
func answered(conn *icmp.PacketConn, addr netip.Addr, id int, datagram bool) bool {
	proto := 1
	if addr.Is6() {
		proto = 58
	}
	buf := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(buf)
		if err != nil {
			return false
		}
		m, err := icmp.ParseMessage(proto, buf[:n])
		if err != nil || m.Type != ipv4.ICMPTypeEchoReply && m.Type != ipv6.ICMPTypeEchoReply {
			continue
		}
		echo, ok := m.Body.(*icmp.Echo)
		// The kernel gives unprivileged sockets their own id and only their answers.
		if ok && (datagram || echo.ID == id) && sourceOf(from) == addr.WithZone("") {
			return true
		}
	}
}

func sourceOf(a net.Addr) netip.Addr {
	var ip net.IP
	switch a := a.(type) {
	case *net.UDPAddr:
		ip = a.IP
	case *net.IPAddr:
		ip = a.IP
	}
	out, _ := netip.AddrFromSlice(ip)
	return out.Unmap()
}

// program asks the ping program, which may do what we may not.
func program(ctx context.Context, addr netip.Addr) error {
	wait := 1
	if at, ok := ctx.Deadline(); ok {
		wait = max(int(time.Until(at)/time.Second), 1)
	}
	for _, path := range []string{"/bin/ping", "/usr/bin/ping"} {
		if _, err := os.Stat(path); err == nil {
			return execute(ctx, []string{path, "-n", "-q", "-c", "1", "-w", strconv.Itoa(wait), addr.String()})
		}
	}
	return errors.New("heuristics: echo requests are not allowed and there is no ping program")
}
