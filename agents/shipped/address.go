// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package shipped

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/quorate/quorate/agents"
)

// IPaddr2 puts an address on an interface.
func addressActions() map[string]action {
	return map[string]action{
		"start": addressStart, "stop": addressStop, "monitor": addressMonitor, "status": addressMonitor,
		"validate-all": addressValidate, "announce": addressAnnounce,
	}
}

// An address is what the parameters ask for.
type address struct {
	ip        netip.Addr
	nic       string // "" is the one with a route to ip
	bits      int    // -1 is as the route has it
	broadcast netip.Addr
	label     string
	noDAD     bool
	noRoute   bool // noprefixroute
	lifetime  int  // preferred, in seconds; 0 is for ever
	arpCount  int
	arpEvery  time.Duration
	arpInBack bool
}

// address reads the parameters.
func (c *Call) address() (address, error) {
	a := address{bits: -1, noDAD: c.flag("nodad", false), noRoute: c.flag("noprefixroute", false), arpInBack: c.arpInBack()}
	text := c.param("ip", "")
	if text == "" {
		return a, errors.New("parameter ip is not set: give the address, such as 192.0.2.10")
	}
	host, prefix, hasPrefix := strings.Cut(text, "/")
	var err error
	if a.ip, err = netip.ParseAddr(host); err != nil || a.ip.Zone() != "" || a.ip.IsUnspecified() || a.ip.Is4In6() {
		return a, fmt.Errorf("parameter ip: %q is not an address", text)
	}
	if mask := c.param("cidr_netmask", ""); mask != "" {
		prefix, hasPrefix = mask, true
	}
	if hasPrefix {
		if a.bits, err = parseMask(prefix, a.ip.BitLen()); err != nil {
			return a, fmt.Errorf("parameter cidr_netmask: %w", err)
		}
	}
	if b := c.param("broadcast", ""); b != "" {
		if a.broadcast, err = netip.ParseAddr(b); err != nil || !a.broadcast.Is4() || !a.ip.Is4() {
			return a, fmt.Errorf("parameter broadcast: %q is not a broadcast address of %s", b, a.ip)
		}
	}
	var label string
	a.nic, label, _ = strings.Cut(c.param("nic", ""), ":")
	if l := c.param("iflabel", ""); l != "" {
		label = l
	}
	a.label = label
	var good [3]bool
	a.arpCount, good[0] = c.number("arp_count", 5)
	every, ok := c.number("arp_interval", 200)
	good[1], a.arpEvery = ok, time.Duration(min(every, 60_000))*time.Millisecond
	a.lifetime, good[2] = 0, true
	if v := c.param("preferred_lft", "forever"); v != "forever" {
		a.lifetime, good[2] = c.number("preferred_lft", 0)
	}
	for i, name := range []string{"arp_count", "arp_interval", "preferred_lft"} {
		if !good[i] {
			return a, fmt.Errorf("parameter %s: %q is not a number", name, c.param(name, ""))
		}
	}
	a.arpCount = min(a.arpCount, maxAnnounce)
	return a, nil
}

func (c *Call) arpInBack() bool {
	return strings.EqualFold(c.param("arp_bg", "true"), "yes") || c.flag("arp_bg", true)
}

// parseMask reads a prefix length, or for IPv4 a dotted mask.
func parseMask(s string, most int) (int, error) {
	if n, err := strconv.Atoi(s); err == nil {
		if n < 0 || n > most {
			return 0, fmt.Errorf("%d is not from 0 to %d", n, most)
		}
		return n, nil
	}
	ip, err := netip.ParseAddr(s)
	if err != nil || !ip.Is4() || most != 32 {
		return 0, fmt.Errorf("%q is not a prefix length", s)
	}
	b := ip.As4()
	ones, size := net.IPMask(b[:]).Size()
	if size == 0 {
		return 0, fmt.Errorf("%q is not a mask of leading ones", s)
	}
	return ones, nil
}

func addressValidate(_ context.Context, c *Call) agents.ExitCode {
	a, err := c.address()
	if err != nil {
		return c.fail(agents.NotConfigured, "%v", err)
	}
	if a.nic == "" && a.ip.IsLinkLocalUnicast() && a.ip.Is6() {
		return c.fail(agents.NotConfigured, "parameter nic must be set for the link-local address %s", a.ip)
	}
	return agents.OK
}

// holders lists the interfaces that have the address.
func (a address) holders() ([]netlink.Addr, error) {
	list, err := netlink.AddrList(nil, a.family())
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	only := 0
	if a.nic != "" {
		link, err := netlink.LinkByName(a.nic)
		if err != nil {
			return nil, nil //nolint:nilerr // an interface that is not there has no address
		}
		only = link.Attrs().Index
	}
	var found []netlink.Addr
	for _, l := range list {
		ip, ok := netip.AddrFromSlice(l.IP)
		if ok && ip.Unmap() == a.ip && (only == 0 || l.LinkIndex == only) {
			found = append(found, l)
		}
	}
	return found, nil
}

func (a address) family() int {
	if a.ip.Is4() {
		return netlink.FAMILY_V4
	}
	return netlink.FAMILY_V6
}

func addressMonitor(_ context.Context, c *Call) agents.ExitCode {
	a, err := c.address()
	if err != nil {
		return c.fail(agents.NotConfigured, "%v", err)
	}
	found, err := a.holders()
	switch {
	case err != nil:
		return c.fail(agents.GenericError, "%v", err)
	case len(found) == 0:
		return agents.NotRunning
	case found[0].Flags&unix.IFA_F_DADFAILED != 0:
		return c.fail(agents.GenericError, "another machine has %s: duplicate address detection failed", a.ip)
	}
	return agents.OK
}

func addressStart(ctx context.Context, c *Call) agents.ExitCode {
	if rc := addressValidate(ctx, c); rc != agents.OK {
		return rc
	}
	a, _ := c.address()
	found, err := a.holders()
	if err != nil {
		return c.fail(agents.GenericError, "%v", err)
	}
	if len(found) > 0 {
		return agents.OK
	}
	link, bits, err := a.place()
	if err != nil {
		return c.fail(agents.NotConfigured, "%v", err)
	}
	if err := a.add(link, bits); err != nil {
		return c.system(err, "add "+a.ip.String()+" to "+link.Attrs().Name)
	}
	if a.ip.Is6() && !a.noDAD {
		if err := a.awaitUnique(ctx, link); err != nil {
			_ = a.remove(link.Attrs().Index)
			return c.fail(agents.GenericError, "%v", err)
		}
	}
	c.announce(ctx, a, link)
	return agents.OK
}

// system answers for an error of the kernel.
func (c *Call) system(err error, what string) agents.ExitCode {
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		return c.fail(agents.InsufficientPriv, "%s: %v", what, err)
	}
	return c.fail(agents.GenericError, "%s: %v", what, err)
}

// place finds the interface and the prefix length: as told, else of the most
// specific directly connected network that the address is in.
func (a address) place() (netlink.Link, int, error) {
	routes, err := netlink.RouteList(nil, a.family())
	if err != nil {
		return nil, 0, fmt.Errorf("list routes: %w", err)
	}
	var link netlink.Link
	if a.nic != "" {
		if link, err = netlink.LinkByName(a.nic); err != nil {
			return nil, 0, fmt.Errorf("interface %s: %w", a.nic, err)
		}
	}
	index, bits := 0, -1
	for _, r := range routes {
		if r.Dst == nil || r.Gw != nil || r.LinkIndex == 0 || link != nil && r.LinkIndex != link.Attrs().Index {
			continue
		}
		ones, _ := r.Dst.Mask.Size()
		if r.Dst.Contains(a.ip.AsSlice()) && ones > bits && ones > 0 {
			index, bits = r.LinkIndex, ones
		}
	}
	if link == nil {
		if index == 0 {
			return nil, 0, fmt.Errorf("no interface has a network with %s: set parameter nic", a.ip)
		}
		if link, err = netlink.LinkByIndex(index); err != nil {
			return nil, 0, fmt.Errorf("interface %d: %w", index, err)
		}
	}
	switch {
	case a.bits >= 0:
		bits = a.bits
	case bits < 0:
		bits = a.ip.BitLen()
	}
	return link, bits, nil
}

func (a address) add(link netlink.Link, bits int) error {
	name := link.Attrs().Name
	addr := &netlink.Addr{IPNet: &net.IPNet{IP: a.ip.AsSlice(), Mask: net.CIDRMask(bits, a.ip.BitLen())}}
	if a.ip.Is4() {
		if addr.Broadcast = a.broadcast.AsSlice(); !a.broadcast.IsValid() {
			addr.Broadcast = lastOf(addr.IPNet)
		}
		if a.label != "" {
			addr.Label = name + ":" + a.label
			if len(addr.Label) >= unix.IFNAMSIZ {
				return fmt.Errorf("label %s is longer than %d characters", addr.Label, unix.IFNAMSIZ-1)
			}
		}
	}
	if a.noDAD && a.ip.Is6() {
		addr.Flags |= unix.IFA_F_NODAD
	}
	if a.noRoute {
		addr.Flags |= unix.IFA_F_NOPREFIXROUTE
	}
	if a.lifetime > 0 {
		addr.PreferedLft, addr.ValidLft = a.lifetime, int(^uint32(0)>>1)
	}
	if link.Attrs().Flags&net.FlagUp == 0 {
		if err := netlink.LinkSetUp(link); err != nil {
			return fmt.Errorf("set %s up: %w", name, err)
		}
	}
	if err := netlink.AddrAdd(link, addr); err != nil && !errors.Is(err, syscall.EEXIST) {
		return err
	}
	return nil
}

// lastOf is a network's broadcast address, nil where it is too small for one.
func lastOf(n *net.IPNet) net.IP {
	ones, size := n.Mask.Size()
	if size-ones < 2 {
		return nil
	}
	ip := make(net.IP, len(n.IP))
	for i := range ip {
		ip[i] = n.IP[i] | ^n.Mask[i]
	}
	return ip
}

// dadLook is how often a tentative address is looked at.
const dadLook = 20 * time.Millisecond

// awaitUnique waits until the kernel has found no other machine with the address.
func (a address) awaitUnique(ctx context.Context, link netlink.Link) error {
	t := time.NewTicker(dadLook)
	defer t.Stop()
	for {
		found, err := address{ip: a.ip, nic: link.Attrs().Name}.holders()
		switch {
		case err != nil:
			return err
		case len(found) == 0:
			return fmt.Errorf("%s vanished from %s", a.ip, link.Attrs().Name)
		case found[0].Flags&unix.IFA_F_DADFAILED != 0:
			return fmt.Errorf("another machine has %s: duplicate address detection failed", a.ip)
		case found[0].Flags&unix.IFA_F_TENTATIVE == 0:
			return nil
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func addressStop(_ context.Context, c *Call) agents.ExitCode {
	a, err := c.address()
	if err != nil {
		return c.fail(agents.NotConfigured, "%v", err)
	}
	found, err := a.holders()
	if err != nil {
		return c.fail(agents.GenericError, "%v", err)
	}
	for _, f := range found {
		if err := a.remove(f.LinkIndex); err != nil {
			return c.system(err, "remove "+a.ip.String())
		}
	}
	return agents.OK
}

// remove takes the address off an interface.
func (a address) remove(index int) error {
	link, err := netlink.LinkByIndex(index)
	if err != nil {
		return nil //nolint:nilerr // with the interface went the address
	}
	list, err := netlink.AddrList(link, a.family())
	if err != nil {
		return fmt.Errorf("list addresses: %w", err)
	}
	for _, l := range list {
		ip, ok := netip.AddrFromSlice(l.IP)
		if !ok || ip.Unmap() != a.ip {
			continue
		}
		if err := netlink.AddrDel(link, &netlink.Addr{IPNet: l.IPNet, Label: l.Label}); err != nil && !errors.Is(err, syscall.EADDRNOTAVAIL) {
			return err
		}
	}
	return nil
}
