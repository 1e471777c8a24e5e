// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sim

import "time"

// Faults say how a network treats packets. Probabilities are of each packet.
type Faults struct {
	Loss      float64
	Duplicate float64
	// MinDelay and MaxDelay bound the usual delay. Packets overtake each other
	// as the delays fall.
	MinDelay, MaxDelay time.Duration
	// Late is the probability of a delay of up to LateBy.
	Late   float64
	LateBy time.Duration
}

// A Network joins hosts 0 … n−1.
type Network struct {
	world  *World
	hosts  []*Host
	cut    [][]bool
	faults Faults
	// Recv is called on the receiving host.
	Recv func(from, to int, packet []byte)
	// Drop, if set, is asked first for each packet: a targeted adversary.
	Drop func(from, to int, packet []byte) bool
	// Sent and Lost count packets.
	Sent, Lost uint64
}

// NewNetwork makes a network between the hosts.
func NewNetwork(w *World, hosts []*Host) *Network {
	n := &Network{world: w, hosts: hosts, cut: make([][]bool, len(hosts))}
	for i := range n.cut {
		n.cut[i] = make([]bool, len(hosts))
	}
	return n
}

// SetFaults says how packets are treated from now on.
func (n *Network) SetFaults(f Faults) { n.faults = f }

// Send carries a packet from one host to another.
func (n *Network) Send(from, to int, packet []byte) {
	n.Sent++
	if n.cut[from][to] || n.world.Chance(n.faults.Loss) || (n.Drop != nil && n.Drop(from, to, packet)) {
		n.Lost++
		return
	}
	n.carry(from, to, packet)
	if n.world.Chance(n.faults.Duplicate) {
		n.carry(from, to, packet)
	}
}

func (n *Network) carry(from, to int, packet []byte) {
	d := n.world.Between(n.faults.MinDelay, n.faults.MaxDelay)
	if n.world.Chance(n.faults.Late) {
		d += n.world.Between(0, n.faults.LateBy)
	}
	n.world.After(d, func() {
		if n.cut[from][to] {
			n.Lost++
			return
		}
		n.hosts[to].Do(func() { n.Recv(from, to, packet) })
	})
}

// Cut closes or opens one direction.
func (n *Network) Cut(from, to int, closed bool) { n.cut[from][to] = closed }

// Reachable tells whether packets can pass in both directions.
func (n *Network) Reachable(a, b int) bool { return !n.cut[a][b] && !n.cut[b][a] }

// Partition lets hosts talk only within their side.
func (n *Network) Partition(side []int) {
	for a := range n.cut {
		for b := range n.cut {
			n.cut[a][b] = side[a] != side[b]
		}
	}
}

// Heal opens all directions.
func (n *Network) Heal() {
	for a := range n.cut {
		clear(n.cut[a])
	}
}
