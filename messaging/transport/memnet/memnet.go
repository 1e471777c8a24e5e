// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

// Package memnet is a network within one process, for tests: each node's wire
// hands packets to the others' handlers by one goroutine per node, in order, and
// a filter may lose them.
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

// Attach adds a node.
func (h *Hub) Attach(addr netip.Addr, handler transport.Handler) *Wire {
	w := &Wire{hub: h, addr: addr, in: make(chan transport.Packet, queueLen), done: make(chan struct{})}
	h.mu.Lock()
	h.nodes[addr] = w
	h.mu.Unlock()
	w.wg.Add(1)
	go w.pump(handler)
	return w
}

// A Wire is one node's end.
type Wire struct {
	hub  *Hub
	addr netip.Addr
	in   chan transport.Packet
	done chan struct{}
	once sync.Once
	wg   sync.WaitGroup
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
		for addr, n := range w.hub.nodes {
			if addr == w.addr || d.To.IsValid() && d.To.Addr() != addr {
				continue
			}
			if w.hub.drop != nil && w.hub.drop(w.addr, addr) {
				continue
			}
			p := transport.Packet{Link: d.Link, Src: netip.AddrPortFrom(w.addr, 5405), Data: append([]byte(nil), d.Data...)}
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
		if w.hub.nodes[w.addr] == w {
			delete(w.hub.nodes, w.addr)
		}
		w.hub.mu.Unlock()
		close(w.done)
	})
	w.wg.Wait()
	return nil
}
