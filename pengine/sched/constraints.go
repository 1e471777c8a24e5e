// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"regexp"
	"slices"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/rule"
	"github.com/quorate/quorate/pengine/status"
)

// unpackConstraints reads the constraints section.
func (s *scheduler) unpackConstraints() {
	list := document.At(s.c.Root, "configuration", "constraints")
	for e := range document.Children(list, "") {
		if document.ID(e) == "" {
			s.errorf("ignoring <" + e.Tag + "> constraint without id")
			continue
		}
		switch e.Tag {
		case "rsc_order":
			s.unpackOrder(e)
		case "rsc_colocation":
			s.unpackColocation(e)
		case "rsc_location":
			s.unpackLocation(e)
		case "rsc_ticket":
			s.unpackTicket(e)
		default:
			s.errorf("unsupported constraint type: " + e.Tag)
		}
	}
}

// maxErrors bounds the list of complaints.
const maxErrors = 1000

func (s *scheduler) errorf(text string) {
	if slices.Contains(s.c.Errors, text) {
		return
	}
	if len(s.c.Errors) < maxErrors {
		s.c.Errors = append(s.c.Errors, text)
	}
}

// resource finds a resource by the id that a constraint names. An id that the
// history gave an instance of an anonymous clone means the clone.
func (s *scheduler) resource(id string) *rsc {
	if id == "" {
		return nil
	}
	r := s.of[s.c.FindResource(id, status.MatchHistory)]
	if r != nil && r.ID != id {
		r = r.top()
	}
	return r
}

// tagRefs gives what a template or tag stands for.
func (s *scheduler) tagRefs(id string) []string {
	if refs := s.c.Templates[id]; len(refs) > 0 {
		return refs
	}
	return s.c.Tags[id]
}

// maxSetRefs bounds how many tags and resources one set stands for; tags may
// refer to each other.
const maxSetRefs = 100_000

// expandSets replaces tags in resource sets by what they stand for. It gives nil
// where nothing had to be done, and where a set names what does not exist: the
// constraint then counts as it stands, without any tag.
func (s *scheduler) expandSets(e *etree.Element) *etree.Element {
	if document.Child(e, "resource_set") == nil {
		return nil
	}
	cp := document.Clone(e)
	any := false
	for set := range document.Children(cp, "resource_set") {
		var todo, out []string
		for ref := range document.Children(set, "resource_ref") {
			todo = append(todo, document.ID(ref))
		}
		for n := 0; len(todo) > 0; n++ {
			id := todo[0]
			if todo = todo[1:]; s.resource(id) != nil {
				out = append(out, id)
				continue
			}
			refs := s.tagRefs(id)
			if len(refs) == 0 || n > maxSetRefs {
				s.errorf("ignoring resource sets for constraint '" + document.ID(e) + "' because '" + id + "' is not a valid resource or tag")
				return nil
			}
			any = true
			todo = append(slices.Clone(refs), todo...) // which may be tags again
		}
		set.Child = nil
		for _, id := range out {
			document.Add(set, "resource_ref", "id", id)
		}
	}
	if !any {
		return nil
	}
	return cp
}

// toSet turns an attribute that names a tag (or, where convert is set, a
// resource) into a set of its own.
func (s *scheduler) toSet(e *etree.Element, attr string, convert bool) *etree.Element {
	id, has := document.Lookup(e, attr)
	if !has {
		return nil
	}
	r := s.resource(id)
	var set *etree.Element
	switch {
	case r == nil:
		set = document.Add(e, "resource_set", "id", id)
		for _, ref := range s.tagRefs(id) {
			document.Add(set, "resource_ref", "id", ref)
		}
		document.Set(set, "sequential", "false")
	case convert:
		set = document.Add(e, "resource_set", "id", id)
		document.Add(set, "resource_ref", "id", id)
	default:
		return nil
	}
	document.Unset(e, attr)
	return set
}

// valid tells whether an id names a resource, template or tag.
func (s *scheduler) valid(constraint, id string) bool {
	if s.resource(id) == nil && len(s.tagRefs(id)) == 0 {
		s.errorf("ignoring constraint '" + constraint + "' because '" + id + "' is not a valid resource or tag")
		return false
	}
	return true
}

// expandOne is for constraints that name one resource in rsc.
func (s *scheduler) expandOne(e *etree.Element, roleAttr string) (*etree.Element, bool) {
	if x := s.expandSets(e); x != nil {
		return x, true
	}
	id, has := document.Lookup(e, "rsc")
	if !has {
		return e, true
	}
	if !s.valid(document.ID(e), id) {
		return nil, false
	}
	if s.resource(id) != nil {
		return e, true
	}
	cp := document.Clone(e)
	if set := s.toSet(cp, "rsc", false); set != nil {
		if role, has := document.Lookup(e, roleAttr); has {
			document.Set(set, "role", role)
			document.Unset(cp, roleAttr)
		}
	}
	return cp, true
}

// expandTwo is for constraints that name two resources.
func (s *scheduler) expandTwo(e *etree.Element, attr1, attr2, from1, from2, to string) (*etree.Element, bool) {
	if x := s.expandSets(e); x != nil {
		return x, true
	}
	id1, has1 := document.Lookup(e, attr1)
	id2, has2 := document.Lookup(e, attr2)
	if !has1 || !has2 {
		return e, true
	}
	if !s.valid(document.ID(e), id1) || !s.valid(document.ID(e), id2) {
		return nil, false
	}
	r1, r2 := s.resource(id1), s.resource(id2)
	if r1 != nil && r2 != nil {
		return e, true
	}
	if r1 == nil && r2 == nil && e.Tag == "rsc_colocation" {
		s.errorf("ignoring constraint '" + document.ID(e) + "' because two templates or tags cannot be colocated")
		return nil, false
	}
	cp := document.Clone(e)
	for _, side := range [][2]string{{attr1, from1}, {attr2, from2}} {
		set := s.toSet(cp, side[0], true)
		if v, has := document.Lookup(e, side[1]); set != nil && has {
			document.Set(set, to, v)
			document.Unset(cp, side[1])
		}
	}
	return cp, true
}

// refs lists the resources of a set; ok is false where one does not exist.
func (s *scheduler) refs(set *etree.Element) (list []*rsc, ok bool) {
	for ref := range document.Children(set, "resource_ref") {
		r := s.resource(document.ID(ref))
		if r == nil {
			s.errorf(document.ID(set) + ": no resource found for " + document.ID(ref))
			return list, false
		}
		list = append(list, r)
	}
	return list, true
}

// boolAttr reads a boolean attribute; set tells whether it is there and valid.
func boolAttr(e *etree.Element, name string) (value, set bool) {
	v, has := document.Lookup(e, name)
	if !has {
		return false, false
	}
	return status.ParseBool(v)
}

// constraintRole reads a role that limits a constraint; Started means any.
func (s *scheduler) constraintRole(id, spec string, has bool) (status.Role, bool) {
	if !has {
		return status.RoleUnknown, true
	}
	switch role := status.ParseRole(spec); role {
	case status.RoleUnknown:
		s.errorf("ignoring constraint " + id + ": invalid role '" + spec + "'")
		return role, false
	case status.RoleStarted:
		return status.RoleUnknown, true
	default:
		return role, true
	}
}

// location is a preference of a resource for nodes.
type location struct {
	kind  CauseKind
	id    string
	rsc   *rsc
	role  status.Role
	probe status.ProbeMode
	nodes []place
}

type place struct {
	node  *node
	score score
}

func (s *scheduler) newLocation(id string, r *rsc, discovery string, nodes []place) *location {
	l := &location{kind: CauseLocation, id: id, rsc: r, nodes: nodes}
	switch strings.ToLower(discovery) {
	case "", "always":
	case "never":
		l.probe = status.ProbeNever
	case "exclusive":
		l.probe = status.ProbeExclusive
		r.Set(status.ExclusiveProbes)
	default:
		s.errorf("invalid resource-discovery value " + discovery + " in location constraint")
	}
	s.locations = append(s.locations, l)
	r.locations = append(r.locations, l)
	return l
}

func (s *scheduler) unpackLocation(e *etree.Element) {
	x, ok := s.expandOne(e, "role")
	if !ok {
		return
	}
	sets := false
	for set := range document.Children(x, "resource_set") {
		sets = true
		list, ok := s.refs(set)
		role, hasRole := document.Lookup(set, "role")
		score, hasScore := document.Lookup(set, "score")
		for _, r := range list {
			s.locate(x, r, opt{role, hasRole}, opt{score, hasScore}, nil)
		}
		if !ok {
			return
		}
	}
	if sets {
		return
	}
	if id, has := document.Lookup(x, "rsc"); has {
		s.locate(x, s.resource(id), opt{}, opt{}, nil)
	}
	if pattern, has := document.Lookup(x, "rsc-pattern"); has {
		s.locatePattern(x, pattern)
	}
}

// opt is an attribute that may be absent.
type opt struct {
	value string
	has   bool
}

func (s *scheduler) locatePattern(e *etree.Element, pattern string) {
	pattern, invert := strings.CutPrefix(pattern, "!")
	re, err := regexp.CompilePOSIX(pattern)
	if err != nil {
		s.errorf("ignoring constraint '" + document.ID(e) + "' because rsc-pattern has invalid value '" + pattern + "'")
		return
	}
	for _, r := range s.rscs {
		m := re.FindStringSubmatch(r.ID)
		if (m != nil) == invert {
			continue
		}
		s.locate(e, r, opt{}, opt{}, m)
	}
}

// locate makes the preference of one resource.
func (s *scheduler) locate(e *etree.Element, r *rsc, role, value opt, sub []string) {
	if r == nil {
		return
	}
	id := document.ID(e)
	name, hasNode := document.Lookup(e, "node")
	if !value.has {
		value.value, value.has = document.Lookup(e, "score")
	}
	if !hasNode || !value.has {
		s.locateRule(e, r, sub)
		return
	}
	n := s.findNode(name)
	if n == nil {
		return
	}
	sc, ok := s.c.ParseScore(value.value, 0)
	if !ok {
		s.errorf("ignoring location constraint " + id + " because '" + value.value + "' is not a valid score")
		return
	}
	if !role.has {
		role.value, role.has = document.Lookup(e, "role")
	}
	filter, ok := locationRole(role)
	if !ok {
		s.errorf("ignoring location constraint " + id + " because '" + role.value + "' is not a valid role")
		return
	}
	s.newLocation(id, r, document.Get(e, "resource-discovery"), []place{{n, sc}}).role = filter
}

func locationRole(o opt) (status.Role, bool) {
	if !o.has {
		return status.RoleUnknown, true
	}
	switch role := status.ParseRole(o.value); role {
	case status.RoleUnknown:
		return role, false
	case status.RoleStarted, status.RoleUnpromoted:
		return status.RoleUnknown, true
	default:
		return role, true
	}
}

func (s *scheduler) locateRule(e *etree.Element, r *rsc, sub []string) {
	x := document.Child(e, "rule")
	if x == nil {
		return
	}
	id := document.ID(x)
	spec, has := document.Lookup(x, "role")
	role, ok := locationRole(opt{spec, has})
	op := strings.ToLower(document.Get(x, "boolean-op"))
	if id == "" || !ok || op != "" && op != "and" && op != "or" {
		s.errorf("ignoring location constraint '" + document.ID(e) + "' because its rule '" + id + "' is not valid")
		return
	}
	attr, byAttr := document.Lookup(x, "score-attribute")
	var fixed score
	if !byAttr {
		v, has := document.Lookup(x, "score")
		if fixed, ok = s.c.ParseScore(v, 0); !has || !ok {
			s.errorf("ignoring location constraint rule " + id + " because it has no valid score")
			return
		}
	}
	for i := range sub {
		attr = strings.ReplaceAll(attr, "%"+string(rune('0'+i)), sub[i])
	}
	in := &rule.Input{Now: s.c.Now, Meta: r.Meta, Submatches: sub, Change: s.c.Recheck}
	var places []place
	for _, n := range s.nodes {
		in.Node, in.Params = n.Attrs, s.c.Params(r.Resource, n)
		if !rule.Holds(x, in) {
			continue
		}
		v := fixed
		if byAttr {
			text, _ := n.Attr(attr, r.Meta["container-attribute-target"], status.CurrentHost)
			if v, ok = s.c.ParseScore(text, 0); text == "" || !ok {
				continue
			}
		}
		places = append(places, place{n, v})
	}
	s.newLocation(id, r, document.Get(e, "resource-discovery"), places).role = role
}

// apply applies a location to one resource.
func (r *rsc) applyOwnLocation(l *location) {
	if l.role > status.RoleUnknown && l.role != r.NextRole {
		return
	}
	for _, p := range l.nodes {
		v := p.score
		a := r.allowed.get(p.node)
		if a == nil {
			a = &alloc{node: p.node, probe: p.node.BaseProbe}
			r.allowed[p.node.Index] = a
		}
		a.add(v, r.s.cause(l.kind, l.id, nil))
		if a.probe < l.probe {
			if l.probe == status.ProbeExclusive {
				r.Set(status.ExclusiveProbes)
			}
			a.probe = l.probe
		}
	}
}
