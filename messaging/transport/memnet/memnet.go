// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package memnet

import (
	"errors"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"github.com/quorate/quorate/messaging/transport"
)

var _ transport.Rewirer = (*Wire)(nil)

// queueLen bounds the packets on their way to one node; more are lost.
const queueLen = 4096

// A Hub connects wires.
type Hub struct {
	// Delay is the time that a node's end takes for each packet. It is set before
	// nodes are attached. Without it a ring goes round for ever in no time while
	// packets are lost, where time is the test's.
	Delay time.Duration

	mu    sync.Mutex
	nodes map[netip.Addr]end             // guarded by mu
	drop  func(src, dst netip.Addr) bool // guarded by mu
	mtu   func(src, dst netip.Addr) int  // guarded by mu
}

// An end is where an address leads.
type end struct {
	wire *Wire
	link int
}

// NewHub makes a network without nodes.
func NewHub() *Hub { return &Hub{nodes: map[netip.Addr]end{}} }

// SetDrop installs a filter that tells which packets are lost; nil loses none.
func (h *Hub) SetDrop(f func(src, dst netip.Addr) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop = f
}

// SetMTU installs a filter that tells how large packets may be, with the headers
// that they would have; larger ones are lost. Nil bounds nothing.
func (h *Hub) SetMTU(f func(src, dst netip.Addr) int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.mtu = f
}

// headers are those of IPv4 and UDP.
const headers = 28

// Attach adds a node with one address for each link, in the order of the links.
func (h *Hub) Attach(handler transport.Handler, addrs ...netip.Addr) *Wire {
	w := &Wire{hub: h, addrs: map[int]netip.Addr{}, in: make(chan transport.Packet, queueLen), done: make(chan struct{})}
	h.mu.Lock()
	for l, a := range addrs {
		w.addrs[l] = a
		h.nodes[a] = end{w, l}
	}
	h.mu.Unlock()
	w.wg.Add(1)
	go w.pump(handler)
	return w
}

// A Wire is one node's end.
type Wire struct {
	hub   *Hub
	addrs map[int]netip.Addr // guarded by hub.mu; to send from, by link
	in    chan transport.Packet
	done  chan struct{}
	once  sync.Once
	wg    sync.WaitGroup
}

func (w *Wire) pump(handler transport.Handler) {
	defer w.wg.Done()
	for {
		select {
		case <-w.done:
			return
		case p := <-w.in:
			if w.hub.Delay > 0 {
				<-time.After(w.hub.Delay)
			}
			handler.Receive([]transport.Packet{p})
		}
	}
}

// Send hands packets to the other nodes, or to all where To is not valid.
func (w *Wire) Send(batch []transport.Datagram) {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	for _, d := range batch {
		src, ok := w.addrs[d.Link]
		if !ok {
			continue
		}
		for addr, n := range w.hub.nodes {
			if n.wire == w || n.link != d.Link || d.To.IsValid() && d.To.Addr() != addr {
				continue
			}
			if w.hub.drop != nil && w.hub.drop(src, addr) {
				continue
			}
			if w.hub.mtu != nil && len(d.Data)+headers > w.hub.mtu(src, addr) {
				continue
			}
			p := transport.Packet{Link: d.Link, Src: netip.AddrPortFrom(src, 5405), Data: append([]byte(nil), d.Data...)}
			select {
			case n.wire.in <- p:
			default:
			}
		}
	}
}

// ErrTaken tells that an address belongs to another node.
var ErrTaken = errors.New("memnet: address in use")

// Stage listens at the addresses of these links as well.
func (w *Wire) Stage(links []transport.LinkConfig) error {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	for _, l := range links {
		if n, ok := w.hub.nodes[l.Bind.Addr()]; ok && n.wire != w {
			return fmt.Errorf("%w: %s", ErrTaken, l.Bind.Addr())
		}
	}
	w.retireLocked()
	for _, l := range links {
		w.hub.nodes[l.Bind.Addr()] = end{w, l.Link}
	}
	return nil
}

// Switch sends from the addresses of these links.
func (w *Wire) Switch(links []transport.LinkConfig) {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	clear(w.addrs)
	for _, l := range links {
		w.addrs[l.Link] = l.Bind.Addr()
	}
}

// Retire listens no more at addresses that nothing is sent from.
func (w *Wire) Retire() error {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	w.retireLocked()
	return nil
}

func (w *Wire) retireLocked() {
	for a, n := range w.hub.nodes {
		if n.wire == w && w.addrs[n.link] != a {
			delete(w.hub.nodes, a)
		}
	}
}

// Stats counts nothing.
func (w *Wire) Stats() transport.Stats { return transport.Stats{} }

// Close takes the node off the network.
func (w *Wire) Close() error {
	w.once.Do(func() {
		w.hub.mu.Lock()
		for a, n := range w.hub.nodes {
			if n.wire == w {
				delete(w.hub.nodes, a)
			}
		}
		w.hub.mu.Unlock()
		close(w.done)
	})
	w.wg.Wait()
	return nil
}
