// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package schema

import "strings"

// The vocabulary, one element per line: its name, its attributes, a slash, its
// children.
//
// An attribute may have a type (NAME=TYPE) and end with ! where it must be there.
// "a|b" asks for exactly one of the two, "a?b" allows at most one. A child may
// end with ! (exactly one is needed), + (at least one) or ? (at most one).
// @FROM-TO limits anything to the schemas from one version to another; the file
// special.go has what cannot be said here.
const vocabulary = `
cib validate-with admin_epoch epoch num_updates crm_feature_set remote-tls-port=count remote-clear-port=count have-quorum=bool dc-uuid cib-last-written no-quorum-panic=bool update-origin@1.2- update-client@1.2- update-user@1.2- execution-date@1.2- / configuration! status?
configuration / crm_config! nodes! resources! constraints! acls@1.2-? fencing-topology@1.2-? tags@1.3-? alerts@2.5-? rsc_defaults? op_defaults?
crm_config / cluster_property_set
rsc_defaults / meta_attributes
op_defaults / meta_attributes
cluster_property_set id=id|id-ref=ref score=score / rule? nvpair
meta_attributes id=id|id-ref=ref score=score / rule? nvpair
instance_attributes id=id|id-ref=ref score=score / rule? nvpair
utilization id=id|id-ref=ref score=score / rule? nvpair
nvpair id=id|id-ref@1.3-=ref name value /
nodes / node
node id! uname! type=nodetype description score@1.2-=score / instance_attributes utilization@1.2-
resources / primitive template@1.2- group clone master@-3.10 bundle@2.8-
primitive id=id! class=class|template@1.2-=idref provider type description / meta_attributes instance_attributes operations? utilization@1.2-
template id=id! class=class! provider type! description / meta_attributes instance_attributes operations? utilization
operations id=id id-ref=ref / op
op id=id! name! interval! description start-delay?interval-origin timeout enabled=bool record-pending=bool role=role requires@-2.10=requires on-fail=onfail / meta_attributes instance_attributes
group id=id! description / meta_attributes instance_attributes primitive+
clone id=id! description / meta_attributes instance_attributes primitive group
master id=id! description / meta_attributes instance_attributes primitive group
bundle id=id! description / meta_attributes instance_attributes docker rkt@2.10-3.10 podman@3.2- network? storage? primitive?
docker image! replicas=int replicas-per-host=int masters@-3.10=int?promoted-max@3.0-=int run-command network options /
podman image! replicas=int replicas-per-host=int masters@-3.10=int?promoted-max@3.0-=int run-command network options /
rkt image! replicas=int replicas-per-host=int masters@-3.10=int?promoted-max@3.0-=int run-command network options /
network ip-range-start control-port=int host-interface host-netmask=int add-host@3.0-=bool / port-mapping
port-mapping id=id! port=int|range=portrange internal-port=int /
storage / storage-mapping
storage-mapping id=id! source-dir|source-dir-root target-dir! options /
constraints / rsc_location rsc_colocation rsc_order rsc_ticket@1.2-
rsc_location id=id! rsc=idref?rsc-pattern@2.6- role@1.2-=role score=score node resource-discovery@2.2-=discovery / resource_set@1.2- rule lifetime@-3.10?
rsc_colocation id=id! score=score?score-attribute@-2.10?score-attribute-mangle@-2.10 influence@3.6- rsc=idref with-rsc=idref node-attribute rsc-role=role with-rsc-role=role / lifetime@-3.10? resource_set
rsc_order id=id! symmetrical=bool require-all@2.3-=bool score=score?kind=kind first=idref then=idref first-action=action then-action=action / lifetime@-3.10? resource_set
rsc_ticket id=id! ticket! rsc=idref rsc-role=role loss-policy=losspolicy / resource_set
resource_set id=id|id-ref=ref sequential=bool require-all@1.2-=bool ordering@2.1-=setorder action=action role=role score=score?kind@3.0-=kind / resource_ref
resource_ref id=idref! /
lifetime / rule+
rule id=id|id-ref=ref score=score?score-attribute boolean-op=boolop role / expression date_expression rsc_expression@3.4- op_expression@3.4- rule
expression id=id! attribute! operation=operation! value type=valuetype value-source@2.9-=valuesource /
date_expression id=id! operation=dateop! start end / duration? date_spec?
duration id=id! years months weeks days@3.9- hours minutes@3.9- seconds@3.9- weekdays monthdays yearsdays weekyears moon /
date_spec id=id! years months weeks hours minutes@3.9- seconds@3.9- weekdays monthdays yeardays@3.9- yearsdays weekyears moon@-3.10 /
rsc_expression id=id! class provider type /
op_expression id=id! name! interval /
acls / acl_role acl_target@2.0- acl_group@2.0- acl_user@-1.3
acl_role id=id! description@2.0- / acl_permission@2.0- read@-1.3 write@-1.3 deny@-1.3
acl_permission id=id! kind=aclkind! xpath|reference=idref|object-type attribute description /
acl_target id! name@3.8- / role
acl_group id=id! name@3.8- / role
acl_user id=id! / role_ref read write deny
role id=idref! /
role_ref id=idref! /
read id=id! tag ref=idref xpath attribute /
write id=id! tag ref=idref xpath attribute /
deny id=id! tag ref=idref xpath attribute /
fencing-topology / fencing-level
fencing-level id=id! target|target-pattern|target-attribute@2.4- target-value@2.4- index=index! devices=devices! /
tags / tag
tag id=id! / obj_ref+
obj_ref id=member! /
alerts / alert
alert id=id! path! description / meta_attributes instance_attributes select@2.10-? recipient
select / select_attributes? select_fencing? select_nodes? select_resources?
select_attributes / attribute
attribute id=id! name! /
select_fencing /
select_nodes /
select_resources /
recipient id=id! value! description / meta_attributes instance_attributes
`

// An attr is one attribute of an element.
type attr struct {
	name, kind string
	required   bool
	in         span
}

// A kid is a child of an element; need is '!', '+', '?' or 0.
type kid struct {
	name string
	need byte
	in   span
}

type element struct {
	attrs   map[string]attr
	order   []string   // of attrs, for texts
	oneOf   [][]string // exactly one of each
	mostOne [][]string // at most one of each
	kids    map[string]kid
	kidList []string
}

var elements = readVocabulary(vocabulary)

func readVocabulary(text string) map[string]element {
	all := map[string]element{}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		left, right, _ := strings.Cut(line, "/")
		words := strings.Fields(left)
		e := element{attrs: map[string]attr{}, kids: map[string]kid{}}
		for _, w := range words[1:] {
			e.addAttrs(w)
		}
		for w := range strings.FieldsSeq(right) {
			name, in := readSpan(strings.TrimRight(w, "!+?"))
			k := kid{name: name, in: in}
			if last := w[len(w)-1]; last == '!' || last == '+' || last == '?' {
				k.need = last
			}
			e.kids[name] = k
			e.kidList = append(e.kidList, name)
		}
		all[words[0]] = e
	}
	return all
}

func (e *element) addAttrs(word string) {
	var group []string
	for _, w := range strings.FieldsFunc(word, func(r rune) bool { return r == '|' || r == '?' }) {
		w, required := strings.CutSuffix(w, "!")
		w, kind, _ := strings.Cut(w, "=")
		name, in := readSpan(w)
		e.attrs[name] = attr{name: name, kind: kind, required: required, in: in}
		e.order = append(e.order, name)
		group = append(group, name)
	}
	switch {
	case strings.Contains(word, "|"):
		e.oneOf = append(e.oneOf, group)
	case strings.Contains(word, "?"):
		e.mostOne = append(e.mostOne, group)
	}
}

// enums are the values of attributes that have few; a value may have a span as
// well.
var enums = map[string][]word{
	"bool":        words("true false 1 0"),
	"nodetype":    words("member remote@1.3- ping@-3.10 normal@-2.10"),
	"class":       words("ocf lsb heartbeat stonith upstart@-3.10 service@1.2- systemd@1.2- nagios@1.2-3.10"),
	"onfail":      words("ignore block stop restart standby fence restart-container@1.2- demote@3.4-"),
	"role":        words("Stopped Started Master Slave Promoted@3.7- Unpromoted@3.7-"),
	"requires":    words("nothing quorum fencing unfencing@1.3-"),
	"discovery":   words("always never exclusive"),
	"kind":        words("Optional Mandatory Serialize"),
	"action":      words("start promote demote stop"),
	"losspolicy":  words("stop demote fence freeze"),
	"setorder":    words("group listed"),
	"boolop":      words("or and"),
	"operation":   words("lt gt lte gte eq ne defined not_defined"),
	"dateop":      words("gt lt in_range date_spec"),
	"valuetype":   words("string integer@3.5- number version"),
	"valuesource": words("literal param meta"),
	"aclkind":     words("read write deny"),
}

// A word is one value of an enumeration.
type word struct {
	text string
	in   span
}

func words(list string) []word {
	var out []word
	for w := range strings.FieldsSeq(list) {
		text, in := readSpan(w)
		out = append(out, word{text, in})
	}
	return out
}

// allowed lists the values of an enumeration in a version.
func allowed(kind string, v version) []string {
	var out []string
	for _, w := range enums[kind] {
		if w.in.has(v) {
			out = append(out, w.text)
		}
	}
	return out
}
