// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package haexporter

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/status"
)

// pacemaker gives what the CIB tells.
func (s *scrape) pacemaker(root *etree.Element, now time.Time) error {
	c, err := status.Unpack(root, status.Settings{Now: now})
	if err != nil {
		return err
	}
	s.gauge("pacemaker_stonith_enabled", "Whether or not stonith is enabled", number(c.Options.FencingEnabled))
	s.gauge("pacemaker_maintenance_mode_enabled", "Whether or not cluster wide maintenance-mode is enabled", number(c.Options.Maintenance))
	if t, err := time.ParseInLocation(time.ANSIC, document.Get(c.Root, "cib-last-written"), time.Local); err == nil {
		s.metric(prometheus.CounterValue, "pacemaker_config_last_change", "The timestamp of the last change of the cluster configuration",
			float64(t.Unix()), nil)
	}
	for _, n := range c.Nodes {
		s.node(n)
	}
	for _, r := range c.Resources {
		s.resource(r, "", "")
	}
	s.history(c)
	s.locations(c)
	return nil
}

func (s *scrape) node(n *status.Node) {
	typ := "member"
	if n.Remote {
		typ = "remote"
	}
	for _, st := range []struct {
		name string
		on   bool
	}{
		{"online", n.Online},
		{"standby", n.Standby},
		{"standby_onfail", n.StandbyOnFail},
		{"maintenance", n.Maintenance},
		{"pending", n.Pending},
		{"unclean", n.Unclean},
		{"shutdown", n.Shutdown},
		{"expected_up", n.ExpectedUp},
		{"dc", n.IsDC},
	} {
		s.gauge("pacemaker_nodes", "The status of each node in the cluster; 1 means the node is in that status, 0 otherwise",
			number(st.on), "node", n.Name, "type", typ, "status", st.name)
	}
	for name, value := range n.Attrs {
		if !n.Online || hidden(name) {
			continue
		}
		s.gauge("pacemaker_node_attributes", "The raw values of some common node attributes", 1, "node", n.Name, "name", name, "value", value)
	}
}

// hidden tells of attributes that crm_mon, whose output the exporter reads, does
// not list among the node's.
func hidden(name string) bool {
	switch name {
	case "standby", "shutdown", "terminate", "probe_complete":
		return true
	}
	return strings.HasPrefix(name, "#") || strings.HasPrefix(name, "fail-count-") || strings.HasPrefix(name, "last-failure-")
}

// resource gives the instances at or below r.
func (s *scrape) resource(r *status.Resource, group, clone string) {
	switch r.Variant {
	case status.Group:
		group = r.XMLID()
	case status.Clone:
		clone = r.ID
	case status.Primitive:
		s.primitive(r, group, clone)
		return
	}
	for _, k := range r.Children {
		s.resource(k, group, clone)
	}
}

func (s *scrape) primitive(r *status.Resource, group, clone string) {
	role := r.Role
	if role == status.RoleStarted && r.Top(false).Is(status.Promotable) {
		role = status.RoleUnpromoted
	}
	nodes := []string{""}
	if len(r.ActiveOn) > 0 {
		nodes = nil
		for _, n := range r.ActiveOn {
			nodes = append(nodes, n.Name)
		}
	}
	for _, node := range nodes {
		for _, st := range []struct {
			name string
			on   bool
		}{
			{"active", r.Active(true)},
			{"orphaned", r.Is(status.Removed)},
			{"blocked", r.Is(status.Blocked)},
			{"failed", r.Is(status.Failed)},
			{"failure_ignored", r.Is(status.IgnoreFailure)},
		} {
			s.gauge("pacemaker_resources", "The status of each resource in the cluster; 1 means the resource is in that status, 0 otherwise",
				number(st.on), "node", node, "resource", r.PrintableID(), "role", strings.ToLower(role.String()),
				"managed", strconv.FormatBool(r.Is(status.Managed)), "status", st.name, "agent", r.Agent(), "group", group, "clone", clone)
		}
	}
}

// history gives fail counts and thresholds of the resources each node has a
// history of.
func (s *scrape) history(c *status.Cluster) {
	for state := range document.Children(document.Child(c.Root, "status"), "node_state") {
		n := c.FindNodeID(document.Get(state, "id"))
		if n == nil {
			continue
		}
		for e := range document.Children(document.At(state, "lrm", "lrm_resources"), "lrm_resource") {
			r := c.FindResource(document.ID(e), status.MatchAnonBasename)
			if r == nil {
				continue
			}
			count, _ := c.FailCount(n, r, status.FailAll, nil)
			s.gauge("pacemaker_fail_count", "The Fail count number per node and resource id", scoreNumber(count), "node", n.Name, "resource", document.ID(e))
			s.gauge("pacemaker_migration_threshold", "The migration_threshold number per node and resource id",
				float64(r.MigrationThreshold), "node", n.Name, "resource", document.ID(e))
		}
	}
}

func (s *scrape) locations(c *status.Cluster) {
	for loc := range document.Children(document.At(c.Root, "configuration", "constraints"), "rsc_location") {
		score, ok := status.ParseScore(document.Get(loc, "score"), 0)
		if !ok {
			continue
		}
		s.gauge("pacemaker_location_constraints", "Resource location constraints. The value indicates the score.", scoreNumber(score),
			"constraint", document.ID(loc), "node", document.Get(loc, "node"), "resource", document.Get(loc, "rsc"), "role", document.Get(loc, "role"))
	}
}

func scoreNumber(s status.Score) float64 {
	switch {
	case s >= status.Infinity:
		return math.Inf(1)
	case s <= -status.Infinity:
		return math.Inf(-1)
	}
	return float64(s)
}
