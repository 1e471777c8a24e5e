// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package memnet

import (
	"net/netip"
	"sync"

	"github.com/quorate/quorate/messaging/transport"
)

// queueLen bounds the packets on their way to one node; more are lost.
const queueLen = 4096

// A Hub connects wires.
type Hub struct {
	mu    sync.Mutex
	nodes map[netip.Addr]*Wire           // guarded by mu
	drop  func(src, dst netip.Addr) bool // guarded by mu
}

// NewHub makes a network without nodes.
func NewHub() *Hub { return &Hub{nodes: map[netip.Addr]*Wire{}} }

// SetDrop installs a filter that tells which packets are lost; nil loses none.
func (h *Hub) SetDrop(f func(src, dst netip.Addr) bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.drop = f
}

// Attach adds a node with one address for each link, in the order of the links.
func (h *Hub) Attach(handler transport.Handler, addrs ...netip.Addr) *Wire {
	w := &Wire{hub: h, addrs: addrs, in: make(chan transport.Packet, queueLen), done: make(chan struct{})}
	h.mu.Lock()
	for _, a := range addrs {
		h.nodes[a] = w
	}
	h.mu.Unlock()
	w.wg.Add(1)
	go w.pump(handler)
	return w
}

// A Wire is one node's end.
type Wire struct {
	hub   *Hub
	addrs []netip.Addr
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
			handler.Receive([]transport.Packet{p})
		}
	}
}

// Send hands packets to the other nodes, or to all where To is not valid.
func (w *Wire) Send(batch []transport.Datagram) {
	w.hub.mu.Lock()
	defer w.hub.mu.Unlock()
	for _, d := range batch {
		src := w.addrs[d.Link]
		for addr, n := range w.hub.nodes {
			if n == w || d.Link >= len(n.addrs) || n.addrs[d.Link] != addr || d.To.IsValid() && d.To.Addr() != addr {
				continue
			}
			if w.hub.drop != nil && w.hub.drop(src, addr) {
				continue
			}
			p := transport.Packet{Link: d.Link, Src: netip.AddrPortFrom(src, 5405), Data: append([]byte(nil), d.Data...)}
			select {
			case n.in <- p:
			default:
			}
		}
	}
}

// Stats counts nothing.
func (w *Wire) Stats() transport.Stats { return transport.Stats{} }

// Close takes the node off the network.
func (w *Wire) Close() error {
	w.once.Do(func() {
		w.hub.mu.Lock()
		for _, a := range w.addrs {
			if w.hub.nodes[a] == w {
				delete(w.hub.nodes, a)
			}
		}
		w.hub.mu.Unlock()
		close(w.done)
	})
	w.wg.Wait()
	return nil
}
