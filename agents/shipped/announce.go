// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package shipped

import (
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"os"
	osexec "os/exec"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/agents"
)

// maxAnnounce bounds how often an address is announced.
const maxAnnounce = 100

// announce tells the network where the address is now: once before the start is
// done, so that traffic moves at once, then some more times, since announcements
// get lost, by a process of its own if the parameters allow.
func (c *Call) announce(ctx context.Context, a address, link netlink.Link) {
	attrs := link.Attrs()
	if a.arpCount == 0 || attrs.Flags&net.FlagLoopback != 0 || len(attrs.HardwareAddr) != macLen {
		return
	}
	if err := sendAnnouncement(attrs.Index, attrs.HardwareAddr, a.ip); err != nil {
		c.log("%v", err)
		return
	}
	if a.arpCount == 1 {
		return
	}
	if !a.arpInBack {
		c.repeat(ctx, a, attrs.Index, attrs.HardwareAddr)
		return
	}
	self, err := os.Executable()
	if err != nil {
		c.log("no announcements in the background: %v", err)
		return
	}
	// Not of ctx: it goes on after this process has ended.
	cmd := osexec.Command(self, "ocf", "IPaddr2", "announce") //nolint:noctx // see above
	cmd.Env = append(os.Environ(), "OCF_RESKEY_nic="+attrs.Name, "QUORATE_EXECUTOR=")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		c.log("no announcements in the background: %v", err)
		return
	}
	_ = cmd.Process.Release()
}

// addressAnnounce is the background process.
func addressAnnounce(ctx context.Context, c *Call) agents.ExitCode {
	a, err := c.address()
	if err != nil {
		return c.fail(agents.NotConfigured, "%v", err)
	}
	link, _, err := a.place()
	if err != nil {
		return c.fail(agents.NotConfigured, "%v", err)
	}
	c.repeat(ctx, a, link.Attrs().Index, link.Attrs().HardwareAddr)
	return agents.OK
}

// repeat announces the address again, as long as it is here: after it has moved
// on, an announcement would take it from its new place.
func (c *Call) repeat(ctx context.Context, a address, index int, mac net.HardwareAddr) {
	t := time.NewTicker(max(a.arpEvery, time.Millisecond))
	defer t.Stop()
	for range a.arpCount - 1 {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		if found, err := a.holders(); err != nil || len(found) == 0 {
			return
		}
		if err := sendAnnouncement(index, mac, a.ip); err != nil {
			c.log("%v", err)
			return
		}
	}
}

const macLen = 6

func sendAnnouncement(index int, mac net.HardwareAddr, ip netip.Addr) error {
	if ip.Is4() {
		return sendARP(index, mac, ip)
	}
	return sendNeighbourAdvertisement(index, mac, ip)
}

// The two operations of ARP; some hosts take note of the one, some of the other.
const (
	arpRequest = 1
	arpReply   = 2
)

var etherBroadcast = [8]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}

// arpPacket is a gratuitous ARP packet: the sender asks for, or answers with,
// its own address.
func arpPacket(op uint16, mac net.HardwareAddr, ip netip.Addr) []byte {
	p := make([]byte, 28)
	binary.BigEndian.PutUint16(p[0:], 1) // Ethernet
	binary.BigEndian.PutUint16(p[2:], unix.ETH_P_IP)
	p[4], p[5] = macLen, 4
	binary.BigEndian.PutUint16(p[6:], op)
	addr := ip.As4()
	copy(p[8:], mac)
	copy(p[14:], addr[:])
	if op == arpReply {
		copy(p[18:], mac)
	}
	copy(p[24:], addr[:])
	return p
}

func sendARP(index int, mac net.HardwareAddr, ip netip.Addr) error {
	proto := binary.BigEndian.Uint16(binary.NativeEndian.AppendUint16(nil, unix.ETH_P_ARP))
	fd, err := unix.Socket(unix.AF_PACKET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, int(proto))
	if err != nil {
		return fmt.Errorf("announce %s: %w", ip, err)
	}
	defer func() { _ = unix.Close(fd) }()
	to := &unix.SockaddrLinklayer{Protocol: proto, Ifindex: index, Halen: macLen, Addr: etherBroadcast}
	for _, op := range []uint16{arpRequest, arpReply} {
		if err := unix.Sendto(fd, arpPacket(op, mac, ip), 0, to); err != nil {
			return fmt.Errorf("announce %s: %w", ip, err)
		}
	}
	return nil
}

// advertisement is an unsolicited neighbour advertisement that overrides what
// neighbours remember; the kernel fills in the checksum.
func advertisement(mac net.HardwareAddr, ip netip.Addr) []byte {
	p := make([]byte, 24, 32)
	p[0] = 136  // neighbour advertisement
	p[4] = 0x20 // override
	addr := ip.As16()
	copy(p[8:], addr[:])
	p = append(p, 2, 1) // option: target link-layer address, 8 bytes
	return append(p, mac...)
}

func sendNeighbourAdvertisement(index int, mac net.HardwareAddr, ip netip.Addr) error {
	fd, err := unix.Socket(unix.AF_INET6, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_ICMPV6)
	if err != nil {
		return fmt.Errorf("announce %s: %w", ip, err)
	}
	defer func() { _ = unix.Close(fd) }()
	const hops = 255 // receivers drop any other
	for _, set := range []func() error{
		func() error { return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, hops) },
		func() error { return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_IF, index) },
		func() error {
			from := &unix.SockaddrInet6{Addr: ip.As16()}
			if ip.IsLinkLocalUnicast() {
				from.ZoneId = uint32(index)
			}
			return unix.Bind(fd, from)
		},
		func() error {
			all := &unix.SockaddrInet6{Addr: netip.MustParseAddr("ff02::1").As16(), ZoneId: uint32(index)}
			return unix.Sendto(fd, advertisement(mac, ip), 0, all)
		},
	} {
		if err := set(); err != nil {
			return fmt.Errorf("announce %s: %w", ip, err)
		}
	}
	return nil
}
