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
	// Corrupt is the probability of a few bits that change, or of an end that is
	// cut off or added.
	Corrupt float64
	// MaxSize, if set, is the size beyond which packets get lost.
	MaxSize int
	// Rate, if set, is how many bytes a second each host can receive. What would
	// wait longer than MaxWait is lost.
	Rate    int
	MaxWait time.Duration
}

// A Network joins hosts 0 … n−1.
type Network struct {
	world  *World
	hosts  []*Host
	cut    [][]bool
	faults Faults
	busy   []time.Duration // until when a host's line is
	// Recv is called on the receiving host.
	Recv func(from, to int, packet []byte)
	// Drop, if set, is asked first for each packet: a targeted adversary.
	Drop func(from, to int, packet []byte) bool
	// Sent and Lost count packets.
	Sent, Lost uint64
}

// NewNetwork makes a network between the hosts.
func NewNetwork(w *World, hosts []*Host) *Network {
	n := &Network{world: w, hosts: hosts, cut: make([][]bool, len(hosts)), busy: make([]time.Duration, len(hosts))}
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
	if n.cut[from][to] || (n.faults.MaxSize > 0 && len(packet) > n.faults.MaxSize) || n.world.Chance(n.faults.Loss) || (n.Drop != nil && n.Drop(from, to, packet)) {
		n.Lost++
		return
	}
	if n.world.Chance(n.faults.Corrupt) {
		packet = n.corrupt(packet)
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
	if n.faults.Rate > 0 {
		wait := max(n.busy[to]-n.world.Now(), 0)
		if wait > n.faults.MaxWait {
			n.Lost++
			return
		}
		n.busy[to] = n.world.Now() + wait + time.Duration(len(packet))*time.Second/time.Duration(n.faults.Rate)
		d += wait
	}
	n.world.After(d, func() {
		if n.cut[from][to] {
			n.Lost++
			return
		}
		n.hosts[to].Do(func() { n.Recv(from, to, packet) })
	})
}

// corrupt gives a changed copy of a packet.
func (n *Network) corrupt(packet []byte) []byte {
	r := n.world.Rand()
	b := append([]byte(nil), packet...)
	switch r.IntN(6) {
	case 0:
		return b[:r.IntN(len(b)+1)]
	case 1:
		return append(b, make([]byte, 1+r.IntN(40))...)
	}
	for range 1 + r.IntN(4) {
		if len(b) > 0 {
			b[r.IntN(len(b))] ^= 1 << r.IntN(8)
		}
	}
	return b
}

// Cut closes or opens one direction.
func (n *Network) Cut(from, to int, closed bool) { n.cut[from][to] = closed }

// Passes tells whether packets can pass in one direction.
func (n *Network) Passes(from, to int) bool { return !n.cut[from][to] }

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
