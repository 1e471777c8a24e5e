// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package status

import "slices"

// Match tells Find what counts as the name of a resource.
type Match int

// The ways to match.
const (
	MatchExact    Match = 0
	MatchHistory  Match = 1 << iota // also the name in the history
	MatchClone                      // instances of clones by their name in the configuration
	MatchBasename                   // the id without instance number
	MatchAnonBasename
)

// Find finds a resource at or below r.
func (r *Resource) Find(id string, m Match) *Resource {
	if r.matches(id, m) {
		return r
	}
	for _, k := range r.Children {
		if f := k.Find(id, m); f != nil {
			return f
		}
	}
	return nil
}

func (r *Resource) matches(id string, m Match) bool {
	switch {
	case m&MatchClone != 0:
		return r.Top(false).Variant == Clone && (id == r.ID || id == r.XMLID())
	case id == r.ID:
		return true
	case m&MatchHistory != 0 && r.HistoryID != "" && r.HistoryID == id:
		return true
	case m&MatchBasename != 0 || m&MatchAnonBasename != 0 && !r.Is(Unique):
		return StripInstance(r.ID) == id
	}
	return false
}

// FindResource finds a resource by id, or by its name in the history. Of several
// that match, the first one in the order of Resources, parents before children,
// is given.
func (c *Cluster) FindResource(id string, m Match) *Resource {
	if m&^MatchHistory == 0 {
		for _, r := range c.named[id] {
			if r.matches(id, m) {
				return r
			}
		}
		return nil
	}
	for _, r := range c.Resources {
		if f := r.Find(id, m); f != nil {
			return f
		}
	}
	return nil
}

// Named lists the resources with the id, now or in the history, in the order of
// Resources, parents before children. The list is shared.
func (c *Cluster) Named(id string) []*Resource { return c.named[id] }

// addTop makes a resource, with all below, one of the cluster's.
func (c *Cluster) addTop(r *Resource) {
	r.place = len(c.Resources)
	c.Resources = append(c.Resources, r)
	c.file(r)
}

// sortTops puts the resources in the order of priority.
func (c *Cluster) sortTops() {
	slices.SortStableFunc(c.Resources, func(a, b *Resource) int { return int(b.Priority) - int(a.Priority) })
	clear(c.named)
	for i, r := range c.Resources {
		r.place = i
		c.file(r)
	}
}

// file makes a resource and all below known by name.
func (c *Cluster) file(r *Resource) {
	r.filed = true
	c.fileAs(r.ID, r)
	if r.HistoryID != "" && r.HistoryID != r.ID {
		c.fileAs(r.HistoryID, r)
	}
	for i, k := range r.Children {
		k.place = i
		c.file(k)
	}
}

// fileAs keeps the resources of one name in order.
func (c *Cluster) fileAs(name string, r *Resource) {
	list := c.named[name]
	at := len(list)
	for at > 0 && comesBefore(r, list[at-1]) {
		at--
	}
	if c.named == nil {
		c.named = map[string][]*Resource{}
	}
	c.named[name] = slices.Insert(list, at, r)
}

// setHistoryID gives a resource another name in the history, "" for none.
func (r *Resource) setHistoryID(name string) {
	c, old := r.Cluster, r.HistoryID
	if old == name {
		return
	}
	r.HistoryID = name
	if !r.filed {
		return
	}
	if old != "" && old != r.ID {
		c.named[old] = slices.DeleteFunc(c.named[old], func(o *Resource) bool { return o == r })
	}
	if name != "" && name != r.ID {
		c.fileAs(name, r)
	}
}

// comesBefore tells whether a search through all resources meets a before b.
func comesBefore(a, b *Resource) bool {
	for a.depth() > b.depth() {
		if a.Parent == b {
			return false
		}
		a = a.Parent
	}
	for b.depth() > a.depth() {
		if b.Parent == a {
			return true
		}
		b = b.Parent
	}
	for a.Parent != b.Parent {
		a, b = a.Parent, b.Parent
	}
	return a.place < b.place
}

func (r *Resource) depth() (n int) {
	for p := r.Parent; p != nil; p = p.Parent {
		n++
	}
	return n
}

// StripInstance cuts the instance number off an id.
func StripInstance(id string) string {
	i := len(id)
	for i > 0 && isDigit(id[i-1]) {
		i--
	}
	if i > 1 && i < len(id) && id[i-1] == ':' {
		return id[:i-1]
	}
	return id
}
