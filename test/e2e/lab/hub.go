// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
)

// The addresses are from TEST-NET-2; they exist in the hub and the nodes only.
const (
	hubAddress = "198.51.100.1/24"
	bridgeName = "br0"
)

// NodeAddress is the address of node i, counted from 1.
func NodeAddress(i int) netip.Addr { return netip.AddrFrom4([4]byte{198, 51, 100, byte(10 + i)}) }

// A hub is the switch that the nodes hang on, in a network namespace of its own.
type hub struct {
	ns     netns.NsHandle
	links  *netlink.Handle
	bridge *netlink.Bridge
}

func newHub() (*hub, error) {
	ns, err := NewNamespace()
	if err != nil {
		return nil, fmt.Errorf("lab: network namespace: %w", err)
	}
	h := &hub{ns: ns, bridge: &netlink.Bridge{LinkAttrs: netlink.LinkAttrs{Name: bridgeName}}}
	if h.links, err = netlink.NewHandleAt(ns); err != nil {
		h.close()
		return nil, fmt.Errorf("lab: hub: %w", err)
	}
	snooping := false // nodes use multicast without a querier
	h.bridge.MulticastSnooping = &snooping
	if err := errors.Join(h.links.LinkAdd(h.bridge), setUp(h.links, "lo"), h.address(), setUp(h.links, bridgeName)); err != nil {
		h.close()
		return nil, fmt.Errorf("lab: hub: %w", err)
	}
	return h, nil
}

// NewNamespace makes a network namespace on a thread that then ends, so that no
// other goroutine ever runs in it.
func NewNamespace() (netns.NsHandle, error) {
	type result struct {
		ns  netns.NsHandle
		err error
	}
	done := make(chan result)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		ns, err := netns.New()
		done <- result{ns, err}
	}()
	r := <-done
	return r.ns, r.err
}

func setUp(h *netlink.Handle, name string) error {
	link, err := h.LinkByName(name)
	if err != nil {
		return err
	}
	return h.LinkSetUp(link)
}

func addAddress(h *netlink.Handle, name, cidr string) error {
	link, err := h.LinkByName(name)
	if err != nil {
		return err
	}
	addr, err := netlink.ParseAddr(cidr)
	if err != nil {
		return err
	}
	return h.AddrAdd(link, addr)
}

func (h *hub) address() error { return addAddress(h.links, bridgeName, hubAddress) }

func (h *hub) close() {
	if h.links != nil {
		h.links.Close()
	}
	h.ns.Close()
}

// plug makes a cable from the bridge to the network namespace of a process.
func (h *hub) plug(name string, pid int) error {
	h.unplug(name)
	cable := &netlink.Veth{
		LinkAttrs:     netlink.LinkAttrs{Name: name, MasterIndex: h.bridge.Index},
		PeerName:      "eth0",
		PeerNamespace: netlink.NsPid(pid),
	}
	if err := h.links.LinkAdd(cable); err != nil {
		return fmt.Errorf("lab: cable of %s: %w", name, err)
	}
	return setUp(h.links, name)
}

func (h *hub) unplug(name string) {
	if link, err := h.links.LinkByName(name); err == nil {
		_ = h.links.LinkDel(link)
	}
}

// carrier pulls the plug of a cable (its node sees no carrier) or puts it in.
func (h *hub) carrier(name string, on bool) error {
	link, err := h.links.LinkByName(name)
	if err != nil {
		return fmt.Errorf("lab: cable of %s: %w", name, err)
	}
	if on {
		return h.links.LinkSetUp(link)
	}
	return h.links.LinkSetDown(link)
}

// join takes a cable out of the bridge (its node notices nothing at once) or
// puts it back.
func (h *hub) join(name string, on bool) error {
	link, err := h.links.LinkByName(name)
	if err != nil {
		return fmt.Errorf("lab: cable of %s: %w", name, err)
	}
	if on {
		return h.links.LinkSetMaster(link, h.bridge)
	}
	return h.links.LinkSetNoMaster(link)
}

// dial connects from the hub, as a client on the nodes' network. The address
// must be literal: the socket is made on this goroutine's thread.
func (h *hub) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if _, err := netip.ParseAddrPort(address); err != nil {
		return nil, fmt.Errorf("lab: %w", err)
	}
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1)
	go func() {
		runtime.LockOSThread() // not unlocked: the thread stays in the hub and ends
		if err := netns.Set(h.ns); err != nil {
			done <- result{nil, err}
			return
		}
		conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
		done <- result{conn, err}
	}()
	r := <-done
	return r.conn, r.err
}
