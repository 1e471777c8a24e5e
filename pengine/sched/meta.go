// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package sched

import (
	"slices"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/transition/graph"
)

// metaAttrs are an action's meta-attributes: what is configured for operations
// of its kind, which it shares with others, and what was set for it alone.
type metaAttrs struct {
	base *opMeta      // nil for none
	own  []graph.Attr // goes before base
}

// opMeta are the meta-attributes configured for operations of a kind.
type opMeta struct {
	values map[string]string
	attrs  []graph.Attr // the same as the graph has them, in order
}

func (m *metaAttrs) lookup(name string) (string, bool) {
	for i := range m.own {
		if m.own[i].Name == name {
			return m.own[i].Value, true
		}
	}
	if m.base == nil {
		return "", false
	}
	v, has := m.base.values[name]
	return v, has
}

func (m *metaAttrs) get(name string) string {
	v, _ := m.lookup(name)
	return v
}

func (m *metaAttrs) set(name, value string) {
	for i := range m.own {
		if m.own[i].Name == name {
			m.own[i].Value = value
			return
		}
	}
	m.own = append(m.own, graph.Attr{Name: name, Value: value})
}

// addFrom adds those of another action that are not there.
func (m *metaAttrs) addFrom(o *metaAttrs) {
	add := func(name, value string) {
		if _, has := m.lookup(name); !has {
			m.set(name, value)
		}
	}
	for _, a := range o.own {
		add(a.Name, a.Value)
	}
	if o.base != nil {
		for _, k := range keysOf(o.base.values) {
			add(k, o.base.values[k])
		}
	}
}

// A metaKey is all that the configured meta-attributes of an operation depend
// on. The node only matters to fence devices.
type metaKey struct {
	xml, op    *etree.Element
	task       string
	intervalMS uint
	node       *node
}

// opMeta gives the meta-attributes configured for an operation.
func (s *scheduler) opMeta(r *rsc, on *node, task string, intervalMS uint, op *etree.Element) *opMeta {
	key := metaKey{xml: r.XML, op: op, task: task, intervalMS: intervalMS}
	if r.Is(status.FenceDevice) {
		key.node = on
	}
	if m := s.metas[key]; m != nil {
		return m
	}
	complaints := len(s.c.Errors)
	m := &opMeta{values: s.c.OpMeta(r.Resource, on, task, intervalMS, op)}
	var t attrSet
	for _, k := range keysOf(m.values) {
		if !strings.ContainsAny(k, "#:") {
			t.add(metaName(k), m.values[k])
		}
	}
	m.attrs = t.list
	// A complaint names the resource, so each instance of a clone has its own.
	if complaints == len(s.c.Errors) {
		s.metas[key] = m
	}
	return m
}

// attrSet gathers the attributes of an action of the graph, by name in order.
type attrSet struct{ list []graph.Attr }

func (t *attrSet) at(name string) (int, bool) {
	return slices.BinarySearchFunc(t.list, name, func(a graph.Attr, n string) int { return strings.Compare(a.Name, n) })
}

// add adds an attribute that is not there.
func (t *attrSet) add(name, value string) {
	if i, has := t.at(name); !has {
		t.list = slices.Insert(t.list, i, graph.Attr{Name: name, Value: value})
	}
}

// set gives an attribute a value.
func (t *attrSet) set(name, value string) {
	i, has := t.at(name)
	if !has {
		t.list = slices.Insert(t.list, i, graph.Attr{})
	}
	t.list[i] = graph.Attr{Name: name, Value: value}
}

// addMeta adds meta-attributes under the names that agents know them by.
func (t *attrSet) addMeta(m *metaAttrs) {
	for _, a := range m.own {
		if !strings.ContainsAny(a.Name, "#:") {
			t.add(metaName(a.Name), a.Value)
		}
	}
	if m.base == nil {
		return
	}
	for _, a := range m.base.attrs {
		t.add(a.Name, a.Value)
	}
}

// metaName is the name of a meta-attribute in the graph.
func metaName(k string) string {
	switch k { // those of many actions
	case "op_target_rc":
		return "CRM_meta_op_target_rc"
	case "on_node":
		return "CRM_meta_on_node"
	case "on_node_uuid":
		return "CRM_meta_on_node_uuid"
	}
	return "CRM_meta_" + strings.ReplaceAll(k, "-", "_")
}
