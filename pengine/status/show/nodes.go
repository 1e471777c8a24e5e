// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package show

import (
	"strings"

	"github.com/quorate/quorate/pengine/status"
)

// Options choose what is shown.
type Options struct {
	Inactive bool // also what runs nowhere
	Pending  bool // operations under way
	Detail   bool // instances of clones one by one, ids of nodes
	Implicit bool // also resources that others imply
	// Attributes adds node attributes, FailCounts fail counts and failures.
	Attributes, FailCounts bool
}

// Status adds the whole picture: nodes, resources and what else the options ask
// for.
func Status(t *Text, c *status.Cluster, o Options) {
	if Nodes(t, c, o) {
		t.Space()
	}
	Resources(t, c, o)
	if o.Attributes {
		NodeAttributes(t, c)
	}
	if o.FailCounts {
		MigrationSummary(t, c)
		FailedActions(t, c)
	}
}

// NodeState words a node's state.
func NodeState(n *status.Node) string {
	switch {
	case n.Unclean && n.Online:
		return "UNCLEAN (online)"
	case n.Unclean && n.Pending:
		return "UNCLEAN (pending)"
	case n.Unclean:
		return "UNCLEAN (offline)"
	case n.Pending:
		return "pending"
	case n.StandbyOnFail && n.Online:
		return "standby (on-fail)"
	case n.Standby && !n.Online:
		return "OFFLINE (standby)"
	case n.Standby && len(n.Running) == 0:
		return "standby"
	case n.Standby:
		return "standby (with active resources)"
	case n.Maintenance && n.Online:
		return "maintenance"
	case n.Maintenance:
		return "OFFLINE (maintenance)"
	case n.Online:
		return "online"
	}
	return "OFFLINE"
}

// NodeName is a node's name with the machine below a guest node; detail adds its
// id.
func NodeName(n *status.Node, detail bool) string {
	name := n.Name
	if detail && n.IsGuest() {
		name += "@"
		if h := n.Connection.Launcher.CurrentNode(); h != nil {
			name += h.Name
		}
	}
	if detail && !strings.EqualFold(name, string(n.ID)) {
		name += " (" + string(n.ID) + ")"
	}
	return name
}

// Nodes adds the list of nodes. It is false where there are none.
func Nodes(t *Text, c *status.Cluster, o Options) bool {
	if len(c.Nodes) == 0 {
		return false
	}
	t.Begin("Node List")
	lists := map[string][]string{}
	for _, n := range c.Nodes {
		name := NodeName(n, o.Detail)
		health := c.Health(n)
		special := n.Unclean || n.Pending || n.StandbyOnFail && n.Online || n.Standby || n.Maintenance || health <= 0
		switch {
		case special:
			t.Item(nodeLine(n, name, health))
		case n.Online && n.IsGuest():
			lists["GuestOnline"] = append(lists["GuestOnline"], name)
		case n.Online && n.Remote:
			lists["RemoteOnline"] = append(lists["RemoteOnline"], name)
		case n.Online:
			lists["Online"] = append(lists["Online"], name)
		case n.IsGuest(): // known by its resource
		case n.Remote:
			lists["RemoteOFFLINE"] = append(lists["RemoteOFFLINE"], name)
		default:
			lists["OFFLINE"] = append(lists["OFFLINE"], name)
		}
	}
	for _, head := range []string{"Online", "OFFLINE", "RemoteOnline", "RemoteOFFLINE", "GuestOnline"} {
		if l := lists[head]; len(l) > 0 {
			t.Item(head + ": [ " + strings.Join(l, " ") + " ]")
		}
	}
	t.End()
	return true
}

func nodeLine(n *status.Node, name string, health int) string {
	kind := "Node "
	switch {
	case n.IsGuest():
		kind = "GuestNode "
	case n.Remote:
		kind = "RemoteNode "
	}
	line := kind + name + ": " + NodeState(n)
	switch {
	case health < 0:
		line += " (health is RED)"
	case health == 0:
		line += " (health is YELLOW)"
	}
	return line
}
