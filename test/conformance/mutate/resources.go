// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package mutate

import (
	"strconv"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

func (s *state) defaults(tag string) *etree.Element {
	d := ensure(s.config, tag)
	s.ensureID(d, "meta_attributes")
	return d
}

// resourceKinds change single resources.
var resourceKinds = []Kind{
	{"meta", func(s *state) string { return s.setMeta(pick(s, s.anyResources()), metaOptions) }},
	{"meta-stickiness", func(s *state) string {
		if r := pick(s, s.anyResources()); r != nil {
			return s.setPair(r, "meta_attributes", "resource-stickiness", s.score())
		}
		return ""
	}},
	{"meta-target-role", func(s *state) string { return s.setMeta(pick(s, s.anyResources()), metaOptions[:1]) }},
	{"meta-priority", func(s *state) string {
		if r := pick(s, s.anyResources()); r != nil {
			return s.setPair(r, "meta_attributes", "priority", strconv.Itoa(s.IntN(10)))
		}
		return ""
	}},
	{"meta-dropped", func(s *state) string {
		if r := pick(s, s.anyResources()); r != nil {
			return s.dropPair(r, "meta_attributes")
		}
		return ""
	}},
	{"parameter", func(s *state) string {
		r := pick(s, s.primitives())
		if r == nil || r.SelectAttr("template") != nil {
			return ""
		}
		name := s.oneOf("mut-param", "state", "fake", "ip", "passwd", "op_sleep")
		if sets := children(r, "instance_attributes"); len(sets) > 0 && s.chance(60) {
			if p := pick(s, children(sets[0], "nvpair")); p != nil && document.Get(p, "name") != "" {
				name = document.Get(p, "name")
			}
		}
		return s.setPair(r, "instance_attributes", name, s.attrValue())
	}},
	{"parameter-dropped", func(s *state) string {
		if r := pick(s, s.primitives()); r != nil {
			return s.dropPair(r, "instance_attributes")
		}
		return ""
	}},
	{"utilization", func(s *state) string {
		if r := pick(s, s.primitives()); r != nil {
			return s.setPair(r, "utilization", s.oneOf("cpu", "memory", "size"), s.oneOf("0", "1", "2", "5", "100"))
		}
		return ""
	}},
	{"resource-removed", func(s *state) string {
		r := pick(s, s.anyResources())
		if r == nil || r.Parent() != s.resources && len(resourceChildren(r.Parent())) < 2 {
			return ""
		}
		return remove(r)
	}},
	{"resource-added", func(s *state) string {
		r := s.newPrimitive()
		s.resources.AddChild(r)
		return document.ID(r)
	}},
	{"fencing-added", func(s *state) string {
		r := document.New("primitive", "id", s.id(), "class", "stonith", "type", "fence_dummy")
		ia := document.Add(r, "instance_attributes", "id", s.id())
		document.Add(ia, "nvpair", "id", s.id(), "name", s.oneOf("pcmk_host_list", "provides"), "value", s.nodeName())
		if s.chance(50) {
			ma := document.Add(r, "meta_attributes", "id", s.id())
			document.Add(ma, "nvpair", "id", s.id(), "name", s.oneOf("provides", "target-role"), "value", s.oneOf("unfencing", "Stopped"))
		}
		s.resources.AddChild(r)
		return document.ID(r)
	}},
	{"agent", func(s *state) string {
		r := pick(s, s.primitives())
		if r == nil || r.SelectAttr("type") == nil || document.Get(r, "type") == "remote" {
			return ""
		}
		document.Set(r, "type", s.oneOf("Stateful", "Dummy", "Other"))
		return document.ID(r) + " " + document.Get(r, "type")
	}},
	{"resource-renamed", func(s *state) string {
		r := pick(s, s.anyResources())
		if r == nil {
			return ""
		}
		old := document.ID(r)
		document.Set(r, "id", s.id()+"-renamed")
		return old
	}},
	{"resource-moved", func(s *state) string {
		// another order of definition
		r := pick(s, s.anyResources())
		if r == nil || r.Parent().Tag != "resources" && r.Parent().Tag != "group" {
			return ""
		}
		p := r.Parent()
		p.RemoveChild(r)
		if p.Tag == "resources" && s.chance(50) {
			p.InsertChildAt(0, r)
		} else {
			p.AddChild(r)
		}
		return document.ID(r)
	}},
	{"template", makeTemplate},
	{"tag", func(s *state) string {
		tags := ensure(s.config, "tags")
		t := document.Add(tags, "tag", "id", s.id())
		for range 1 + s.IntN(3) {
			if id := s.resourceID(); document.ChildWith(t, "obj_ref", "id", id) == nil {
				document.Add(t, "obj_ref", "id", id)
			}
		}
		if s.chance(50) {
			document.Add(s.constraints, "rsc_location", "id", s.id(), "rsc", document.ID(t), "node", s.nodeName(), "score", s.score())
		} else {
			document.Add(s.constraints, "rsc_colocation", "id", s.id(), "rsc", document.ID(t), "with-rsc", s.topID(), "score", s.score())
		}
		return document.ID(t)
	}},
}

func (s *state) setMeta(r *etree.Element, options []option) string {
	if r == nil {
		return ""
	}
	o := pick(s, options)
	return s.setPair(r, "meta_attributes", o.name, pick(s, o.values))
}

func resourceChildren(e *etree.Element) []*etree.Element {
	var out []*etree.Element
	for _, tag := range resourceTags {
		out = append(out, children(e, tag)...)
	}
	return out
}

func (s *state) newPrimitive() *etree.Element {
	r := document.New("primitive", "id", s.id()+"-rsc", "class", "ocf", "provider", "pacemaker", "type", s.oneOf("Dummy", "Stateful"))
	if s.chance(50) {
		ops := document.Add(r, "operations")
		document.Add(ops, "op", "id", s.id(), "name", "monitor", "interval", s.oneOf("10s", "30s"))
	}
	return r
}

// makeTemplate moves the definition of a primitive into a template.
func makeTemplate(s *state) string {
	r := pick(s, children(s.resources, "primitive"))
	if r == nil || r.SelectAttr("template") != nil {
		return ""
	}
	t := document.Clone(r)
	t.Tag = "template"
	document.Set(t, "id", s.id()+"-template")
	for _, name := range []string{"class", "provider", "type"} {
		document.Unset(r, name)
	}
	document.Set(r, "template", document.ID(t))
	for _, tag := range []string{"operations", "meta_attributes", "instance_attributes", "utilization"} {
		list := children(r, tag)
		keep := s.chance(50)
		for _, k := range list {
			if !keep {
				r.RemoveChild(k)
			}
		}
		if keep {
			for _, k := range children(t, tag) {
				t.RemoveChild(k)
			}
		}
	}
	s.resources.InsertChildAt(0, t)
	if s.chance(30) {
		document.Add(s.constraints, "rsc_location", "id", s.id(), "rsc", document.ID(t), "node", s.nodeName(), "score", s.score())
	}
	return document.ID(r)
}

// collectiveKinds change groups and clones.
var collectiveKinds = []Kind{
	{"clone-option", func(s *state) string {
		var list []*etree.Element
		for _, tag := range []string{"clone", "master"} {
			list = append(list, all(s.resources, tag)...)
		}
		return s.setMeta(pick(s, list), cloneOptions)
	}},
	{"group-option", func(s *state) string {
		if g := pick(s, all(s.resources, "group")); g != nil {
			return s.setPair(g, "meta_attributes", s.oneOf("ordered", "collocated"), s.oneOf("true", "false"))
		}
		return ""
	}},
	{"cloned", func(s *state) string {
		r := pick(s, append(children(s.resources, "primitive"), children(s.resources, "group")...))
		if r == nil {
			return ""
		}
		c := document.New("clone", "id", document.ID(r)+"-mutclone")
		if s.chance(70) {
			ma := document.Add(c, "meta_attributes", "id", s.id())
			o := pick(s, cloneOptions)
			document.Add(ma, "nvpair", "id", s.id(), "name", o.name, "value", pick(s, o.values))
		}
		replace(r, c)
		c.AddChild(r)
		return document.ID(r)
	}},
	{"uncloned", func(s *state) string {
		c := pick(s, append(children(s.resources, "clone"), children(s.resources, "master")...))
		if c == nil {
			return ""
		}
		kids := resourceChildren(c)
		if len(kids) == 0 {
			return ""
		}
		replace(c, kids[0])
		return document.ID(c)
	}},
	{"grouped", func(s *state) string {
		list := children(s.resources, "primitive")
		if len(list) < 2 {
			return ""
		}
		at := s.IntN(len(list) - 1)
		g := document.New("group", "id", s.id()+"-group")
		replace(list[at], g)
		for _, r := range list[at:min(at+2+s.IntN(2), len(list))] {
			if p := r.Parent(); p != nil {
				p.RemoveChild(r)
			}
			g.AddChild(r)
		}
		return document.ID(g)
	}},
	{"ungrouped", func(s *state) string {
		g := pick(s, children(s.resources, "group"))
		if g == nil {
			return ""
		}
		for _, r := range resourceChildren(g) {
			g.RemoveChild(r)
			s.resources.AddChild(r)
		}
		return remove(g)
	}},
	{"member-added", func(s *state) string {
		g := pick(s, all(s.resources, "group"))
		if g == nil {
			return ""
		}
		r := s.newPrimitive()
		g.AddChild(r)
		return document.ID(g)
	}},
	{"member-out", func(s *state) string {
		g := pick(s, all(s.resources, "group"))
		kids := resourceChildren(g)
		if len(kids) < 2 {
			return ""
		}
		r := pick(s, kids)
		g.RemoveChild(r)
		s.resources.AddChild(r)
		return document.ID(r)
	}},
	{"bundle-option", func(s *state) string {
		b := pick(s, all(s.resources, "bundle"))
		if b == nil {
			return ""
		}
		for k := range document.Children(b, "") {
			switch k.Tag {
			case "docker", "podman", "rkt":
				name := s.oneOf("replicas", "replicas-per-host", "promoted-max", "image", "options", "network", "run-command")
				if name == "promoted-max" && !s.schemaAtLeast(3, 0) {
					return ""
				}
				value := s.oneOf("1", "2", "3", "4")
				document.Set(k, name, value)
				if name == "promoted-max" {
					document.Unset(k, "masters")
				}
				return document.ID(b) + " " + name + "=" + value
			}
		}
		return ""
	}},
	{"bundle-network", func(s *state) string {
		net := pick(s, all(s.resources, "network"))
		if net == nil {
			return ""
		}
		name := s.oneOf("ip-range-start", "control-port", "host-interface", "host-netmask", "add-host")
		switch name {
		case "ip-range-start":
			document.Set(net, name, "192.0.2."+strconv.Itoa(1+s.IntN(250)))
		case "control-port":
			document.Set(net, name, strconv.Itoa(3000+s.IntN(10)))
		case "host-interface":
			document.Set(net, name, "eth0")
		case "host-netmask":
			document.Set(net, name, "24")
		case "add-host":
			document.Set(net, name, s.oneOf("true", "false"))
		}
		return document.ID(net.Parent()) + " " + name
	}},
}

// replace puts an element into the place of another.
func replace(old, e *etree.Element) {
	p := old.Parent()
	i := old.Index()
	p.RemoveChildAt(i)
	if q := e.Parent(); q != nil {
		q.RemoveChild(e)
	}
	p.InsertChildAt(i, e)
}

// operationKinds change configured operations.
var operationKinds = []Kind{
	{"operation-option", func(s *state) string {
		op := pick(s, all(s.resources, "op"))
		if op == nil {
			return ""
		}
		o := pick(s, operationOptions)
		value := pick(s, o.values)
		document.Set(op, o.name, value)
		switch o.name {
		case "interval-origin":
			document.Unset(op, "start-delay")
		case "start-delay":
			document.Unset(op, "interval-origin")
		}
		return document.ID(op) + " " + o.name + "=" + value
	}},
	{"operation-on-fail", func(s *state) string {
		op := pick(s, all(s.resources, "op"))
		if op == nil {
			return ""
		}
		document.Set(op, "on-fail", pick(s, operationOptions[2].values))
		return document.ID(op) + " " + document.Get(op, "on-fail")
	}},
	{"operation-removed", func(s *state) string { return remove(pick(s, all(s.resources, "op"))) }},
	{"operation-added", addOperation},
	{"operation-meta", func(s *state) string {
		op := pick(s, all(s.resources, "op"))
		if op == nil || op.SelectAttr("id-ref") != nil {
			return ""
		}
		o := pick(s, operationOptions[1:])
		return s.setPair(op, "meta_attributes", o.name, pick(s, o.values))
	}},
	{"operation-parameter", func(s *state) string {
		op := pick(s, all(s.resources, "op"))
		if op == nil || op.SelectAttr("id-ref") != nil {
			return ""
		}
		return s.setPair(op, "instance_attributes", s.oneOf("depth", "OCF_CHECK_LEVEL", "mut-param"), s.oneOf("0", "10", "20"))
	}},
}

func addOperation(s *state) string {
	r := pick(s, s.primitives())
	if r == nil {
		return ""
	}
	ops := document.Child(r, "operations")
	if ops == nil {
		ops = document.Add(r, "operations")
	}
	if ops.SelectAttr("id-ref") != nil {
		return ""
	}
	name := s.oneOf("monitor", "monitor", "monitor", "start", "stop", "promote", "demote", "notify", "migrate_to", "migrate_from", "reload-agent", "delete")
	interval := "0"
	if name == "monitor" {
		interval = s.oneOf("10s", "20s", "31s", "60s", "0")
	}
	op := document.Add(ops, "op", "id", s.id(), "name", name, "interval", interval)
	for range s.IntN(3) {
		o := pick(s, operationOptions[1:])
		if o.name == "start-delay" && op.SelectAttr("interval-origin") != nil || o.name == "interval-origin" && op.SelectAttr("start-delay") != nil {
			continue
		}
		document.Set(op, o.name, pick(s, o.values))
	}
	return document.ID(r) + " " + string(document.Compact(op))
}
