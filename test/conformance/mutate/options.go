// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package mutate

import (
	"github.com/quorate/quorate/cib/document"
)

// An option is a name with values worth trying.
type option struct {
	name   string
	values []string
}

var clusterOptions = []option{
	{"no-quorum-policy", []string{"stop", "freeze", "ignore", "suicide", "demote", "fence"}},
	{"stonith-enabled", []string{"true", "false"}},
	{"fencing-enabled", []string{"true", "false"}},
	{"stonith-action", []string{"reboot", "off", "poweroff"}},
	{"symmetric-cluster", []string{"true", "false"}},
	{"maintenance-mode", []string{"true", "false"}},
	{"stop-all-resources", []string{"true", "false"}},
	{"stop-orphan-resources", []string{"true", "false"}},
	{"stop-orphan-actions", []string{"true", "false"}},
	{"remove-after-stop", []string{"true", "false"}},
	{"start-failure-is-fatal", []string{"true", "false"}},
	{"startup-fencing", []string{"true", "false"}},
	{"enable-startup-probes", []string{"true", "false"}},
	{"placement-strategy", []string{"default", "utilization", "minimal", "balanced"}},
	{"concurrent-fencing", []string{"true", "false"}},
	{"priority-fencing-delay", []string{"0", "10s", "60"}},
	{"node-health-strategy", []string{"none", "migrate-on-red", "only-green", "progressive", "custom"}},
	{"node-health-base", []string{"0", "100", "-100", "INFINITY"}},
	{"node-health-red", []string{"-INFINITY", "-100", "0"}},
	{"node-health-yellow", []string{"0", "-10", "-INFINITY"}},
	{"node-health-green", []string{"0", "10"}},
	{"shutdown-lock", []string{"true", "false"}},
	{"shutdown-lock-limit", []string{"0", "1min", "30min"}},
	{"cluster-delay", []string{"60s", "30s"}},
	{"batch-limit", []string{"0", "10"}},
	{"migration-limit", []string{"-1", "0", "1", "2"}},
	{"have-watchdog", []string{"true", "false"}},
	{"stonith-watchdog-timeout", []string{"0", "10s", "-1"}},
	{"stonith-timeout", []string{"60s", "0", "120"}},
	{"node-pending-timeout", []string{"0", "2h", "30s"}},
	{"fence-remote-without-quorum", []string{"true", "false"}},
	{"cluster-recheck-interval", []string{"0", "15min"}},
	{"default-resource-stickiness", []string{"100", "INFINITY"}},
	{"is-managed-default", []string{"false"}},
	{"default-action-timeout", []string{"10s"}},
	{"pe-error-series-max", []string{"10"}},
}

var metaOptions = []option{
	{"target-role", []string{"Stopped", "Started", "Unpromoted", "Promoted", "Slave", "Master"}},
	{"is-managed", []string{"true", "false"}},
	{"maintenance", []string{"true", "false"}},
	{"priority", []string{"0", "1", "10", "100", "-10", "INFINITY"}},
	{"resource-stickiness", []string{"0", "1", "100", "1000", "INFINITY", "-1", "-INFINITY"}},
	{"migration-threshold", []string{"0", "1", "2", "3", "1000000", "INFINITY"}},
	{"failure-timeout", []string{"0", "10s", "60", "1h", "1min"}},
	{"multiple-active", []string{"stop_start", "stop_only", "block", "stop_unexpected"}},
	{"allow-migrate", []string{"true", "false"}},
	{"requires", []string{"nothing", "quorum", "fencing", "unfencing"}},
	{"critical", []string{"true", "false"}},
	{"allow-unhealthy-nodes", []string{"true", "false"}},
	{"resource-stickiness", []string{"50"}},
}

var cloneOptions = []option{
	{"clone-max", []string{"0", "1", "2", "3", "5", "-1"}},
	{"clone-node-max", []string{"0", "1", "2", "3"}},
	{"clone-min", []string{"0", "1", "2"}},
	{"notify", []string{"true", "false"}},
	{"ordered", []string{"true", "false"}},
	{"interleave", []string{"true", "false"}},
	{"globally-unique", []string{"true", "false"}},
	{"promotable", []string{"true", "false"}},
	{"promoted-max", []string{"0", "1", "2", "3", "-1"}},
	{"promoted-node-max", []string{"0", "1", "2"}},
	{"master-max", []string{"1", "2"}},
	{"master-node-max", []string{"1", "2"}},
}

var operationOptions = []option{
	{"interval", []string{"0", "10s", "20s", "60s", "1h", "P1D", "10"}},
	{"timeout", []string{"10s", "20s", "60000ms", "2min"}},
	{"on-fail", []string{"ignore", "block", "stop", "restart", "fence", "standby", "restart-container", "demote"}},
	{"role", []string{"Promoted", "Unpromoted", "Started", "Stopped", "Master", "Slave"}},
	{"interval-origin", []string{"2026-01-01 00:00:00Z", "2026-07-15 11:59:55Z"}},
	{"start-delay", []string{"0", "10s", "1min"}},
	{"enabled", []string{"true", "false"}},
	{"record-pending", []string{"true", "false"}},
}

var optionKinds = []Kind{
	{"option", setOption},
	{"option-twice", setOption},
	{"option-dropped", func(s *state) string {
		return s.dropPair(s.options, "cluster_property_set")
	}},
	{"option-set", func(s *state) string {
		// a second set of options, of higher or lower precedence
		o := pick(s, clusterOptions)
		set := document.Add(s.options, "cluster_property_set", "id", s.id())
		if s.chance(70) {
			document.Set(set, "score", s.score())
		}
		value := pick(s, o.values)
		document.Add(set, "nvpair", "id", s.id(), "name", o.name, "value", value)
		return o.name + "=" + value + " score " + document.Get(set, "score")
	}},
	{"resource-default", func(s *state) string {
		o := pick(s, metaOptions)
		return s.setPair(s.defaults("rsc_defaults"), "meta_attributes", o.name, pick(s, o.values))
	}},
	{"operation-default", func(s *state) string {
		o := pick(s, operationOptions[1:])
		return s.setPair(s.defaults("op_defaults"), "meta_attributes", o.name, pick(s, o.values))
	}},
}

func setOption(s *state) string {
	o := pick(s, clusterOptions)
	return s.setPair(s.options, "cluster_property_set", o.name, pick(s, o.values))
}
