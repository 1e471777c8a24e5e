// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package cables

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strconv"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/test/e2e/lab"
)

// Missing tells why this machine cannot run a network, or "".
func Missing() string {
	if os.Geteuid() != 0 {
		return "network namespaces need root"
	}
	for _, p := range []string{"nsenter", "nft"} {
		if _, err := exec.LookPath(p); err != nil {
			return "the network needs " + p
		}
	}
	return ""
}

// Address is that of a node on a link.
func Address(node, link int, six bool) netip.Addr {
	host := byte(10 + node)
	switch {
	case six:
		return netip.AddrFrom16([16]byte{0: 0x20, 1: 0x01, 2: 0x0d, 3: 0xb8, 7: byte(link), 15: host})
	case link == 0:
		return netip.AddrFrom4([4]byte{198, 51, 100, host})
	}
	return netip.AddrFrom4([4]byte{203, 0, 113, host})
}

// prefix is an address with the length of its net.
func prefix(a netip.Addr) string {
	if a.Is6() {
		return a.String() + "/64"
	}
	return a.String() + "/24"
}

// A space is a network namespace.
type space struct {
	ns netns.NsHandle
	h  *netlink.Handle
}

// newSpace makes a namespace.
func newSpace() (*space, error) {
	ns, err := lab.NewNamespace()
	if err != nil {
		return nil, fmt.Errorf("cables: namespace: %w", err)
	}
	h, err := netlink.NewHandleAt(ns)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("cables: namespace: %w", err), ns.Close())
	}
	s := &space{ns, h}
	return s, s.set("lo", true)
}

func (s *space) close() {
	s.h.Close()
	_ = s.ns.Close()
}

func (s *space) set(name string, up bool) error {
	l, err := s.h.LinkByName(name)
	if err != nil {
		return fmt.Errorf("cables: %s: %w", name, err)
	}
	if up {
		return s.h.LinkSetUp(l)
	}
	return s.h.LinkSetDown(l)
}

func (s *space) address(name string, a netip.Addr, there bool) error {
	l, err := s.h.LinkByName(name)
	if err != nil {
		return fmt.Errorf("cables: %s: %w", name, err)
	}
	addr, err := netlink.ParseAddr(prefix(a))
	if err != nil {
		return fmt.Errorf("cables: %w", err)
	}
	if !there {
		return s.h.AddrDel(l, addr)
	}
	if a.Is6() {
		addr.Flags = unix.IFA_F_NODAD // usable at once
	}
	return s.h.AddrAdd(l, addr)
}

func (s *space) mtu(name string, n int) error {
	l, err := s.h.LinkByName(name)
	if err != nil {
		return fmt.Errorf("cables: %s: %w", name, err)
	}
	return s.h.LinkSetMTU(l, n)
}

// command makes one that runs inside.
func (s *space) command(argv ...string) (*exec.Cmd, func()) {
	f := os.NewFile(uintptr(must(unix.FcntlInt(uintptr(s.ns), unix.F_DUPFD_CLOEXEC, 3))), "namespace")
	cmd := exec.Command("nsenter", append([]string{"--net=/proc/self/fd/3", "--"}, argv...)...)
	cmd.ExtraFiles = []*os.File{f}
	return cmd, func() { _ = f.Close() }
}

func must(n int, err error) int {
	if err != nil {
		panic(err)
	}
	return n
}

// run runs a command inside.
func (s *space) run(argv ...string) error {
	cmd, done := s.command(argv...)
	defer done()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("cables: %v: %w: %s", argv, err, out)
	}
	return nil
}

// wire connects a node's interface to the switch of a link.
func wire(hub, node *space, number, link int) error {
	bridge, err := hub.h.LinkByName(switchName(link))
	if err != nil {
		return fmt.Errorf("cables: %w", err)
	}
	cable := &netlink.Veth{
		LinkAttrs: netlink.LinkAttrs{Name: plugName(number, link), MasterIndex: bridge.Attrs().Index, MTU: cableMTU},
		PeerName:  ifaceName(link), PeerMTU: cableMTU, PeerNamespace: netlink.NsFd(node.ns),
	}
	if err := hub.h.LinkAdd(cable); err != nil {
		return fmt.Errorf("cables: %w", err)
	}
	return errors.Join(singly(hub, plugName(number, link)), singly(node, ifaceName(link)),
		hub.set(plugName(number, link), true), node.set(ifaceName(link), true))
}

// singly makes a cable carry packets one by one, not in trains: rules look at the
// size of each.
func singly(s *space, name string) error {
	l, err := s.h.LinkByName(name)
	if err != nil {
		return fmt.Errorf("cables: %s: %w", name, err)
	}
	return s.h.LinkSetGSOMaxSegs(l, 1)
}

// cableMTU is what cables take before anything makes them narrower.
const cableMTU = 9000

func newSwitch(hub *space, link int) error {
	snooping := false // groups work without a querier
	b := &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: switchName(link), MTU: cableMTU}, MulticastSnooping: &snooping}
	if err := hub.h.LinkAdd(b); err != nil {
		return fmt.Errorf("cables: %w", err)
	}
	return hub.set(switchName(link), true)
}

func switchName(link int) string       { return "br" + strconv.Itoa(link) }
func plugName(number, link int) string { return fmt.Sprintf("n%dl%d", number, link) }
func ifaceName(link int) string        { return "eth" + strconv.Itoa(link) }
func nodeName(number int) string       { return "node" + strconv.Itoa(number) }
