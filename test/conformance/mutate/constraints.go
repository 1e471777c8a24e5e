// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package mutate

import (
	"regexp"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

var constraintKinds = []Kind{
	{"location", func(s *state) string {
		c := document.New("rsc_location", "id", s.id(), "rsc", s.topID(), "node", s.nodeName(), "score", s.score())
		if s.chance(20) {
			document.Set(c, "role", s.role())
		}
		if s.chance(20) {
			document.Set(c, "resource-discovery", s.oneOf("always", "never", "exclusive"))
		}
		return s.constrain(c)
	}},
	{"location-pattern", func(s *state) string {
		id := s.resourceID()
		pattern := s.oneOf(".*", "^"+regexp.QuoteMeta(id), "!"+regexp.QuoteMeta(id), regexp.QuoteMeta(id)+"$", "(.)"+regexp.QuoteMeta(strings.TrimLeft(id, "abcdefr")))
		return s.constrain(document.New("rsc_location", "id", s.id(), "rsc-pattern", pattern, "node", s.nodeName(), "score", s.score()))
	}},
	{"colocation", func(s *state) string {
		c := document.New("rsc_colocation", "id", s.id(), "rsc", s.topID(), "with-rsc", s.topID(), "score", s.score())
		if s.chance(30) {
			document.Set(c, "rsc-role", s.role())
		}
		if s.chance(30) {
			document.Set(c, "with-rsc-role", s.role())
		}
		if s.chance(10) {
			document.Set(c, "node-attribute", s.attrName())
		}
		if s.chance(15) && s.schemaAtLeast(3, 4) {
			document.Set(c, "influence", s.oneOf("true", "false"))
		}
		return s.constrain(c)
	}},
	{"order", func(s *state) string {
		c := document.New("rsc_order", "id", s.id(), "first", s.topID(), "then", s.topID())
		switch {
		case s.chance(60):
			document.Set(c, "kind", s.oneOf("Mandatory", "Optional", "Serialize"))
		case s.chance(40):
			document.Set(c, "score", s.oneOf("0", "INFINITY", "100", "-1"))
		}
		if s.chance(30) {
			document.Set(c, "symmetrical", s.oneOf("true", "false"))
		}
		if s.chance(30) {
			document.Set(c, "first-action", s.oneOf("start", "promote", "stop", "demote"))
		}
		if s.chance(30) {
			document.Set(c, "then-action", s.oneOf("start", "promote", "stop", "demote"))
		}
		if s.chance(15) && document.Get(c, "kind") == "" || s.chance(10) {
			document.Set(c, "require-all", s.oneOf("true", "false"))
		}
		return s.constrain(c)
	}},
	{"ticket-constraint", func(s *state) string {
		c := document.New("rsc_ticket", "id", s.id(), "rsc", s.topID(), "ticket", pick(s, s.ticketIDs()))
		if s.chance(60) {
			document.Set(c, "loss-policy", s.oneOf("stop", "demote", "fence", "freeze"))
		}
		if s.chance(40) {
			document.Set(c, "rsc-role", s.role())
		}
		return s.constrain(c)
	}},
	{"constraint-removed", func(s *state) string { return remove(pick(s, children(s.constraints, ""))) }},
	{"constraint-score", func(s *state) string {
		var list []*etree.Element
		for e := range document.All(s.constraints, "") {
			if (e.Tag == "rsc_location" || e.Tag == "rsc_colocation" || e.Tag == "rule") && e.SelectAttr("score") != nil {
				list = append(list, e)
			}
		}
		c := pick(s, list)
		if c == nil {
			return ""
		}
		document.Set(c, "score", s.score())
		return document.ID(c) + " " + document.Get(c, "score")
	}},
	{"constraint-changed", changeConstraint},
	{"constraint-reversed", func(s *state) string {
		c := pick(s, children(s.constraints, ""))
		for _, pair := range [][2]string{{"rsc", "with-rsc"}, {"first", "then"}} {
			a, okA := document.Lookup(c, pair[0])
			b, okB := document.Lookup(c, pair[1])
			if okA && okB {
				document.Set(c, pair[0], b)
				document.Set(c, pair[1], a)
				return document.ID(c)
			}
		}
		return ""
	}},
	{"constraint-twice", func(s *state) string {
		c := pick(s, children(s.constraints, ""))
		if c == nil {
			return ""
		}
		k := document.Clone(c)
		for e := range document.All(k, "") {
			if e.SelectAttr("id") != nil && e.Tag != "resource_ref" {
				document.Set(e, "id", s.id())
			}
		}
		s.constraints.AddChild(k)
		return document.ID(c)
	}},
	{"constraint-moved", func(s *state) string {
		c := pick(s, children(s.constraints, ""))
		if c == nil {
			return ""
		}
		s.constraints.RemoveChild(c)
		if s.chance(50) {
			s.constraints.AddChild(c)
		} else {
			s.constraints.InsertChildAt(0, c)
		}
		return document.ID(c)
	}},
}

// constrain adds a constraint and words it.
func (s *state) constrain(c *etree.Element) string {
	for _, name := range []string{"rsc", "with-rsc", "first", "then", "node", "ticket"} {
		if v, has := document.Lookup(c, name); has && v == "" {
			return ""
		}
	}
	s.constraints.AddChild(c)
	return string(document.Compact(c))
}

// changeConstraint changes one attribute of a constraint that is there.
func changeConstraint(s *state) string {
	c := pick(s, children(s.constraints, ""))
	if c == nil {
		return ""
	}
	var name, value string
	sets := document.Child(c, "resource_set") != nil
	switch c.Tag {
	case "rsc_location":
		name, value = s.oneOf("role", "resource-discovery"), s.role()
		if name == "resource-discovery" {
			value = s.oneOf("always", "never", "exclusive")
		}
		if name == "role" && document.Child(c, "rule") != nil {
			return ""
		}
	case "rsc_colocation":
		if sets {
			return ""
		}
		name, value = s.oneOf("rsc-role", "with-rsc-role", "rsc", "with-rsc"), s.role()
		if name == "rsc" || name == "with-rsc" {
			value = s.resourceID()
		}
	case "rsc_order":
		name = s.oneOf("kind", "symmetrical", "first-action", "then-action", "first", "then")
		if sets {
			name = s.oneOf("kind", "symmetrical")
		}
		switch name {
		case "kind":
			document.Unset(c, "score")
			value = s.oneOf("Mandatory", "Optional", "Serialize")
		case "symmetrical":
			value = s.oneOf("true", "false")
		case "first", "then":
			value = s.resourceID()
		default:
			value = s.oneOf("start", "promote", "stop", "demote")
		}
	case "rsc_ticket":
		if sets {
			name, value = "loss-policy", s.oneOf("stop", "demote", "fence", "freeze")
			break
		}
		name, value = s.oneOf("loss-policy", "rsc-role"), s.role()
		if name == "loss-policy" {
			value = s.oneOf("stop", "demote", "fence", "freeze")
		}
	default:
		return ""
	}
	document.Set(c, name, value)
	return document.ID(c) + " " + name + "=" + value
}

// setKinds make and change constraints over sets.
var setKinds = []Kind{
	{"order-set", func(s *state) string {
		c := document.New("rsc_order", "id", s.id())
		if s.chance(60) {
			document.Set(c, "kind", s.oneOf("Mandatory", "Optional", "Serialize"))
		}
		if s.chance(20) {
			document.Set(c, "symmetrical", s.oneOf("true", "false"))
		}
		for range 1 + s.IntN(3) {
			set := s.resourceSet(c)
			if s.chance(30) {
				document.Set(set, "sequential", s.oneOf("true", "false"))
				if s.chance(50) {
					document.Set(set, "require-all", s.oneOf("true", "false"))
				}
			}
			if s.chance(20) {
				document.Set(set, "action", s.oneOf("start", "promote", "stop", "demote"))
			}
		}
		return s.constrain(c)
	}},
	{"colocation-set", func(s *state) string {
		c := document.New("rsc_colocation", "id", s.id(), "score", s.score())
		for range 1 + s.IntN(3) {
			set := s.resourceSet(c)
			if s.chance(40) {
				document.Set(set, "sequential", s.oneOf("true", "false"))
			}
			if s.chance(20) {
				document.Set(set, "role", s.role())
			}
			if s.chance(15) {
				document.Set(set, "ordering", s.oneOf("group", "listed"))
			}
		}
		return s.constrain(c)
	}},
	{"location-set", func(s *state) string {
		c := document.New("rsc_location", "id", s.id(), "node", s.nodeName(), "score", s.score())
		for range 1 + s.IntN(2) {
			if set := s.resourceSet(c); s.chance(20) {
				document.Set(set, "role", s.role())
			}
		}
		return s.constrain(c)
	}},
	{"ticket-set", func(s *state) string {
		c := document.New("rsc_ticket", "id", s.id(), "ticket", pick(s, s.ticketIDs()), "loss-policy", s.oneOf("stop", "demote", "fence", "freeze"))
		if set := s.resourceSet(c); s.chance(30) {
			document.Set(set, "role", s.role())
		}
		return s.constrain(c)
	}},
	{"set-changed", func(s *state) string {
		set := pick(s, all(s.constraints, "resource_set"))
		if set == nil || set.SelectAttr("id-ref") != nil {
			return ""
		}
		name := s.oneOf("sequential", "role")
		if set.Parent().Tag == "rsc_order" {
			name = s.oneOf("sequential", "require-all", "action")
		}
		value := s.oneOf("true", "false")
		switch name {
		case "role":
			value = s.role()
		case "action":
			value = s.oneOf("start", "promote", "stop", "demote")
		}
		document.Set(set, name, value)
		return document.ID(set) + " " + name + "=" + value
	}},
	{"set-member", func(s *state) string {
		set := pick(s, all(s.constraints, "resource_set"))
		if set == nil || set.SelectAttr("id-ref") != nil {
			return ""
		}
		if refs := children(set, "resource_ref"); len(refs) > 1 && s.chance(50) {
			return "-" + remove(pick(s, refs))
		}
		id := s.resourceID()
		if document.ChildWith(set, "resource_ref", "id", id) != nil || id == "" {
			return ""
		}
		document.Add(set, "resource_ref", "id", id)
		return document.ID(set) + " +" + id
	}},
}

// resourceSet adds a set of one to three resources to a constraint.
func (s *state) resourceSet(c *etree.Element) *etree.Element {
	set := document.Add(c, "resource_set", "id", s.id())
	for range 1 + s.IntN(3) {
		id := s.topID()
		if id == "" {
			id = "no-such-resource"
		}
		if document.ChildWith(set, "resource_ref", "id", id) == nil {
			document.Add(set, "resource_ref", "id", id)
		}
	}
	return set
}

// ruleKinds make what depends on rules.
var ruleKinds = []Kind{
	{"location-rule", func(s *state) string {
		c := document.New("rsc_location", "id", s.id(), "rsc", s.topID())
		r := s.rule(c, true)
		if s.chance(80) {
			document.Set(r, "score", s.score())
		} else {
			document.Set(r, "score-attribute", s.oneOf("mut-attr", "pingd", "cpu", "site"))
		}
		if s.chance(20) {
			document.Set(r, "role", s.role())
		}
		return s.constrain(c)
	}},
	{"option-rule", func(s *state) string {
		o := pick(s, clusterOptions)
		set := document.Add(s.options, "cluster_property_set", "id", s.id(), "score", s.score())
		s.rule(set, false)
		document.Add(set, "nvpair", "id", s.id(), "name", o.name, "value", pick(s, o.values))
		return string(document.Compact(set))
	}},
	{"meta-rule", func(s *state) string {
		r := pick(s, s.anyResources())
		if r == nil {
			return ""
		}
		o := pick(s, metaOptions)
		set := document.New("meta_attributes", "id", s.id(), "score", s.score())
		s.rule(set, false)
		document.Add(set, "nvpair", "id", s.id(), "name", o.name, "value", pick(s, o.values))
		r.InsertChildAt(0, set)
		return document.ID(r) + " " + string(document.Compact(set))
	}},
	{"parameter-rule", func(s *state) string {
		r := pick(s, s.primitives())
		if r == nil {
			return ""
		}
		set := document.New("instance_attributes", "id", s.id(), "score", s.score())
		s.rule(set, true)
		document.Add(set, "nvpair", "id", s.id(), "name", s.oneOf("mut-param", "ip", "state"), "value", s.attrValue())
		r.InsertChildAt(0, set)
		return document.ID(r) + " " + string(document.Compact(set))
	}},
	{"default-rule", func(s *state) string {
		if !s.schemaAtLeast(3, 5) {
			return ""
		}
		tag, o := "rsc_defaults", pick(s, metaOptions)
		if s.chance(50) {
			tag, o = "op_defaults", pick(s, operationOptions[1:])
		}
		set := document.New("meta_attributes", "id", s.id(), "score", s.score())
		r := s.rule(set, false)
		if s.chance(70) {
			document.Add(r, "rsc_expression", "id", s.id(), "class", s.oneOf("ocf", "stonith"))
		}
		if tag == "op_defaults" && s.chance(70) {
			document.Add(r, "op_expression", "id", s.id(), "name", s.oneOf("monitor", "start", "stop"))
		}
		document.Add(set, "nvpair", "id", s.id(), "name", o.name, "value", pick(s, o.values))
		ensure(s.config, tag).AddChild(set)
		return tag + " " + string(document.Compact(set))
	}},
	{"rule-changed", func(s *state) string {
		e := pick(s, all(s.config, "expression"))
		if e == nil || e.SelectAttr("id-ref") != nil {
			return ""
		}
		op := s.oneOf("lt", "gt", "lte", "gte", "eq", "ne", "defined", "not_defined")
		document.Set(e, "operation", op)
		if strings.HasSuffix(op, "defined") {
			document.Unset(e, "value")
		} else if e.SelectAttr("value") == nil {
			document.Set(e, "value", s.attrValue())
		}
		return document.ID(e) + " " + op
	}},
}

// rule adds a rule with one or two conditions. Only those of nodes may ask for
// attributes.
func (s *state) rule(parent *etree.Element, attributes bool) *etree.Element {
	r := document.Add(parent, "rule", "id", s.id())
	if parent.Tag != "rsc_location" && s.chance(50) {
		document.Set(r, "score", "INFINITY")
	}
	if s.chance(50) {
		document.Set(r, "boolean-op", s.oneOf("and", "or"))
	}
	for range 1 + s.IntN(2) {
		if attributes && s.chance(70) {
			s.expression(r)
		} else {
			s.dateExpression(r)
		}
	}
	return r
}

func (s *state) expression(r *etree.Element) {
	e := document.Add(r, "expression", "id", s.id(), "attribute", s.oneOf("#uname", "#id", "#kind", "#is_dc", "mut-attr", "site", "pingd", "cpu"))
	op := s.oneOf("eq", "ne", "lt", "gt", "lte", "gte", "defined", "not_defined")
	document.Set(e, "operation", op)
	if !strings.HasSuffix(op, "defined") {
		value := s.attrValue()
		if document.Get(e, "attribute") == "#uname" {
			value = s.nodeName()
		}
		document.Set(e, "value", value)
		if s.chance(40) {
			document.Set(e, "type", s.oneOf("string", "integer", "number", "version"))
		}
	}
}

func (s *state) dateExpression(r *etree.Element) {
	e := document.Add(r, "date_expression", "id", s.id())
	switch s.IntN(5) {
	case 0:
		document.Set(e, "operation", "gt")
		document.Set(e, "start", s.oneOf("2004-01-01", "2026-07-15", "2040-01-01 10:00:00Z"))
	case 1:
		document.Set(e, "operation", "lt")
		document.Set(e, "end", s.oneOf("2004-01-01", "2026-07-15T12:00:01Z", "2040-01-01"))
	case 2:
		document.Set(e, "operation", "in_range")
		document.Set(e, "start", s.oneOf("2004-01-01", "2026-07-01", "2027-01-01"))
		if s.chance(50) {
			document.Set(e, "end", s.oneOf("2005-01-01", "2026-08-01", "2039-01-01"))
		} else {
			document.Add(e, "duration", "id", s.id(), s.oneOf("hours", "days", "months", "years", "weeks"), s.oneOf("1", "5", "12", "30"))
		}
	default:
		document.Set(e, "operation", "date_spec")
		spec := document.Add(e, "date_spec", "id", s.id())
		switch s.IntN(6) {
		case 0:
			document.Set(spec, "hours", s.oneOf("9-17", "0-11", "12", "12-"))
		case 1:
			document.Set(spec, "weekdays", s.oneOf("1-5", "6-7", "3", "7"))
		case 2:
			document.Set(spec, "months", s.oneOf("7", "1-6", "7-12"))
		case 3:
			document.Set(spec, "monthdays", s.oneOf("15", "1-14", "16-31"))
		case 4:
			document.Set(spec, "years", s.oneOf("2026", "2005-2025", "2027-"))
		default:
			document.Set(spec, s.oneOf("yeardays", "weeks", "weekyears"), s.oneOf("1-200", "20-30", "2026", "29"))
		}
	}
}
