// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package pengine_test

import (
	"fmt"
	"strings"

	"github.com/beevik/etree"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/cib/document"
)

// A world is a small random cluster while it is made: a few nodes of every kind,
// a few resources of every variant, and constraints between them.
type world struct {
	t        *rapid.T
	nodes    []string // full members
	inner    []string // names of remote and guest nodes
	tops     []string // what constraints may name
	promoted map[string]bool
}

// one is true once in n times.
func one(t *rapid.T, n int, label string) bool {
	return rapid.IntRange(1, n).Draw(t, label) == n
}

func pick(t *rapid.T, label string, from ...string) string {
	return rapid.SampledFrom(from).Draw(t, label)
}

// drawWorld makes a cluster in which nothing runs yet.
func drawWorld(t *rapid.T) *etree.Element {
	w := &world{t: t, promoted: map[string]bool{}}
	for i := range rapid.IntRange(1, 4).Draw(t, "nodes") {
		w.nodes = append(w.nodes, fmt.Sprintf("node%d", i+1))
	}
	resources := w.resources()
	text := fmt.Sprintf(`<cib crm_feature_set="3.20.5" validate-with="pacemaker-4.0" epoch="1" num_updates="0" admin_epoch="0" have-quorum="%d" dc-uuid="1">
<configuration><crm_config>%s</crm_config><nodes>%s</nodes><resources>%s</resources><constraints>%s</constraints>%s</configuration>
<status>%s</status></cib>`, w.quorum(), w.options(), w.nodeList(), resources, w.constraints(), w.defaults(), w.states())
	root, err := document.Parse([]byte(text))
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	return root
}

func (w *world) quorum() int {
	if one(w.t, 12, "quorum lost") {
		return 0
	}
	return 1
}

// pairs writes a set of name and value pairs, "" where there are none.
func pairs(tag, id string, kv ...string) string {
	var b strings.Builder
	for i := 0; i+1 < len(kv); i += 2 {
		if kv[i+1] != "" {
			fmt.Fprintf(&b, `<nvpair id="%s-%s" name="%s" value="%s"/>`, id, kv[i], kv[i], kv[i+1])
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return fmt.Sprintf(`<%s id="%s">%s</%s>`, tag, id, b.String(), tag)
}

func (w *world) options() string {
	t := w.t
	return pairs("cluster_property_set", "options",
		"fencing-enabled", pick(t, "fencing", "true", "true", "false"),
		"symmetric-cluster", pick(t, "symmetric", "", "", "", "", "false"),
		"no-quorum-policy", pick(t, "no-quorum-policy", "", "", "freeze", "ignore", "demote", "fence"),
		"placement-strategy", pick(t, "placement", "", "", "", "utilization", "minimal", "balanced"),
		"start-failure-is-fatal", pick(t, "start-failure", "", "", "false"),
		"concurrent-fencing", pick(t, "concurrent", "", "", "false"),
		"startup-fencing", pick(t, "startup-fencing", "", "", "", "false"),
		"fencing-action", pick(t, "fencing-action", "", "", "off"),
		"priority-fencing-delay", pick(t, "priority delay", "", "", "15s"),
		"node-health-strategy", pick(t, "health", "", "", "", "", "migrate-on-red", "progressive"),
		"shutdown-lock", pick(t, "lock", "", "", "", "", "true"),
		"enable-startup-probes", pick(t, "probes", "", "", "", "false"),
	)
}

func (w *world) nodeList() string {
	var b strings.Builder
	for i, n := range w.nodes {
		fmt.Fprintf(&b, `<node id="%d" uname="%s">%s%s</node>`, i+1, n,
			pairs("instance_attributes", n+"-a",
				"standby", pick(w.t, "standby", "", "", "", "", "", "on"),
				"maintenance", pick(w.t, "maintenance", "", "", "", "", "", "", "", "true"),
				"rack", pick(w.t, "rack", "a", "b")),
			pairs("utilization", n+"-u", "cpu", pick(w.t, "capacity", "2", "4", "8")))
	}
	return b.String()
}

func (w *world) states() string {
	var b strings.Builder
	for i, n := range w.nodes {
		crmd, join := "online", "member"
		member := true
		switch rapid.IntRange(1, 10).Draw(w.t, "state") {
		case 8: // never seen
			continue
		case 9: // gone in good order
			member, crmd, join = false, "offline", "down"
		case 10: // lost
			member = false
		}
		fmt.Fprintf(&b, `<node_state id="%d" uname="%s" in_ccm="%t" crmd="%s" join="%s" expected="%s"/>`, i+1, n, member, crmd, join, join)
	}
	if one(w.t, 2, "ticket") {
		fmt.Fprintf(&b, `<tickets><ticket_state id="T" granted="%t"/></tickets>`, one(w.t, 2, "granted"))
	}
	return b.String()
}

func (w *world) defaults() string {
	return `<rsc_defaults>` + pairs("meta_attributes", "defaults", "resource-stickiness", pick(w.t, "stickiness", "", "1", "1000")) + `</rsc_defaults>`
}

// meta draws the meta-attributes that every resource may have.
func (w *world) meta(id string, more ...string) string {
	t := w.t
	return pairs("meta_attributes", id+"-meta", append(more,
		"priority", pick(t, "priority", "", "", "", "5", "10"),
		"migration-threshold", pick(t, "threshold", "", "", "1", "3"),
		"failure-timeout", pick(t, "failure-timeout", "", "", "", "60s"),
		"target-role", pick(t, "target-role", "", "", "", "", "", "", "", "Stopped", "Started"),
		"is-managed", pick(t, "is-managed", "", "", "", "", "", "", "", "", "", "", "", "false"),
		"requires", pick(t, "requires", "", "", "", "", "", "quorum", "nothing"),
		"multiple-active", pick(t, "multiple-active", "", "", "", "stop_only", "block", "stop_unexpected"),
		"critical", pick(t, "critical", "", "", "", "", "false"))...)
}

func (w *world) operations(id string, promotable bool) string {
	t := w.t
	var b strings.Builder
	onFail := func(words ...string) string {
		if v := pick(t, "on-fail", append([]string{"", "", ""}, words...)...); v != "" {
			return ` on-fail="` + v + `"`
		}
		return ""
	}
	role := ""
	if promotable {
		role = ` role="Unpromoted"`
		fmt.Fprintf(&b, `<op id="%s-mp" name="monitor" interval="9s" role="Promoted"%s/>`, id, onFail("demote", "restart"))
	}
	fmt.Fprintf(&b, `<op id="%s-mon" name="monitor" interval="10s"%s%s/>`, id, role, onFail("ignore", "block", "stop", "standby", "fence"))
	if one(t, 4, "start op") {
		fmt.Fprintf(&b, `<op id="%s-start" name="start" interval="0"%s/>`, id, onFail("block", "stop", "ignore"))
	}
	if one(t, 4, "stop op") {
		fmt.Fprintf(&b, `<op id="%s-stop" name="stop" interval="0"%s/>`, id, onFail("block", "ignore"))
	}
	return `<operations>` + b.String() + `</operations>`
}

func (w *world) primitive(id string, promotable bool, more ...string) string {
	agent := `class="ocf" provider="pacemaker" type="Dummy"`
	if promotable {
		agent = `class="ocf" provider="pacemaker" type="Stateful"`
	}
	if one(w.t, 6, "template") {
		agent = `template="tpl"`
		if promotable {
			agent = `template="tpl-stateful"`
		}
	}
	return fmt.Sprintf(`<primitive id="%s" %s>%s%s%s</primitive>`, id, agent,
		w.meta(id, append(more, "allow-migrate", pick(w.t, "migrate", "", "", "true"))...),
		w.operations(id, promotable), pairs("utilization", id+"-u", "cpu", pick(w.t, "load", "", "", "1", "2")))
}

func (w *world) resources() string {
	t := w.t
	var b strings.Builder
	b.WriteString(`<template id="tpl" class="ocf" provider="pacemaker" type="Dummy"><meta_attributes id="tpl-m"><nvpair id="tpl-m-p" name="priority" value="3"/></meta_attributes></template>` +
		`<template id="tpl-stateful" class="ocf" provider="pacemaker" type="Stateful"/>` +
		`<primitive id="fence" class="stonith" type="fence_dummy"/>`)
	for i := range rapid.IntRange(1, 5).Draw(t, "resources") {
		id := fmt.Sprintf("r%d", i)
		kind := pick(t, "kind", "primitive", "primitive", "primitive", "group", "group", "clone", "clone", "promotable", "bundle", "guest", "remote")
		switch kind {
		case "primitive":
			b.WriteString(w.primitive(id, false))
		case "group":
			b.WriteString(w.group(id))
		case "clone", "promotable":
			b.WriteString(w.clone(id, kind == "promotable"))
		case "bundle":
			b.WriteString(w.bundle(id))
		case "guest":
			b.WriteString(w.primitive(id, false, "remote-node", "guest"+id))
			w.inner = append(w.inner, "guest"+id)
		case "remote":
			fmt.Fprintf(&b, `<primitive id="%s" class="ocf" provider="pacemaker" type="remote">%s<operations><op id="%s-mon" name="monitor" interval="10s"/></operations></primitive>`,
				id, pairs("instance_attributes", id+"-i", "reconnect_interval", pick(t, "reconnect", "", "60s")), id)
			w.inner = append(w.inner, id)
			continue // no constraints on it
		}
		w.tops = append(w.tops, id)
	}
	return b.String()
}

func (w *world) group(id string) string {
	var b strings.Builder
	for i := range rapid.IntRange(1, 3).Draw(w.t, "members") {
		b.WriteString(w.primitive(fmt.Sprintf("%s%c", id, 'a'+i), false))
	}
	return fmt.Sprintf(`<group id="%s">%s%s</group>`, id, w.meta(id), b.String())
}

func (w *world) clone(id string, promotable bool) string {
	t := w.t
	w.promoted[id] = promotable
	inside := w.primitive(id+"c", promotable)
	if !promotable && one(t, 4, "cloned group") {
		inside = w.group(id + "g")
	}
	more := []string{
		"clone-max", pick(t, "clone-max", "", "", "1", "2", "3"),
		"interleave", pick(t, "interleave", "", "true"),
		"ordered", pick(t, "ordered", "", "", "true"),
		"notify", pick(t, "notify", "", "", "true"),
	}
	switch {
	case promotable:
		more = append(more, "promotable", "true", "promoted-max", pick(t, "promoted-max", "", "", "2"))
	case one(t, 4, "unique"):
		more = append(more, "globally-unique", "true", "clone-node-max", pick(t, "node-max", "", "2"))
	}
	return fmt.Sprintf(`<clone id="%s">%s%s</clone>`, id, w.meta(id, more...), inside)
}

func (w *world) bundle(id string) string {
	t := w.t
	promoted, inside, network := "", "", ""
	if one(t, 3, "promotable bundle") {
		promoted = ` promoted-max="1"`
	}
	if one(t, 4, "empty bundle") {
		promoted = ""
	} else {
		inside = w.primitive(id+"p", promoted != "")
		network = fmt.Sprintf(`<network control-port="%d"/>`, 9000+len(w.inner))
	}
	w.promoted[id] = promoted != ""
	return fmt.Sprintf(`<bundle id="%s">%s<podman image="i" replicas="%s"%s/>%s%s</bundle>`, id, w.meta(id), pick(t, "replicas", "1", "2", "3"), promoted, network, inside)
}

func (w *world) score() string {
	return pick(w.t, "score", "-INFINITY", "-INFINITY", "-50", "50", "INFINITY", "INFINITY", "INFINITY")
}

func (w *world) constraints() string {
	t := w.t
	if len(w.tops) == 0 {
		return ""
	}
	places := append(append([]string(nil), w.nodes...), w.inner...)
	var b strings.Builder
	for i := range rapid.IntRange(0, 6).Draw(t, "constraints") {
		id := fmt.Sprintf("c%d", i)
		x, y := rapid.IntRange(0, len(w.tops)-1).Draw(t, "x"), rapid.IntRange(0, len(w.tops)-1).Draw(t, "y")
		a, z := w.tops[min(x, y)], w.tops[max(x, y)]
		switch kind := pick(t, "constraint", "location", "location", "rule", "colocation", "colocation", "order", "order", "set", "ticket"); {
		case kind == "location":
			fmt.Fprintf(&b, `<rsc_location id="%s" rsc="%s" node="%s" score="%s"%s/>`, id, a, pick(t, "node", places...), w.score(),
				pick(t, "discovery", "", "", "", ` resource-discovery="never"`, ` resource-discovery="exclusive"`))
		case kind == "rule":
			fmt.Fprintf(&b, `<rsc_location id="%s" rsc="%s"><rule id="%s-r" score="%s"%s><expression id="%s-e" attribute="rack" operation="eq" value="a"/></rule></rsc_location>`,
				id, a, id, w.score(), w.role(a, ` role="Promoted"`), id)
		case kind == "ticket":
			fmt.Fprintf(&b, `<rsc_ticket id="%s" rsc="%s" ticket="T" loss-policy="%s"/>`, id, a, pick(t, "loss", "stop", "stop", "freeze", "fence"))
		case a == z: // nothing with itself
		case kind == "colocation":
			fmt.Fprintf(&b, `<rsc_colocation id="%s" rsc="%s" with-rsc="%s" score="%s"%s%s%s/>`, id, z, a, w.score(),
				w.role(a, ` with-rsc-role="Promoted"`), w.role(z, ` rsc-role="Promoted"`), pick(t, "attribute", "", "", "", ` node-attribute="rack"`))
		case kind == "order":
			fmt.Fprintf(&b, `<rsc_order id="%s" first="%s" then="%s" kind="%s"%s%s/>`, id, a, z, pick(t, "strict", "Mandatory", "Mandatory", "Mandatory", "Optional", "Serialize"),
				pick(t, "symmetrical", "", "", "", ` symmetrical="false"`), w.role(a, ` first-action="promote" then-action="start"`))
		case kind == "set":
			tag := pick(t, "set of", "rsc_colocation", "rsc_order")
			extra := ` score="INFINITY"`
			if tag == "rsc_order" {
				extra = ` kind="Mandatory"`
			}
			fmt.Fprintf(&b, `<%s id="%s"%s><resource_set id="%s-s" sequential="%t"><resource_ref id="%s"/><resource_ref id="%s"/></resource_set></%s>`,
				tag, id, extra, id, !one(t, 4, "loose"), a, z, tag)
		}
	}
	return b.String()
}

// role gives a text where the resource has roles, at times.
func (w *world) role(rsc, text string) string {
	if w.promoted[rsc] && one(w.t, 2, "role") {
		return text
	}
	return ""
}
