// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/status"
)

// unpackColocation reads one rsc_colocation.
func (s *scheduler) unpackColocation(e *etree.Element) {
	x, ok := s.expandTwo(e, "rsc", "with-rsc", "rsc-role", "with-rsc-role", "role")
	if !ok {
		return
	}
	if x == nil {
		x = e
	}
	base := colocation{id: document.ID(x)}
	if v, has := document.Lookup(x, "score"); has {
		if base.score, ok = s.c.ParseScore(v, 0); !ok {
			s.errorf("ignoring colocation " + base.id + " because '" + v + "' is not a valid score")
			return
		}
	}
	influence, has := document.Lookup(x, "influence")
	inf := opt{influence, has}
	var last *etree.Element
	for set := range document.Children(x, "resource_set") {
		if document.ID(set) == "" {
			s.errorf("ignoring resource_set without id")
			continue
		}
		s.colocateSet(set, base, inf)
		if last != nil {
			s.colocateSets(last, set, base, inf)
		}
		last = set
	}
	if last == nil {
		s.colocateTwo(x, base, inf)
	}
}

func (s *scheduler) colocateTwo(e *etree.Element, c colocation, inf opt) {
	c.dependent, c.primary = s.resource(document.Get(e, "rsc")), s.resource(document.Get(e, "with-rsc"))
	if c.dependent == nil || c.primary == nil {
		s.errorf("ignoring constraint '" + c.id + "' because a resource of it does not exist")
		return
	}
	r1, has1 := document.Lookup(e, "rsc-role")
	r2, has2 := document.Lookup(e, "with-rsc-role")
	c.attr = document.Get(e, "node-attribute")
	s.colocate(c, opt{r1, has1}, opt{r2, has2}, inf, c.dependent)
}

// colocate completes and records a colocation.
func (s *scheduler) colocate(c colocation, role1, role2, inf opt, critical *rsc) {
	var ok bool
	if c.dependentRole, ok = s.constraintRole(c.id, role1.value, role1.has); !ok {
		return
	}
	if c.primaryRole, ok = s.constraintRole(c.id, role2.value, role2.has); !ok {
		return
	}
	c.explicit = true
	c.influence = critical.Is(status.Critical)
	if inf.has {
		if v, ok := status.ParseBool(inf.value); ok {
			c.influence = v
		} else {
			s.errorf("constraint '" + c.id + "' has invalid value for influence (using default)")
		}
	}
	s.newColocation(c)
}

// colocateSet colocates the members of a set.
func (s *scheduler) colocateSet(set *etree.Element, c colocation, inf opt) {
	c.id = document.ID(set)
	if v, has := document.Lookup(set, "score"); has {
		var ok bool
		if c.score, ok = s.c.ParseScore(v, 0); !ok {
			s.errorf("ignoring colocation for set '" + c.id + "' because '" + v + "' is not a valid score")
			return
		}
	}
	sequential, given := boolAttr(set, "sequential")
	if c.score == 0 || given && !sequential {
		return
	}
	ordering, has := document.Lookup(set, "ordering")
	withPrevious := !has || strings.EqualFold(ordering, "group")
	r, hasRole := document.Lookup(set, "role")
	role := opt{r, hasRole}
	list, _ := s.refs(set)
	if c.score > 0 {
		for i := 1; i < len(list); i++ {
			c.dependent, c.primary = list[i], list[i-1]
			if !withPrevious {
				c.dependent, c.primary = c.primary, c.dependent
			}
			s.colocate(c, role, role, inf, list[i])
		}
		return
	}
	for _, r := range list {
		for ref := range document.Children(set, "resource_ref") {
			id := document.ID(ref)
			other := s.resource(id)
			if id == r.ID || other == nil {
				break
			}
			c.dependent, c.primary = r, other
			s.colocate(c, role, role, inf, r)
		}
	}
}

// colocateSets colocates a set with the next one.
func (s *scheduler) colocateSets(set1, set2 *etree.Element, c colocation, inf opt) {
	if c.score == 0 {
		return
	}
	v1, has1 := document.Lookup(set1, "role")
	v2, has2 := document.Lookup(set2, "role")
	role1, role2 := opt{v1, has1}, opt{v2, has2}
	list1, ok := s.sideOfSet(set1, false)
	if !ok {
		return
	}
	list2, ok := s.sideOfSet(set2, true)
	if !ok {
		return
	}
	for _, a := range list1 {
		for _, b := range list2 {
			c.dependent, c.primary = a, b
			s.colocate(c, role1, role2, inf, a)
		}
	}
}

// sideOfSet gives the members of a set that count for another set: of a
// sequential one the first or the last, else all that exist.
func (s *scheduler) sideOfSet(set *etree.Element, last bool) (list []*rsc, ok bool) {
	var ids []string
	for ref := range document.Children(set, "resource_ref") {
		ids = append(ids, document.ID(ref))
	}
	v, given := boolAttr(set, "sequential")
	sequential := (!given || v) && len(ids) > 0
	if sequential && last {
		ids = ids[len(ids)-1:]
	} else if sequential {
		ids = ids[:1]
	}
	for _, id := range ids {
		if r := s.resource(id); r != nil {
			list = append(list, r)
			continue
		}
		s.errorf(document.ID(set) + ": no resource found for " + id)
		if sequential {
			return nil, false
		}
	}
	return list, true
}
