// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package lab

import (
	"context"
	"encoding/xml"
	"fmt"
	"slices"
	"strings"
)

// A Status is what a node's crm_mon says of the cluster.
type Status struct {
	Summary struct {
		DC struct {
			Present bool   `xml:"present,attr"`
			Name    string `xml:"name,attr"`
			Quorum  bool   `xml:"with_quorum,attr"`
		} `xml:"current_dc"`
	} `xml:"summary"`
	Nodes     []NodeStatus     `xml:"nodes>node"`
	Resources []ResourceStatus `xml:"resources>resource"`
	Groups    []struct {
		ID        string           `xml:"id,attr"`
		Resources []ResourceStatus `xml:"resource"`
	} `xml:"resources>group"`
	Clones []struct {
		ID        string           `xml:"id,attr"`
		Resources []ResourceStatus `xml:"resource"`
	} `xml:"resources>clone"`
	Failures []struct {
		Op     string `xml:"op_key,attr"`
		Node   string `xml:"node,attr"`
		Text   string `xml:"exitstatus,attr"`
		Reason string `xml:"exitreason,attr"`
	} `xml:"failures>failure"`
	Fencing []struct {
		Action string `xml:"action,attr"`
		Target string `xml:"target,attr"`
		Status string `xml:"status,attr"`
	} `xml:"fence_history>fence_event"`
}

// A NodeStatus is one node of it.
type NodeStatus struct {
	Name        string `xml:"name,attr"`
	Online      bool   `xml:"online,attr"`
	Standby     bool   `xml:"standby,attr"`
	Maintenance bool   `xml:"maintenance,attr"`
	Pending     bool   `xml:"pending,attr"`
	Unclean     bool   `xml:"unclean,attr"`
}

// A ResourceStatus is one resource of it.
type ResourceStatus struct {
	ID      string `xml:"id,attr"`
	Role    string `xml:"role,attr"`
	Active  bool   `xml:"active,attr"`
	Blocked bool   `xml:"blocked,attr"`
	Failed  bool   `xml:"failed,attr"`
	Managed bool   `xml:"managed,attr"`
	Nodes   []struct {
		Name string `xml:"name,attr"`
	} `xml:"node"`
}

// On returns the nodes that the resource is active on.
func (r ResourceStatus) On() []string {
	var out []string
	for _, n := range r.Nodes {
		out = append(out, n.Name)
	}
	slices.Sort(out)
	return out
}

// ParseStatus reads what crm_mon --output-as=xml prints.
func ParseStatus(text string) (*Status, error) {
	s := &Status{}
	if err := xml.Unmarshal([]byte(text), s); err != nil {
		return nil, fmt.Errorf("lab: crm_mon: %w", err)
	}
	return s, nil
}

// Status asks the node's crm_mon.
func (n *Node) Status(ctx context.Context) (*Status, error) {
	r := n.Exec(ctx, "crm_mon", "--output-as=xml")
	if r.Code != 0 {
		return nil, r.Err()
	}
	return ParseStatus(r.Stdout)
}

// Online lists the nodes that are members and take part, standby ones too.
func (s *Status) Online() []string {
	return s.nodes(func(n NodeStatus) bool { return n.Online && !n.Pending && !n.Unclean })
}

// Unclean lists the nodes that ought to be fenced.
func (s *Status) Unclean() []string { return s.nodes(func(n NodeStatus) bool { return n.Unclean }) }

func (s *Status) nodes(keep func(NodeStatus) bool) []string {
	var out []string
	for _, n := range s.Nodes {
		if keep(n) {
			out = append(out, n.Name)
		}
	}
	slices.Sort(out)
	return out
}

// Resource finds a primitive by its id, in a group too. A clone's instances are
// put together.
func (s *Status) Resource(id string) (ResourceStatus, bool) {
	all := slices.Clone(s.Resources)
	for _, g := range s.Groups {
		all = append(all, g.Resources...)
	}
	for _, c := range s.Clones {
		all = append(all, c.Resources...)
	}
	var found ResourceStatus
	for _, r := range all {
		if r.ID == id {
			nodes := append(found.Nodes, r.Nodes...)
			found = r
			found.Nodes = nodes
		}
	}
	return found, found.ID != ""
}

// RunsOn tells that a resource is started, healthy, on just that node, or why
// not.
func (s *Status) RunsOn(id, node string) error {
	r, ok := s.Resource(id)
	switch {
	case !ok:
		return fmt.Errorf("%s is not configured", id)
	case !slices.Equal(r.On(), []string{node}):
		return fmt.Errorf("%s is %s on [%s], want %s", id, r.Role, strings.Join(r.On(), " "), node)
	case !slices.Contains([]string{"Started", "Promoted", "Unpromoted"}, r.Role) || r.Failed:
		return fmt.Errorf("%s is %s, failed=%t on %s", id, r.Role, r.Failed, node)
	}
	return nil
}

// Stopped tells that a resource runs nowhere, or where it does.
func (s *Status) Stopped(id string) error {
	r, ok := s.Resource(id)
	if ok && (len(r.Nodes) > 0 || r.Active) {
		return fmt.Errorf("%s is %s on %v", id, r.Role, r.On())
	}
	return nil
}
