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

// A renaming is what becomes of a setting.
type renaming struct {
	old  string
	name string // "" drops it
	// only limits it to these values, separated by |; rows without come last.
	only string
	// prefix limits it to values that begin so, without a comma, and is cut off.
	prefix string
	value  string // the new value, "" keeps the old one
	where  string // the section that it moves to
	why    string // for a note
}

// properties210 are the cluster properties that schema 3.0 no longer has.
var properties210 = []renaming{
	{
		old: "cluster-infrastructure", only: strings.Join(oldStacks, "|"),
		why: "corosync (2+) infrastructure can be used instead, though the value is not of significance",
	},
	{old: "cluster_recheck_interval", name: "cluster-recheck-interval"},
	{old: "dc_deadtime", name: "dc-deadtime"},
	{old: "default-action-timeout", name: "timeout", where: "op_defaults"},
	{old: "default_action_timeout", name: "timeout", where: "op_defaults"},
	{old: "default-migration-threshold", why: setThreshold},
	{old: "default_migration_threshold", why: setThreshold},
	{old: "default-resource-stickiness", name: "resource-stickiness", where: "rsc_defaults"},
	{old: "default_resource_stickiness", name: "resource-stickiness", where: "rsc_defaults"},
	{old: "default-resource-failure-stickiness", only: "-INFINITY", name: "migration-threshold", value: "1", where: "rsc_defaults"},
	{old: "default-resource-failure-stickiness", why: setThreshold},
	{old: "default_resource_failure_stickiness", only: "-INFINITY", name: "migration-threshold", value: "1", where: "rsc_defaults"},
	{old: "default_resource_failure_stickiness", why: setThreshold},
	{old: "election_timeout", name: "election-timeout"},
	{old: "expected-quorum-votes", why: "corosync (2+) infrastructure tracks quorum on its own"},
	{old: "is-managed-default", name: "is-managed", where: "rsc_defaults"},
	{old: "is_managed_default", name: "is-managed", where: "rsc_defaults"},
	{old: "no_quorum_policy", name: "no-quorum-policy"},
	{old: "notification-agent", why: useAlerts},
	{old: "notification-recipient", why: useAlerts},
	{old: "remove_after_stop", name: "remove-after-stop"},
	{old: "shutdown_escalation", name: "shutdown-escalation"},
	{old: "startup_fencing", name: "startup-fencing"},
	{old: "stonith_action", name: "stonith-action"},
	{old: "stonith_enabled", name: "stonith-enabled"},
	{old: "stop_orphan_actions", name: "stop-orphan-actions"},
	{old: "stop_orphan_resources", name: "stop-orphan-resources"},
	{old: "symmetric_cluster", name: "symmetric-cluster"},
	{old: "transition_idle_timeout", name: "cluster-delay"},
}

const (
	setThreshold = "migration-threshold in rsc_defaults can be configured instead"
	useAlerts    = "standalone alerts can be configured instead"
	useBundles   = "i.e. resource at hand disabled; isolation wrappers obsoleted with bundle resources"
)

// params210 and meta210 are those of resources.
var (
	params210 = []renaming{
		{old: "pcmk_arg_map", name: "pcmk_host_argument", prefix: "port:"},
		{old: "pcmk_arg_map"},
		{old: "pcmk_list_cmd", name: "pcmk_list_action"},
		{old: "pcmk_monitor_cmd", name: "pcmk_monitor_action"},
		{old: "pcmk_off_cmd", name: "pcmk_off_action"},
		{old: "pcmk_on_cmd", name: "pcmk_on_action"},
		{old: "pcmk_reboot_cmd", name: "pcmk_reboot_action"},
		{old: "pcmk_status_cmd", name: "pcmk_status_action"},
	}
	meta210 = []renaming{
		{old: "isolation", name: "target-role", value: "Stopped", why: useBundles},
		{old: "isolation-host", name: "target-role", value: "Stopped", why: useBundles},
		{old: "isolation-instance", name: "target-role", value: "Stopped", why: useBundles},
		{old: "isolation-wrapper", name: "target-role", value: "Stopped", why: useBundles},
		{old: "resource-failure-stickiness", only: "-INFINITY", name: "migration-threshold", value: "1"},
		{old: "resource-failure-stickiness", why: "migration-threshold can be configured instead"},
		{old: "resource_failure_stickiness", only: "-INFINITY", name: "migration-threshold", value: "1"},
		{old: "resource_failure_stickiness", why: "migration-threshold can be configured instead"},
	}
)

func find(table []renaming, p *etree.Element) *renaming {
	name, value := document.Get(p, "name"), document.Get(p, "value")
	for i := range table {
		r := &table[i]
		switch {
		case r.old != name:
		case r.only != "" && !slices.Contains(strings.Split(r.only, "|"), value):
		case r.prefix != "" && (!strings.HasPrefix(value, r.prefix) || strings.Contains(value, ",")):
		default:
			return r
		}
	}
	return nil
}

// prefix210 begins the ids of what the upgrade to 3.0 adds.
const prefix210 = "_2TO3_"

// An upgrader210 brings a CIB from schema 2.10 to 3.0.
type upgrader210 struct {
	root *etree.Element
	note func(string)
}

// upgrade210 changes what schema 3.0 no longer has.
func upgrade210(root *etree.Element, note func(string)) error {
	u := &upgrader210{root, note}
	if err := u.enter(); err != nil {
		return err
	}
	document.Set(root, "validate-with", names[v30])
	u.properties()
	for n := range document.Children(document.Section(root, "nodes"), "node") {
		if document.Get(n, "type") == "normal" {
			document.Set(n, "type", "member")
		}
	}
	var resources []*etree.Element
	each(document.Section(root, "resources"), func(e *etree.Element) {
		if e.Tag == "primitive" || e.Tag == "template" {
			resources = append(resources, e)
		}
	})
	for _, r := range resources {
		u.operations(r)
		for _, set := range r.ChildElements() {
			switch set.Tag {
			case "instance_attributes":
				u.apply(set, params210)
			case "meta_attributes":
				u.apply(set, meta210)
				onlyOnce(set)
			default:
				continue
			}
			dropEmpty(set)
		}
	}
	for c := range document.Children(document.Section(root, "constraints"), "rsc_colocation") {
		for _, name := range []string{"score-attribute", "score-attribute-mangle"} {
			if document.Unset(c, name) {
				u.note("INFO: Constraints-colocation: " + document.ID(c) + ": dropping " + name + ": was actually never in effect")
			}
		}
	}
	u.leave()
	return nil
}

// dropEmpty drops a set of which nothing is left.
func dropEmpty(set *etree.Element) {
	if document.Child(set, "nvpair") == nil {
		drop(set)
	}
}

// apply renames and drops settings of a set.
func (u *upgrader210) apply(set *etree.Element, table []renaming) {
	for _, p := range set.ChildElements() {
		if p.Tag != "nvpair" {
			continue
		}
		r := find(table, p)
		if r == nil {
			continue
		}
		u.tell(set, p, r)
		if r.name == "" || r.where != "" {
			drop(p)
			continue
		}
		change(p, r)
	}
}

// tell notes what cannot be kept as it is.
func (u *upgrader210) tell(set, p *etree.Element, r *renaming) {
	if r.why == "" {
		return
	}
	kind, what := "INFO", "dropping "+r.old
	if r.name != "" {
		kind, what = "WARNING", fmt.Sprintf("%s becomes %s=%s", r.old, r.name, r.value)
	}
	u.note(fmt.Sprintf("%s: %s %s: %s: %s", kind, set.Tag, document.ID(p), what, r.why))
}

// change gives a setting its new name and value.
func change(p *etree.Element, r *renaming) {
	document.Set(p, "name", r.name)
	switch {
	case r.value != "":
		document.Set(p, "value", r.value)
	case r.prefix != "":
		document.Set(p, "value", strings.TrimPrefix(document.Get(p, "value"), r.prefix))
	}
}

// onlyOnce keeps one of several settings that got the same name.
func onlyOnce(set *etree.Element) {
	seen := false
	for _, p := range set.ChildElements() {
		if p.Tag != "nvpair" || document.Get(p, "name") != "target-role" || document.Get(p, "value") != "Stopped" {
			continue
		}
		if seen {
			drop(p)
		}
		seen = true
	}
}

// properties renames and drops cluster properties, or moves them to where they
// are configured now.
func (u *upgrader210) properties() {
	config := document.Child(u.root, "configuration")
	moved := map[string][]*etree.Element{}
	for _, set := range document.Section(u.root, "crm_config").ChildElements() {
		for _, p := range set.ChildElements() {
			r := find(properties210, p)
			if r == nil || r.where == "" || p.Tag != "nvpair" || document.Child(set, "rule") != nil {
				continue
			}
			c := document.Clone(p)
			change(c, r)
			moved[r.where] = append(moved[r.where], c)
		}
		u.apply(set, properties210)
		dropEmpty(set)
	}
	for _, where := range []string{"op_defaults", "rsc_defaults"} {
		list := moved[where]
		if len(list) == 0 {
			continue
		}
		defaults := document.Child(config, where)
		if defaults == nil {
			defaults = document.Add(config, where)
			document.Add(defaults, "meta_attributes", "id", prefix210+"-"+strings.ReplaceAll(where, "_", "-"))
		}
		addMissing(defaults, list)
	}
}

// addMissing adds settings to the first set without a rule, but those that any
// such set has.
func addMissing(defaults *etree.Element, list []*etree.Element) {
	var first *etree.Element
	has := map[string]bool{}
	for set := range document.Children(defaults, "meta_attributes") {
		if document.Child(set, "rule") != nil {
			continue
		}
		if first == nil {
			first = set
		}
		for p := range document.Children(set, "nvpair") {
			has[document.Get(p, "name")] = true
		}
	}
	for _, p := range list {
		if first != nil && !has[document.Get(p, "name")] {
			first.AddChild(p)
		}
	}
}

// Prefixes of the ids of copies that stand for references.
const (
	copyPrefix = "_cibtr-2_"
	partPrefix = "__cibtr-2_"
)

var foldTags = []string{"cluster_property_set", "instance_attributes", "meta_attributes"}

// enter puts a copy in the place of each reference to a set.
func (u *upgrader210) enter() error {
	sets := map[string][]*etree.Element{}
	var refs []*etree.Element
	each(u.root, func(e *etree.Element) {
		if !slices.Contains(foldTags, e.Tag) {
			return
		}
		if has(e, "id-ref") {
			refs = append(refs, e)
		} else {
			sets[e.Tag+" "+document.ID(e)] = append(sets[e.Tag+" "+document.ID(e)], e)
		}
	})
	for _, ref := range refs {
		id := document.Get(ref, "id-ref")
		found := sets[ref.Tag+" "+id]
		if len(found) != 1 {
			return fmt.Errorf("%w: %s id-ref=%q refers to %d of its kind", ErrNotUpgradable, ref.Tag, id, len(found))
		}
		c := document.Clone(found[0])
		for _, k := range c.ChildElements() {
			each(k, func(e *etree.Element) {
				if has(e, "id") && e.Tag != "resource_ref" {
					document.Set(e, "id", partPrefix+id+"__"+document.ID(e))
				}
			})
		}
		document.Set(c, "id", copyPrefix+id)
		replace(ref, c)
	}
	return nil
}

// leave puts references again in the place of copies that are still the same as
// their original.
func (u *upgrader210) leave() {
	sets := map[string]*etree.Element{}
	var copies []*etree.Element
	each(u.root, func(e *etree.Element) {
		if !slices.Contains(foldTags, e.Tag) {
			return
		}
		if strings.HasPrefix(document.ID(e), copyPrefix) {
			copies = append(copies, e)
		} else {
			sets[e.Tag+" "+document.ID(e)] = e
		}
	})
	for _, c := range copies {
		id := strings.TrimPrefix(document.ID(c), copyPrefix)
		if original := sets[c.Tag+" "+id]; original != nil && document.Equal(withoutIDs(original), withoutIDs(c)) {
			replace(c, document.New(c.Tag, "id-ref", id))
		}
	}
}

func withoutIDs(e *etree.Element) *etree.Element {
	c := document.Clone(e)
	each(c, func(k *etree.Element) { document.Unset(k, "id") })
	return c
}
