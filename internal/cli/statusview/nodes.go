// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package statusview

import (
	"fmt"
	"slices"
	"strings"

	"github.com/quorate/quorate/pengine/status"
)

// nodeMode says in a word how a node is.
func nodeMode(n *status.Node) string {
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
	case n.Standby && len(n.Running) > 0:
		return "standby (with active resources)"
	case n.Standby:
		return "standby"
	case n.Maintenance && n.Online:
		return "maintenance"
	case n.Maintenance:
		return "OFFLINE (maintenance)"
	case n.Online:
		return "online"
	}
	return "OFFLINE"
}

// health is the worst colour of the node's health attributes.
func health(n *status.Node) string {
	worst := "green"
	for name, val := range n.Attrs {
		if !strings.HasPrefix(name, "#health") {
			continue
		}
		switch strings.ToLower(val) {
		case "red":
			return "red"
		case "yellow":
			worst = "yellow"
		}
	}
	return worst
}

// alone tells whether a node has a line of its own in the list.
func (v *View) alone(n *status.Node) bool {
	return v.Options.ByNode || v.Options.Detail || n.Unclean || n.Pending || n.Standby || n.Maintenance ||
		n.StandbyOnFail && n.Online || health(n) != "green"
}

func kind(n *status.Node) string {
	switch {
	case n.IsGuest():
		return "Guest"
	case n.IsRemote():
		return "Remote"
	}
	return ""
}

// nodeLists are the lists of nodes of which there is no more to say, in the
// order in which they are shown.
var nodeLists = []string{"Online", "OFFLINE", "RemoteOnline", "RemoteOFFLINE", "GuestOnline", "GuestOFFLINE"}

func (v *View) nodeList(s sink) {
	lists := map[string][]string{}
	opened := false
	open := func() {
		if !opened {
			s.open("Node List")
			opened = true
		}
	}
	for _, n := range v.Cluster.Nodes {
		if !v.showsNode(n) {
			continue
		}
		if v.alone(n) {
			open()
			v.node(s, n)
			continue
		}
		state := "OFFLINE"
		if n.Online {
			state = "Online"
		}
		lists[kind(n)+state] = append(lists[kind(n)+state], v.nodeName(n))
	}
	for _, name := range nodeLists {
		if len(lists[name]) > 0 {
			open()
			s.item(fmt.Sprintf("%s: [ %s ]", name, strings.Join(lists[name], " ")))
		}
	}
	if opened {
		s.close()
	}
}

func (v *View) node(s sink, n *status.Node) {
	head := fmt.Sprintf("%sNode %s: %s", kind(n), v.nodeName(n), nodeMode(n))
	if h := health(n); h != "green" {
		head += " (health is " + strings.ToUpper(h) + ")"
	}
	if v.Options.Detail && n.FeatureSet != "" {
		head += ", feature set " + n.FeatureSet
	}
	if !v.Options.ByNode {
		s.item(head)
		return
	}
	running := slices.DeleteFunc(slices.Clone(n.Running), func(r *status.Resource) bool { return !v.showsResource(r) })
	if v.Options.Brief && len(running) == 0 {
		return
	}
	s.open(head)
	s.open("Resources")
	if v.Options.Brief {
		for _, line := range brief(running, false, false) {
			s.item(line)
		}
	} else {
		for _, r := range running {
			s.item(v.primitiveText(r, placeNone))
		}
	}
	s.close()
	s.close()
}
