// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package peer

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/quorate/quorate/messaging"
)

// A Node is one node as this controller knows it.
type Node struct {
	ID         messaging.NodeID
	Name       string
	Configured bool               // it stands in corosync.conf's nodelist
	Ring       bool               // it is a member of the ring
	Member     messaging.MemberID // its controller in the group, zero while there is none
	Seen       bool               // it has been in the ring since this controller began
}

// UUID is the id that the CIB knows the node by.
func (n *Node) UUID() string { return strconv.FormatUint(uint64(n.ID), 10) }

// Online tells whether the node is in the ring and its controller in the group.
func (n *Node) Online() bool { return n.Ring && n.Member != (messaging.MemberID{}) }

// A Cache holds the nodes.
type Cache struct {
	nodes map[messaging.NodeID]*Node
}

// New makes an empty cache.
func New() *Cache { return &Cache{nodes: map[messaging.NodeID]*Node{}} }

// Get gives a node, and makes it where it is not known.
func (c *Cache) Get(id messaging.NodeID) *Node {
	n := c.nodes[id]
	if n == nil {
		n = &Node{ID: id}
		c.nodes[id] = n
	}
	return n
}

// ByName finds a node by name without regard to case, nil where there is none.
func (c *Cache) ByName(name string) *Node {
	for _, n := range c.All() {
		if strings.EqualFold(n.Name, name) {
			return n
		}
	}
	return nil
}

// ByUUID finds a node by the CIB's id, nil where there is none.
func (c *Cache) ByUUID(uuid string) *Node {
	id, err := strconv.ParseUint(uuid, 10, 32)
	if err != nil {
		return nil
	}
	return c.nodes[messaging.NodeID(id)]
}

// ByMember finds the node of a controller, nil where there is none.
func (c *Cache) ByMember(m messaging.MemberID) *Node {
	if n := c.nodes[m.Node]; n != nil && n.Member == m {
		return n
	}
	return nil
}

// Remove forgets a node.
func (c *Cache) Remove(id messaging.NodeID) { delete(c.nodes, id) }

// All lists the nodes by id.
func (c *Cache) All() []*Node {
	list := make([]*Node, 0, len(c.nodes))
	for _, n := range c.nodes {
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b *Node) int { return cmp.Compare(a.ID, b.ID) })
	return list
}

// SetView takes over the ring's membership and the nodelist's names. It gives
// the nodes that left the ring and those that entered it.
func (c *Cache) SetView(v messaging.QuorumView) (left, entered []*Node) {
	member := map[messaging.NodeID]bool{}
	for _, vn := range v.Nodes {
		n := c.Get(vn.ID)
		n.Configured = true
		if vn.Name != "" {
			n.Name = vn.Name
		}
		member[vn.ID] = vn.Member
	}
	for _, n := range c.All() {
		switch {
		case n.Ring && !member[n.ID]:
			n.Ring = false
			left = append(left, n)
		case !n.Ring && member[n.ID]:
			n.Ring, n.Seen = true, true
			entered = append(entered, n)
		}
	}
	return left, entered
}
