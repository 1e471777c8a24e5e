// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package schema

import (
	"fmt"
	"slices"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// special checks what the table cannot say.
func (v *validator) special(e *etree.Element, counts map[string]int) {
	if has(e, "id-ref") && e.Tag != "operations" {
		v.alone(e)
		return
	}
	switch e.Tag {
	case "node":
		if v.v < v12 {
			v.need(e, "type")
		}
	case "nvpair":
		v.need(e, "name")
		if v.v >= v40 {
			v.need(e, "value")
		}
		v.banned(e)
	case "clone", "master":
		if n := counts["primitive"] + counts["group"]; n != 1 {
			v.fault(e, fmt.Sprintf("needs exactly one primitive or group, has %d", n))
		}
	case "bundle":
		if n := counts["docker"] + counts["podman"] + counts["rkt"]; n != 1 {
			v.fault(e, fmt.Sprintf("needs exactly one of docker, podman, rkt, has %d", n))
		}
	case "primitive", "template":
		v.agent(e)
	case "port-mapping":
		v.with(e, "internal-port", "port")
	case "resource_set":
		if counts["resource_ref"] == 0 {
			v.fault(e, "expecting an element resource_ref, got nothing")
		}
	case "rule":
		v.rule(e, counts)
	case "date_expression":
		v.dateExpression(e, counts)
	case "acl_permission":
		v.with(e, "attribute", "object-type")
	case "read", "write", "deny":
		if has(e, "xpath") == (has(e, "tag") || has(e, "ref")) {
			v.fault(e, "needs either xpath or tag and ref")
		}
	case "acl_user":
		if counts["role_ref"] > 0 && counts["read"]+counts["write"]+counts["deny"] > 0 {
			v.fault(e, "allows either role_ref or permissions, not both")
		}
	case "fencing-level":
		if has(e, "target-attribute") != has(e, "target-value") {
			v.fault(e, "needs both target-attribute and target-value, or neither")
		}
	case "rsc_location", "rsc_colocation", "rsc_order", "rsc_ticket":
		v.constraint(e, counts)
	}
}

func (v *validator) need(e *etree.Element, list ...string) {
	for _, name := range list {
		if !has(e, name) {
			v.fault(e, "attribute "+name+" is missing")
		}
	}
}

// with checks that an attribute stands together with another one.
func (v *validator) with(e *etree.Element, name, other string) {
	if has(e, name) && !has(e, other) {
		v.fault(e, "attribute "+name+" needs "+other)
	}
}

// alone checks that a reference has nothing of its own.
func (v *validator) alone(e *etree.Element) {
	for i := range e.Attr {
		name := e.Attr[i].FullKey()
		if name == "id-ref" || name == "id" || name == "name" && e.Tag == "nvpair" && v.v < v40 {
			continue // id and id-ref together are told of already
		}
		v.fault(e, "a reference (id-ref) has no attribute "+name)
	}
	for _, k := range e.ChildElements() {
		v.fault(k, "a reference (id-ref) has no children")
	}
}

// agent checks how a resource names its agent.
func (v *validator) agent(e *etree.Element) {
	class, classed := document.Lookup(e, "class")
	if !classed {
		for _, name := range []string{"provider", "type"} {
			if has(e, name) && e.Tag == "primitive" {
				v.fault(e, "attribute "+name+" needs class")
			}
		}
		return
	}
	switch provider := has(e, "provider"); {
	case class == "ocf" && !provider:
		v.fault(e, "class ocf needs a provider")
	case class != "ocf" && provider:
		v.fault(e, "only class ocf has a provider")
	}
	if e.Tag == "primitive" {
		v.need(e, "type")
	} else if v.v < v27 && slices.Contains([]string{"service", "systemd", "nagios"}, class) {
		v.fault(e, fmt.Sprintf("class=%q is not allowed in a template by schema %s", class, names[v.v]))
	}
}

func (v *validator) rule(e *etree.Element, counts map[string]int) {
	n := 0
	for _, c := range counts {
		n += c
	}
	if n == 0 {
		v.fault(e, "expecting an expression or a rule, got nothing")
	}
	if v.v < v39 && !has(e, "score") && !has(e, "score-attribute") {
		v.fault(e, "needs exactly one of the attributes score, score-attribute, has 0")
	}
}

// dateExpression checks what each kind of expression has.
func (v *validator) dateExpression(e *etree.Element, counts map[string]int) {
	start, end, duration, spec := has(e, "start"), has(e, "end"), counts["duration"] > 0, counts["date_spec"] > 0
	op := document.Get(e, "operation")
	var good bool
	switch op {
	case "in_range":
		good = !spec && (start || end)
		if v.v < v39 {
			good = !spec && (end && !duration || start && !end && duration)
		}
	case "gt":
		good = start && !end && !duration && !spec
	case "lt":
		good = end && !start && !duration && !spec
	case "date_spec":
		good = spec && !start && !end && !duration
	default:
		return // told already
	}
	if !good {
		v.fault(e, "has not what the operation "+op+" needs")
	}
}

// constraint checks that the resources of a constraint are given in one of the
// two ways, and what else depends on that.
func (v *validator) constraint(e *etree.Element, counts map[string]int) {
	var need, may []string
	switch e.Tag {
	case "rsc_location":
		v.location(e, counts)
		return
	case "rsc_colocation":
		need, may = []string{"rsc", "with-rsc"}, []string{"node-attribute", "rsc-role", "with-rsc-role"}
	case "rsc_order":
		need, may = []string{"first", "then"}, []string{"first-action", "then-action"}
	case "rsc_ticket":
		need, may = []string{"rsc"}, []string{"rsc-role"}
	}
	if counts["resource_set"] == 0 {
		v.need(e, need...)
		return
	}
	for _, name := range append(need, may...) {
		if has(e, name) {
			v.fault(e, "attribute "+name+" is not allowed beside resource_set")
		}
	}
	if v.v < v40 && !inOrder(e, "lifetime", "resource_set") {
		v.fault(e, "lifetime has to come before resource_set")
	}
}

func (v *validator) location(e *etree.Element, counts map[string]int) {
	named := has(e, "rsc") || has(e, "rsc-pattern")
	switch sets := counts["resource_set"] > 0; {
	case sets && (named || has(e, "role")):
		v.fault(e, "allows either resource_set or rsc and role, not both")
	case !sets && !named:
		v.fault(e, "attribute rsc is missing")
	}
	switch {
	case counts["rule"] == 0:
		v.need(e, "score", "node")
	case has(e, "score") || has(e, "node"):
		v.fault(e, "allows either rule or score and node, not both")
	case counts["rule"] > 1 && v.v >= v40:
		v.fault(e, fmt.Sprintf("element rule is given %d times", counts["rule"]))
	}
	if !inOrder(e, "resource_set", "rule", "lifetime") {
		v.fault(e, "needs the order resource_set, rule, lifetime")
	}
}

// inOrder tells whether the children of the names come in their order.
func inOrder(e *etree.Element, order ...string) bool {
	last := 0
	for _, k := range e.ChildElements() {
		i := slices.Index(order, k.Tag)
		if i < 0 {
			continue
		}
		if i < last {
			return false
		}
		last = i
	}
	return true
}

// A ban is a name that an nvpair may not have in a place.
type ban struct {
	in    span
	where string // the set's parents, separated by |
	set   string
	names string
}

// Names that upgrades do away with: a later schema forbids them, so that nobody
// believes in them.
var bans = []ban{
	{span{v30, v310}, "crm_config", "cluster_property_set", `cluster_recheck_interval dc_deadtime default-action-timeout
		default_action_timeout default-migration-threshold default_migration_threshold default-resource-failure-stickiness
		default_resource_failure_stickiness default-resource-stickiness default_resource_stickiness election_timeout
		expected-quorum-votes is-managed-default is_managed_default no_quorum_policy notification-agent notification-recipient
		remove_after_stop shutdown_escalation startup_fencing stonith_action stonith_enabled stop_orphan_actions
		stop_orphan_resources symmetric_cluster transition_idle_timeout`},
	{span{v30, v310}, "primitive|template", "meta_attributes", "isolation isolation-host isolation-instance isolation-wrapper"},
	{span{v30, v30}, "primitive|template", "instance_attributes", `pcmk_arg_map pcmk_list_cmd pcmk_monitor_cmd pcmk_off_cmd
		pcmk_on_cmd pcmk_reboot_cmd pcmk_status_cmd`},
	{span{v30, v310}, "op", "meta_attributes", "requires"},
	{span{v30, v30}, "op", "instance_attributes", "interval-origin start-delay enabled on-fail record-pending role timeout requires"},
	{span{v40, v40}, "crm_config", "cluster_property_set", `crmd-finalization-timeout crmd-integration-timeout
		crmd-transition-delay remove-after-stop`},
	{span{v40, v40}, "primitive|template|group|clone|bundle|rsc_defaults", "meta_attributes", "restart-type"},
	{span{v40, v40}, "op|op_defaults", "meta_attributes", "can_fail role_after_failure"},
}

// oldStacks are values of cluster-infrastructure that no longer exist.
var oldStacks = []string{"heartbeat", "openais", "classic openais", "classic openais (with plugin)", "cman"}

// banned checks an nvpair against the names that are gone.
func (v *validator) banned(e *etree.Element) {
	set := e.Parent()
	if set == nil || set.Parent() == nil {
		return
	}
	name, value := document.Get(e, "name"), document.Get(e, "value")
	for i := range bans {
		b := &bans[i]
		if b.in.has(v.v) && b.set == set.Tag && slices.Contains(strings.Split(b.where, "|"), set.Parent().Tag) &&
			slices.Contains(strings.Fields(b.names), name) {
			v.fault(e, fmt.Sprintf("name=%q is no longer allowed here", name))
		}
	}
	if set.Tag != "cluster_property_set" {
		return
	}
	switch {
	case v.v >= v30 && v.v <= v310 && name == "cluster-infrastructure" && slices.Contains(oldStacks, value),
		v.v >= v40 && name == "stonith-action" && value == "poweroff":
		v.fault(e, fmt.Sprintf("value=%q is no longer allowed for %s", value, name))
	case v.v >= v30 && v.v <= v310 && name == "cluster-infrastructure" && !has(e, "value"):
		v.fault(e, "attribute value is missing")
	}
}
