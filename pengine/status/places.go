// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

// ProbeMode tells whether a resource is probed on a node.
type ProbeMode uint8

// The modes of resource-discovery.
const (
	ProbeAlways ProbeMode = iota
	ProbeNever
	ProbeExclusive
)

// Allowed is what is known of a resource's place on a node.
type Allowed struct {
	Score Score
	// Why names what gave the score, in the order of events.
	Why   []Reason
	Probe ProbeMode
	known bool
}

// A Reason is one thing that changed a score.
type Reason struct {
	Score Score
	Text  string
}

// Places are what is known of a resource's place on each node.
type Places struct {
	list  []Allowed // by the node's serial number
	known int
}

// On gives what is known of a place, nil for nothing. It holds until the places
// are changed.
func (p *Places) On(n *Node) *Allowed {
	if n == nil || n.serial >= len(p.list) || !p.list[n.serial].known {
		return nil
	}
	return &p.list[n.serial]
}

// Len is the number of places of which something is known.
func (p *Places) Len() int { return p.known }

// at gives a place; what was not known of it is what the node itself says.
func (p *Places) at(n *Node, nodes int) *Allowed {
	if n.serial >= len(p.list) {
		list := make([]Allowed, max(nodes, n.serial+1))
		copy(list, p.list)
		p.list = list
	}
	a := &p.list[n.serial]
	if !a.known {
		p.known++
		*a = Allowed{Score: n.Base, Probe: n.BaseProbe, known: true}
	}
	return a
}

// put replaces what is known of a place.
func (p *Places) put(n *Node, a Allowed) {
	a.known = true
	*p.at(n, 0) = a
}

// A NodeSet is a set of nodes. The zero value is empty.
type NodeSet struct{ bits []uint64 }

// Has tells whether the node is in the set.
func (s *NodeSet) Has(n *Node) bool {
	return n != nil && n.serial/64 < len(s.bits) && s.bits[n.serial/64]&(1<<(n.serial%64)) != 0
}

// Empty tells whether no node is in the set.
func (s *NodeSet) Empty() bool { return len(s.bits) == 0 }

func (s *NodeSet) add(n *Node) {
	for len(s.bits) <= n.serial/64 {
		s.bits = append(s.bits, 0)
	}
	s.bits[n.serial/64] |= 1 << (n.serial % 64)
}
