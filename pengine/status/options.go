// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import (
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/rule"
	"github.com/quorate/quorate/internal/iso8601"
)

// NoQuorumPolicy is what a partition without quorum does.
type NoQuorumPolicy int

// The policies.
const (
	NoQuorumFreeze NoQuorumPolicy = iota
	NoQuorumStop
	NoQuorumIgnore
	NoQuorumFence
	NoQuorumDemote
)

// Options are the cluster's options that decisions depend on; Values has all
// that are set, Get gives one with its default.
type Options struct {
	Values map[string]string

	NoQuorum                                  NoQuorumPolicy
	FencingEnabled, ConcurrentFencing         bool
	StartupFencing, FenceRemoteWithoutQuorum  bool
	SymmetricCluster, StopAll, Maintenance    bool
	StartFailureIsFatal, StartupProbes        bool
	StopRemovedResources                      bool
	CancelRemovedActions                      bool
	ShutdownLock                              bool
	FencingAction, Placement                  string
	FencingTimeoutMS, PriorityFencingDelayMS  uint
	ShutdownLockLimitMS, NodePendingTimeoutMS uint
	HealthStrategy                            string
	HealthRed, HealthYellow, HealthGreen      Score
}

// option describes one cluster option: its older name, default and check.
type option struct {
	old, def string
	valid    func(string) bool
}

func isBool(s string) bool { _, ok := ParseBool(s); return ok }

func isInterval(s string) bool { _, err := iso8601.ParseInterval(s); return err == nil }

func isNumber(s string) bool { _, ok := ParseScore(s, 0); return ok && s != "" }

func isScore(s string) bool {
	switch strings.ToLower(s) {
	case "red", "yellow", "green":
		return true
	}
	return isNumber(s)
}

func oneOf(words ...string) func(string) bool {
	return func(s string) bool {
		for _, w := range words {
			if strings.EqualFold(s, w) {
				return true
			}
		}
		return false
	}
}

var optionTable = map[string]option{
	"no-quorum-policy":            {"", "stop", oneOf("stop", "freeze", "ignore", "demote", "fence", "suicide")},
	"shutdown-lock":               {"", "false", isBool},
	"shutdown-lock-limit":         {"", "0", isInterval},
	"enable-acl":                  {"", "false", isBool},
	"symmetric-cluster":           {"", "true", isBool},
	"maintenance-mode":            {"", "false", isBool},
	"start-failure-is-fatal":      {"", "true", isBool},
	"enable-startup-probes":       {"", "true", isBool},
	"fencing-enabled":             {"stonith-enabled", "true", isBool},
	"fencing-action":              {"stonith-action", "reboot", oneOf("reboot", "off")},
	"fencing-timeout":             {"stonith-timeout", "60s", isInterval},
	"fencing-max-attempts":        {"stonith-max-attempts", "10", isNumber},
	"fencing-watchdog-timeout":    {"stonith-watchdog-timeout", "0", nil},
	"fencing-reaction":            {"fence-reaction", "stop", oneOf("stop", "panic")},
	"have-watchdog":               {"", "false", isBool},
	"concurrent-fencing":          {"", "true", isBool},
	"startup-fencing":             {"", "true", isBool},
	"priority-fencing-delay":      {"", "0", isInterval},
	"node-pending-timeout":        {"", "0", isInterval},
	"fence-remote-without-quorum": {"", "false", isBool},
	"cluster-delay":               {"", "60s", isInterval},
	"load-threshold":              {"", "80%", nil},
	"node-action-limit":           {"", "0", isNumber},
	"batch-limit":                 {"", "0", isNumber},
	"migration-limit":             {"", "-1", isNumber},
	"cluster-ipc-limit":           {"", "500", isNumber},
	"stop-all-resources":          {"", "false", isBool},
	"stop-removed-resources":      {"stop-orphan-resources", "true", isBool},
	"cancel-removed-actions":      {"stop-orphan-actions", "true", isBool},
	"pe-error-series-max":         {"", "-1", isNumber},
	"pe-warn-series-max":          {"", "5000", isNumber},
	"pe-input-series-max":         {"", "4000", isNumber},
	"node-health-strategy":        {"", "none", oneOf("none", "migrate-on-red", "only-green", "progressive", "custom")},
	"node-health-base":            {"", "0", isNumber},
	"node-health-green":           {"", "0", isScore},
	"node-health-yellow":          {"", "0", isScore},
	"node-health-red":             {"", "-INFINITY", isScore},
	"placement-strategy":          {"", "default", oneOf("default", "utilization", "minimal", "balanced")},
	"dc-deadtime":                 {"", "20s", isInterval},
	"cluster-recheck-interval":    {"", "15min", isInterval},
	"election-timeout":            {"", "2min", isInterval},
	"shutdown-escalation":         {"", "20min", isInterval},
	"join-integration-timeout":    {"crmd-integration-timeout", "3min", isInterval},
	"join-finalization-timeout":   {"crmd-finalization-timeout", "30min", isInterval},
	"transition-delay":            {"crmd-transition-delay", "0s", isInterval},
}

// Get gives an option by its present name: the value set under it or its older
// name where that is valid, else the default.
func (o *Options) Get(name string) string {
	d, known := optionTable[name]
	v, ok := o.Values[name]
	if !ok && d.old != "" {
		v, ok = o.Values[d.old]
	}
	if !ok || known && d.valid != nil && !d.valid(v) {
		return d.def
	}
	return v
}

func (o *Options) bool(name string) bool { return IsTrue(o.Get(name)) }

func (o *Options) interval(name string) uint {
	ms, _ := iso8601.ParseInterval(o.Get(name))
	return ms
}

// unpackConfig reads crm_config.
func (c *Cluster) unpackConfig(config *etree.Element) {
	o := &c.Options
	o.Values = map[string]string{}
	in := c.ruleInput()
	rule.Blocks(config, "cluster_property_set", "cib-bootstrap-options", in, o.Values)
	if config != nil {
		for _, name := range sortedKeys(o.Values) {
			if d, known := optionTable[name]; known && d.valid != nil && !d.valid(o.Values[name]) {
				c.errorf("using default value '%s' for cluster option '%s' because '%s' is not a valid value", d.def, name, o.Values[name])
			}
		}
	}
	o.StartupProbes = o.bool("enable-startup-probes")
	c.HaveFencing = IsTrue(o.Get("have-watchdog"))
	c.EnableUnfencing = c.wantsUnfencing()
	o.FencingTimeoutMS = o.interval("fencing-timeout")
	o.FencingEnabled = o.bool("fencing-enabled")
	o.FencingAction = o.Get("fencing-action")
	o.ConcurrentFencing = o.bool("concurrent-fencing")
	o.PriorityFencingDelayMS = o.interval("priority-fencing-delay")
	o.StopAll = o.bool("stop-all-resources")
	o.SymmetricCluster = o.bool("symmetric-cluster")
	o.NoQuorum = c.noQuorumPolicy(o.Get("no-quorum-policy"))
	o.StopRemovedResources = o.bool("stop-removed-resources")
	o.CancelRemovedActions = o.bool("cancel-removed-actions")
	o.Maintenance = o.bool("maintenance-mode")
	o.StartFailureIsFatal = o.bool("start-failure-is-fatal")
	o.StartupFencing = o.FencingEnabled && o.bool("startup-fencing")
	c.unpackHealth()
	o.Placement = strings.ToLower(o.Get("placement-strategy"))
	if o.ShutdownLock = o.bool("shutdown-lock"); o.ShutdownLock {
		o.ShutdownLockLimitMS = o.interval("shutdown-lock-limit")
	}
	o.NodePendingTimeoutMS = o.interval("node-pending-timeout")
	o.FenceRemoteWithoutQuorum = o.bool("fence-remote-without-quorum")
}

func (c *Cluster) noQuorumPolicy(v string) NoQuorumPolicy {
	switch strings.ToLower(v) {
	case "ignore":
		return NoQuorumIgnore
	case "freeze":
		return NoQuorumFreeze
	case "demote":
		return NoQuorumDemote
	case "fence", "suicide":
		if !c.Options.FencingEnabled {
			c.errorf("resetting no-quorum-policy to 'stop' because fencing is disabled")
		} else if c.Quorate || minInt(document.Get(c.Root, "no-quorum-panic"), 0, 0) != 0 {
			return NoQuorumFence
		}
	}
	return NoQuorumStop
}

func (c *Cluster) unpackHealth() {
	o := &c.Options
	o.HealthStrategy = strings.ToLower(o.Get("node-health-strategy"))
	switch o.HealthStrategy {
	case "none":
	case "migrate-on-red":
		o.HealthRed = -Infinity
	case "only-green":
		o.HealthRed, o.HealthYellow = -Infinity, -Infinity
	default:
		o.HealthRed, _ = c.ParseScore(o.Get("node-health-red"), 0)
		o.HealthGreen, _ = c.ParseScore(o.Get("node-health-green"), 0)
		o.HealthYellow, _ = c.ParseScore(o.Get("node-health-yellow"), 0)
	}
}

// ParseScore reads a score that may also be a colour of node health.
func (c *Cluster) ParseScore(s string, def Score) (Score, bool) {
	switch strings.ToLower(s) {
	case "red":
		return c.Options.HealthRed, true
	case "yellow":
		return c.Options.HealthYellow, true
	case "green":
		return c.Options.HealthGreen, true
	}
	return ParseScore(s, def)
}

// wantsUnfencing tells whether any resource or default asks for unfencing.
func (c *Cluster) wantsUnfencing() bool {
	asks := func(meta *etree.Element) bool {
		for p := range document.Children(meta, "nvpair") {
			n := document.Get(p, "name")
			if (n == "provides" || n == "requires") && document.Get(p, "value") == "unfencing" {
				return true
			}
		}
		return false
	}
	for m := range document.Children(c.rscDefaults, "meta_attributes") {
		if asks(m) {
			return true
		}
	}
	for m := range document.All(c.resourcesXML, "meta_attributes") {
		if asks(m) {
			return true
		}
	}
	return false
}

// HealthScore sums a node's health attributes, starting from base.
func (c *Cluster) HealthScore(n *Node, base Score) Score {
	for _, k := range sortedKeys(n.Attrs) {
		if strings.HasPrefix(k, "#health") {
			if s, ok := c.ParseScore(n.Attrs[k], 0); ok {
				base = s.Add(base)
			}
		}
	}
	return base
}

// Health is a node's colour: below 0 red, 0 yellow, above 0 green.
func (c *Cluster) Health(n *Node) int {
	o := &c.Options
	if o.HealthStrategy == "none" {
		return 1
	}
	colour := 1
	for _, k := range sortedKeys(n.Attrs) {
		if !strings.HasPrefix(k, "#health") {
			continue
		}
		v := n.Attrs[k]
		if strings.EqualFold(v, "red") {
			return -1
		}
		s, ok := ParseScore(v, 0)
		switch {
		case strings.EqualFold(v, "yellow"):
			colour = 0
		case strings.EqualFold(v, "green"):
		case !ok:
		case s <= o.HealthRed:
			return -1
		case s <= o.HealthYellow && o.HealthYellow != o.HealthGreen:
			colour = 0
		}
	}
	return colour
}
