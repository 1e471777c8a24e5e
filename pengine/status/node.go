// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"strings"
	"time"
)

// AttrName is the node attribute that a node's name is.
const AttrName = "#uname"

// NodeID is a node's id in the CIB.
type NodeID string

// A Node is a machine (or a guest or remote one) and what is known of it.
type Node struct {
	ID        NodeID
	Name      string
	Remote    bool      // a remote or guest node
	Base      Score     // of the node itself, -Infinity where it may run nothing
	BaseProbe ProbeMode // where a resource says nothing
	Index     int       // place in the sorted list
	serial    int       // place in the order of creation

	Online, Unclean, Pending  bool
	Standby, StandbyOnFail    bool
	Maintenance, Shutdown     bool
	Seen, ExpectedUp          bool // has a node_state; was expected to be a member
	IsDC                      bool
	NoProbes                  bool // resource-discovery-enabled=false on a remote node
	RemoteReset, RemoteFenced bool
	RemoteMaintenance         bool
	FeatureSet                string
	Member, Controller        int64 // since when in the membership, in the controller's group
	Join, Expected            string
	Attrs, Utilization        map[string]string
	Running                   []*Resource // primitives active here
	Connection                *Resource   // the resource that connects a remote or guest node
	Priority                  int         // sum of the priorities of what is active here
	unpacked                  bool
}

// IsGuest tells whether the node lives inside a resource of the cluster.
func (n *Node) IsGuest() bool {
	return n != nil && n.Remote && n.Connection != nil && n.Connection.Launcher != nil
}

// IsRemote tells whether the node is a remote one that is no guest.
func (n *Node) IsRemote() bool {
	return n != nil && n.Remote && (n.Connection == nil || n.Connection.Launcher == nil)
}

// Attr gives a node attribute. target is container-attribute-target of the
// resource that asks: "host" looks at the machine below a guest node.
func (n *Node) Attr(name, target string, host func(*Resource) *Node) (string, bool) {
	if n == nil {
		return "", false
	}
	if n.IsGuest() && strings.EqualFold(target, "host") {
		h := host(n.Connection.Launcher)
		if h == nil {
			return "", false
		}
		v, ok := h.Attrs[name]
		return v, ok
	}
	v, ok := n.Attrs[name]
	return v, ok
}

// CurrentHost is where a resource is active first, nil where nowhere.
func CurrentHost(r *Resource) *Node {
	if len(r.ActiveOn) == 0 {
		return nil
	}
	return r.ActiveOn[0]
}

// ShutdownRequested tells whether the node asked to leave.
func (n *Node) ShutdownRequested() bool {
	v, ok := n.Attrs["shutdown"]
	return ok && v != "0"
}

// FindNode finds a node by name, letters without case.
func (c *Cluster) FindNode(name string) *Node {
	for _, n := range c.Nodes {
		if strings.EqualFold(n.Name, name) {
			return n
		}
	}
	return nil
}

// FindNodeID finds a node by id.
func (c *Cluster) FindNodeID(id string) *Node {
	for _, n := range c.Nodes {
		if strings.EqualFold(string(n.ID), id) {
			return n
		}
	}
	return nil
}

func (c *Cluster) findNodeAny(id, name string) *Node {
	if n := c.FindNodeID(id); n != nil {
		return n
	}
	return c.FindNode(name)
}

// createNode adds a node at its place in the sorted list.
func (c *Cluster) createNode(id, name, typ string, score Score) *Node {
	n := &Node{ID: NodeID(id), Name: name, serial: len(c.Nodes), Base: score, Attrs: map[string]string{}, Utilization: map[string]string{}}
	switch strings.ToLower(typ) {
	case "", "member":
		n.Attrs["#kind"] = "cluster"
	case "remote":
		n.Remote = true
		n.Attrs["#kind"] = "remote"
		c.HaveRemoteNodes = true
	default:
		c.errorf("ignoring node %s with unrecognized type '%s'", name, typ)
		return nil
	}
	at := len(c.Nodes)
	for i, o := range c.Nodes {
		if CompareNames(o.Name, name) >= 0 {
			at = i
			break
		}
	}
	c.Nodes = append(c.Nodes, nil)
	copy(c.Nodes[at+1:], c.Nodes[at:])
	c.Nodes[at] = n
	for i, o := range c.Nodes {
		o.Index = i
	}
	return n
}

// CanFence tells whether the cluster may fence the node (nil: any).
func (c *Cluster) CanFence(n *Node) bool {
	switch {
	case n.IsGuest():
		for _, h := range n.Connection.Launcher.ActiveOn {
			if !h.Online && !c.CanFence(h) {
				return false
			}
		}
		return true
	case !c.Options.FencingEnabled || !c.HaveFencing:
		return false
	case c.Quorate || c.Options.NoQuorum == NoQuorumIgnore:
		return true
	case n == nil || !n.Online:
		return false
	}
	if n.Remote && !c.Options.FenceRemoteWithoutQuorum {
		for _, o := range c.Nodes {
			if n.Connection.Allowed.On(o) != nil && !o.Online {
				return false
			}
		}
	}
	return true
}

// FenceNode marks a node for fencing, or what it runs in for recovery.
func (c *Cluster) FenceNode(n *Node, reason string, priorityDelay bool) {
	switch {
	case n.IsGuest():
		l := n.Connection.Launcher
		if !l.Is(Failed) && l.Is(Managed) {
			n.RemoteReset = true
			l.Set(Failed | StopIfFailed)
		}
	case n.Remote && n.Connection != nil && n.Connection.Is(RemovedLaunched):
		n.Connection.Set(Failed | StopIfFailed)
	case n.IsRemote():
		if n.Connection == nil || n.Connection.Is(Managed) {
			n.RemoteReset = true
		}
		n.Unclean = true
		c.intend(Intent{Kind: IntentFence, Node: n, Reason: reason})
	case n.Unclean: // already
	default:
		n.Unclean = true
		c.intend(Intent{Kind: IntentFence, Node: n, Reason: reason, PriorityDelay: priorityDelay})
	}
}

// recheck remembers when the outcome would change by itself.
func (c *Cluster) recheck(t time.Time) { c.Recheck(t) }

// Recheck lowers RecheckBy to t where t is in the future and earlier.
func (c *Cluster) Recheck(t time.Time) {
	if t.After(c.Now) && (c.RecheckBy.IsZero() || t.Before(c.RecheckBy)) {
		c.RecheckBy = t
	}
}
