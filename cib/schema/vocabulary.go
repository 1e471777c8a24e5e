// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package schema

import "strings"

// The vocabulary, one element per line: its name, its attributes, a slash, its
// children.
//
// An attribute may end with =TYPE and with ! where it must be there. "a|b"
// asks for exactly one of the two, "a?b" allows at most one. A child may end
// with ! (exactly one is needed) or + (at least one).
const vocabulary = `
cib * / configuration! status
configuration / crm_config! nodes! resources! constraints! acls fencing-topology tags alerts rsc_defaults op_defaults
crm_config / cluster_property_set
rsc_defaults / meta_attributes
op_defaults / meta_attributes
cluster_property_set id=id|id-ref=ref score=score / rule nvpair
meta_attributes id=id|id-ref=ref score=score / rule nvpair
instance_attributes id=id|id-ref=ref score=score / rule nvpair
utilization id=id|id-ref=ref score=score / rule nvpair
nvpair id=id|id-ref=ref name value /
nodes / node
node id! uname! type=nodetype description score=score / instance_attributes utilization
resources / primitive template group clone master bundle
primitive id=id! class=class|template=idref provider type description / meta_attributes instance_attributes operations utilization
template id=id! class=class! provider type! description / meta_attributes instance_attributes operations utilization
operations id=id?id-ref=ref / op
op id=id|id-ref=ref name interval timeout start-delay interval-origin on-fail=onfail record-pending=bool role=role requires=requires enabled=bool disabled=bool prereq description / meta_attributes instance_attributes
group id=id! description ordered=bool collocated=bool restart-type / meta_attributes instance_attributes primitive+
clone id=id! description / meta_attributes instance_attributes primitive group
master id=id! description / meta_attributes instance_attributes primitive group
bundle id=id! description / meta_attributes instance_attributes docker podman rkt network storage primitive
docker image! replicas replicas-per-host masters promoted-max run-command network options /
podman image! replicas replicas-per-host masters promoted-max run-command network options /
rkt image! replicas replicas-per-host masters promoted-max run-command network options /
network ip-range-start control-port host-interface host-netmask add-host / port-mapping
port-mapping id=id! port?range internal-port /
storage / storage-mapping
storage-mapping id=id! source-dir|source-dir-root target-dir! options /
constraints / rsc_location rsc_colocation rsc_order rsc_ticket
rsc_location id=id! rsc=idref?rsc-pattern score=score node role=role resource-discovery=discovery score-attribute / rule resource_set lifetime
rsc_colocation id=id! score=score?score-attribute?score-attribute-mangle rsc=idref with-rsc=idref node-attribute rsc-role=role with-rsc-role=role rsc-instance with-rsc-instance influence / resource_set lifetime
rsc_order id=id! score=score?kind=kind first=idref then=idref first-action=action then-action=action first-instance then-instance symmetrical=bool require-all=bool / resource_set lifetime
rsc_ticket id=id! ticket! rsc=idref rsc-role=role loss-policy=losspolicy / resource_set
resource_set id=id|id-ref=ref sequential=bool require-all=bool ordering action=action role=role score=score kind=kind / resource_ref
resource_ref id=idref! /
lifetime / rule
rule id=id|id-ref=ref score=score?score-attribute boolean-op=boolop role=role / expression date_expression rsc_expression op_expression rule
expression id=id! attribute! operation=operation! value type=valuetype value-source=valuesource /
date_expression id=id! operation=dateop start end value / duration date_spec
duration id=id years months weeks days hours minutes seconds weekdays monthdays yeardays yearsdays weekyears moon /
date_spec id=id years months weeks days hours minutes seconds weekdays monthdays yeardays yearsdays weekyears moon /
rsc_expression id=id! class provider type /
op_expression id=id! name! interval /
acls / acl_role acl_target acl_group acl_user
acl_role id=id! description / acl_permission role_ref read write deny
acl_permission id=id! kind=aclkind! xpath|reference=idref|object-type attribute description /
acl_target id! name description / role
acl_group id! name description / role
acl_user id! description / role_ref read write deny
role id=idref! /
role_ref id=idref! /
read id=id! tag ref=idref xpath attribute /
write id=id! tag ref=idref xpath attribute /
deny id=id! tag ref=idref xpath attribute /
fencing-topology / fencing-level
fencing-level id=id! target|target-pattern|target-attribute target-value index=index! devices! /
tags / tag
tag id=id! / obj_ref+
obj_ref id=idref! /
alerts / alert
alert id=id! path! description / meta_attributes instance_attributes select recipient
select / select_attributes select_fencing select_nodes select_resources
select_attributes / attribute
attribute id=id! name! /
select_fencing /
select_nodes /
select_resources /
recipient id=id! value! description / meta_attributes instance_attributes
status * / *
`

// An attr is one attribute of an element; group says which others stand for it.
type attr struct {
	name, kind string
	required   bool
}

type element struct {
	attrs   map[string]attr
	order   []string   // of attrs, for texts
	oneOf   [][]string // exactly one of each
	mostOne [][]string // at most one of each
	kids    map[string]byte
	anyAttr bool
	anyKid  bool
	kidList []string
}

var elements = readVocabulary(vocabulary)

func readVocabulary(text string) map[string]element {
	all := map[string]element{}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		left, right, _ := strings.Cut(line, "/")
		words := strings.Fields(left)
		e := element{attrs: map[string]attr{}, kids: map[string]byte{}}
		for _, w := range words[1:] {
			e.addAttrs(w)
		}
		for k := range strings.FieldsSeq(right) {
			if k == "*" {
				e.anyKid = true
				continue
			}
			name := strings.TrimRight(k, "!+")
			e.kids[name] = k[len(k)-1]
			e.kidList = append(e.kidList, name)
		}
		all[words[0]] = e
	}
	return all
}

func (e *element) addAttrs(word string) {
	if word == "*" {
		e.anyAttr = true
		return
	}
	var names []string
	for _, w := range strings.FieldsFunc(word, func(r rune) bool { return r == '|' || r == '?' }) {
		w, required := strings.CutSuffix(w, "!")
		name, kind, _ := strings.Cut(w, "=")
		e.attrs[name] = attr{name: name, kind: kind, required: required}
		e.order = append(e.order, name)
		names = append(names, name)
	}
	switch {
	case strings.Contains(word, "|"):
		e.oneOf = append(e.oneOf, names)
	case strings.Contains(word, "?"):
		e.mostOne = append(e.mostOne, names)
	}
}

// Enumerations, without regard to case where the schemas allow several.
var enums = map[string][]string{
	"bool":        {"true", "false", "1", "0"},
	"nodetype":    {"member", "remote", "ping", "normal"},
	"class":       {"ocf", "lsb", "heartbeat", "stonith", "upstart", "service", "systemd", "nagios"},
	"onfail":      {"ignore", "block", "stop", "restart", "standby", "fence", "restart-container", "demote"},
	"role":        {"Stopped", "Started", "Master", "Slave", "Promoted", "Unpromoted"},
	"requires":    {"nothing", "quorum", "fencing", "unfencing"},
	"discovery":   {"always", "never", "exclusive"},
	"kind":        {"Optional", "Mandatory", "Serialize"},
	"action":      {"start", "promote", "demote", "stop"},
	"losspolicy":  {"stop", "demote", "fence", "freeze"},
	"boolop":      {"or", "and"},
	"operation":   {"lt", "gt", "lte", "gte", "eq", "ne", "defined", "not_defined"},
	"dateop":      {"gt", "lt", "in_range", "date_spec", "eq", "neq", "lte", "gte"},
	"valuetype":   {"string", "integer", "number", "version"},
	"valuesource": {"literal", "param", "meta"},
	"aclkind":     {"read", "write", "deny"},
}
