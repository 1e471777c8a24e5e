// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// unpackStatus reads tickets, node states, then histories: those of remote and
// guest nodes only once their connections are known.
func (c *Cluster) unpackStatus() {
	c.Tickets = map[string]*Ticket{}
	for e := range document.Children(c.statusXML, "") {
		switch e.Tag {
		case "tickets":
			for t := range document.Children(e, "ticket_state") {
				c.unpackTicket(t)
			}
		case "node_state":
			c.unpackNodeState(e)
		}
	}
	for pass := 0; pass <= len(c.Nodes) && c.unpackHistories(false); pass++ {
	}
	c.unpackHistories(c.Options.FencingEnabled)
	for _, r := range c.stopNeeded {
		if n := r.CurrentNode(); n != nil {
			c.intendStop(r, n)
		}
	}
	for _, n := range c.Nodes {
		if !n.Remote {
			continue
		}
		if n.Shutdown && n.Connection != nil {
			n.Connection.SetNextRole(RoleStopped, "remote shutdown")
		}
		if !n.unpacked {
			c.remoteOnline(n)
		}
	}
}

// Ticket gives the ticket with the id, making one that is not granted.
func (c *Cluster) Ticket(id string) *Ticket {
	t := c.Tickets[id]
	if t == nil {
		t = &Ticket{ID: id, LastGranted: -1, State: map[string]string{}}
		if c.Tickets == nil {
			c.Tickets = map[string]*Ticket{}
		}
		c.Tickets[id] = t
	}
	return t
}

func (c *Cluster) unpackTicket(e *etree.Element) {
	id := document.ID(e)
	if id == "" {
		return
	}
	t := c.Ticket(id)
	for _, a := range e.Attr {
		if a.Key != "id" {
			t.State[a.Key] = a.Value
		}
	}
	t.Granted = IsTrue(t.State["granted"])
	if n, ok := leadingInt(t.State["last-granted"]); ok {
		t.LastGranted = n
	}
	t.Standby = IsTrue(t.State["standby"])
}

func (c *Cluster) unpackNodeState(e *etree.Element) {
	id, ok := document.Lookup(e, "id")
	if !ok {
		c.errorf("ignoring invalid node_state entry without id")
		return
	}
	n := c.findNodeAny(id, document.Get(e, "uname"))
	if n == nil {
		c.warnf("ignoring recorded state for removed node %s", id)
		return
	}
	if n.Remote {
		n.RemoteFenced = minInt(document.Get(e, "node_fenced"), 0, 0) != 0
		return
	}
	c.nodeAttrs(document.Child(e, "transient_attributes"), n, true)
	if IsTrue(n.Attrs["standby"]) {
		n.Standby = true
	}
	if IsTrue(n.Attrs["maintenance"]) {
		n.Maintenance = true
	}
	n.FeatureSet = n.Attrs["#feature-set"]
	n.Unclean = false
	n.Seen = true
	c.online(e, n)
	if !c.Quorate && n.Online && c.Options.NoQuorum == NoQuorumFence {
		c.FenceNode(n, "cluster does not have quorum", false)
	}
}

// online finds out whether a cluster node takes part.
func (c *Cluster) online(e *etree.Element, n *Node) {
	n.Join, n.Expected = document.Get(e, "join"), document.Get(e, "expected")
	n.Member, n.Controller = c.memberSince(e), controllerSince(e)
	if n.Shutdown = n.ShutdownRequested(); !n.Shutdown && n.Expected == "member" {
		n.ExpectedUp = true
	}
	if c.Options.FencingEnabled {
		n.Online = c.onlineFencing(e, n)
	} else {
		n.Online = c.onlineNoFencing(n)
	}
	if !n.Online || n.Shutdown {
		n.Base = -Infinity
	}
}

// memberSince is when a node joined the membership, 0 where it is none, −1 where
// that is not known.
func (c *Cluster) memberSince(e *etree.Element) int64 {
	v, has := document.Lookup(e, "in_ccm")
	if !has {
		return -1
	}
	if b, ok := ParseBool(v); ok {
		if b {
			return c.Now.Unix()
		}
		return 0
	}
	n, ok := leadingInt(v)
	if !ok || n < 0 {
		return -1
	}
	return n
}

func controllerSince(e *etree.Element) int64 {
	switch v := document.Get(e, "crmd"); v {
	case "", "offline":
		return 0
	case "online":
		return 1
	default:
		n, _ := leadingInt(v)
		return max(n, 0)
	}
}

func (c *Cluster) onlineNoFencing(n *Node) bool {
	switch {
	case n.Member <= 0:
	case n.Controller > 0:
		return n.Join == "member"
	case n.ExpectedUp:
		c.FenceNode(n, "peer is unexpectedly down", false)
	}
	return false
}

func (c *Cluster) onlineFencing(e *etree.Element, n *Node) bool {
	if n.Shutdown {
		return n.Controller > 0
	}
	if n.Member < 0 {
		c.FenceNode(n, "peer has not been seen by the cluster", false)
		return false
	}
	_, expects := document.Lookup(e, "expected")
	switch {
	case n.Join == "banned":
		c.FenceNode(n, "peer failed Pacemaker membership criteria", false)
	case n.terminate():
		if n.Member <= 0 && n.Controller <= 0 && n.Join == "down" {
			return false
		}
		c.FenceNode(n, "fencing was requested", false)
	case !expects || n.Expected == "down":
		if c.pendingTooLong(n) {
			c.FenceNode(n, "peer pending timed out on joining the process group", false)
		} else if n.Member > 0 || n.Controller > 0 {
			n.Standby, n.Pending = true, true
		}
	case n.Member <= 0:
		c.FenceNode(n, "peer is no longer part of the cluster", true)
	case n.Controller <= 0:
		c.FenceNode(n, "peer process is no longer available", false)
	case n.Join == "member":
	case n.Join == "pending" || n.Join == "down":
		n.Standby, n.Pending = true, true
	default:
		c.FenceNode(n, "peer was in an unknown state", false)
	}
	return n.Member > 0
}

// terminate tells whether somebody asked for the node to be fenced.
func (n *Node) terminate() bool {
	v, has := n.Attrs["terminate"]
	if !has {
		return false
	}
	if b, ok := ParseBool(v); ok {
		return b
	}
	i, ok := leadingInt(v)
	return ok && i > 0
}

func (c *Cluster) pendingTooLong(n *Node) bool {
	ms := c.Options.NodePendingTimeoutMS
	if ms == 0 || n.Member <= 0 || n.Controller > 0 {
		return false
	}
	limit := time.Unix(n.Member+int64((ms+500)/1000), 0)
	if !c.Now.Before(limit) {
		return true
	}
	c.recheck(limit)
	return false
}

// remoteOnline finds out whether a remote or guest node takes part.
func (c *Cluster) remoteOnline(n *Node) {
	r := n.Connection
	if r == nil {
		n.Online = false
		return
	}
	l := r.Launcher
	var host *Node
	if l != nil && len(r.ActiveOn) == 1 {
		host = r.ActiveOn[0]
	}
	if r.Role == RoleStarted {
		n.Online = true
		if r.NextRole == RoleStopped {
			n.Shutdown = true
		}
	}
	switch {
	case l != nil && l.Is(Failed):
		n.Online, n.RemoteReset = false, true
	case r.Is(Failed):
		n.Online = false
	case r.Role == RoleStopped || l != nil && l.Role == RoleStopped:
		n.Online, n.RemoteReset = false, false
	case host != nil && !host.Online && host.Unclean:
		n.Online, n.RemoteReset = false, true
	}
}

// remoteAttrs reads the state of a remote or guest node.
func (c *Cluster) remoteAttrs(n *Node, e *etree.Element) {
	n.RemoteMaintenance = minInt(document.Get(e, "node_in_maintenance"), 0, 0) != 0
	r := n.Connection
	if !n.RemoteReset {
		n.Unclean = false
		n.Seen = true
	}
	c.nodeAttrs(document.Child(e, "transient_attributes"), n, true)
	if n.ShutdownRequested() {
		n.Shutdown = true
	}
	if IsTrue(n.Attrs["standby"]) {
		n.Standby = true
	}
	if IsTrue(n.Attrs["maintenance"]) || r != nil && !r.Is(Managed) {
		n.Maintenance = true
	}
	if v, has := n.Attrs["resource-discovery-enabled"]; has && !IsTrue(v) {
		c.warnf("support for the resource-discovery-enabled node attribute is deprecated")
		if !n.IsRemote() || c.Options.FencingEnabled {
			n.NoProbes = true
		}
	}
}

// unpackHistories reads the histories of the nodes that can be read now and
// tells whether there was any. fence reads those of the others too.
func (c *Cluster) unpackHistories(fence bool) bool {
	any := false
	for e := range document.Children(c.statusXML, "node_state") {
		id, ok1 := document.Lookup(e, "id")
		name, ok2 := document.Lookup(e, "uname")
		if !ok1 || !ok2 {
			continue
		}
		n := c.findNodeAny(id, name)
		if n == nil || n.unpacked || !fence && !c.historyReady(n) {
			continue
		}
		if n.Remote {
			c.remoteOnline(n)
			c.remoteAttrs(n, e)
		}
		n.unpacked = true
		c.unpackHistory(n, e)
		any = true
	}
	return any
}

func (c *Cluster) historyReady(n *Node) bool {
	r := n.Connection
	switch {
	case n.IsGuest():
		return r.Role == RoleStarted && r.Launcher.Role == RoleStarted
	case n.IsRemote():
		return r != nil && (c.Options.ShutdownLock || r.Role == RoleStarted)
	}
	return c.Options.FencingEnabled || c.Options.ShutdownLock || n.Online
}

// History finds the history of a resource on a node. Few are asked for, so they
// are indexed only then.
func (c *Cluster) History(node, rsc string) *etree.Element {
	of := c.histories[node]
	if of == nil {
		of = map[string]*etree.Element{}
		for e := range document.Children(c.statusXML, "node_state") {
			if document.Get(e, "uname") != node {
				continue
			}
			for h := range document.Children(document.At(e, "lrm", "lrm_resources"), "lrm_resource") {
				if id := document.ID(h); of[id] == nil {
					of[id] = h
				}
			}
		}
		if c.histories == nil {
			c.histories = map[string]map[string]*etree.Element{}
		}
		c.histories[node] = of
	}
	return of[rsc]
}
