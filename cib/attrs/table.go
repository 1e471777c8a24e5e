// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package attrs

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/operation"
)

// Bounds of the table and of an update.
const (
	MaxEntries = 100_000
	MaxPattern = 1 << 10
	MaxName    = 1 << 10
	MaxValue   = 1 << 20
)

// Errors of Update.
var (
	ErrNode = errors.New("attrs: node is unknown")
	ErrName = errors.New("attrs: invalid attribute name")
	ErrFull = errors.New("attrs: too many attributes")
)

// Key names one attribute of one node.
type Key struct {
	NodeID, Name string
}

// An Entry is what the table remembers of one attribute of one node. It is
// encoded between nodes: fields may be added.
type Entry struct {
	Key
	NodeName string
	Value    string
	Deleted  bool // it was there, and queries answer ""
	Private  bool
	Pending  bool // waits to be written
	Set      string
}

// A Table is the attribute manager's memory. The zero value is empty.
type Table struct {
	entries map[Key]Entry
	dampen  map[string]time.Duration
}

// An Update is an update with its node resolved.
type Update struct {
	cib.AttrUpdate
	NodeID string
}

// An Effect is what an update asks for: writes to the document, and timers for
// attributes after which [Table.Flush] is to be called for them.
type Effect struct {
	Writes []cib.Request
	Timers []Timer
}

// A Timer is the dampening of one attribute.
type Timer struct {
	Name  string
	After time.Duration
}

// Apply carries out an update of transient attributes.
func (t *Table) Apply(root *etree.Element, up Update) (Effect, error) {
	if up.Name == "" || len(up.Name) > MaxName || len(up.Value) > MaxValue {
		return Effect{}, fmt.Errorf("%w: %.40q with a value of %d bytes", ErrName, up.Name, len(up.Value))
	}
	if up.Node == "" || up.NodeID == "" {
		return Effect{}, fmt.Errorf("%w: %q", ErrNode, up.Node)
	}
	names := []string{up.Name}
	if up.Pattern {
		var err error
		if names, err = t.matching(root, up); err != nil {
			return Effect{}, err
		}
	}
	var eff Effect
	for _, name := range names {
		if err := t.one(root, up, name, &eff); err != nil {
			return Effect{}, err
		}
	}
	return eff, nil
}

// matching gives the names of the node's attributes that a pattern matches.
func (t *Table) matching(root *etree.Element, up Update) ([]string, error) {
	if len(up.Name) > MaxPattern {
		return nil, fmt.Errorf("%w: pattern longer than %d bytes", ErrName, MaxPattern)
	}
	re, err := regexp.Compile(up.Name)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrName, err)
	}
	var names []string
	for _, a := range t.List(root, "", up.Node) {
		if re.MatchString(a.Name) {
			names = append(names, a.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

func (t *Table) one(root *etree.Element, up Update, name string, eff *Effect) error {
	if t.entries == nil {
		t.entries, t.dampen = map[Key]Entry{}, map[string]time.Duration{}
	}
	if len(t.entries) >= MaxEntries {
		return ErrFull
	}
	if up.SetDampen {
		t.dampen[name] = up.Dampen
	}
	key := Key{up.NodeID, name}
	e, had := t.entries[key]
	value, deleted := up.Value, up.Delete
	if !deleted {
		value = counted(value, t.value(root, key))
	} else {
		value = ""
	}
	if had && e.Pending && e.Value == value && e.Deleted == deleted {
		return nil
	}
	e = Entry{Key: key, NodeName: up.Node, Value: value, Deleted: deleted, Private: up.Private || (had && e.Private), Set: up.Set}
	switch wait := max(up.Dampen, t.dampen[name]); {
	case e.Private:
	case wait > 0:
		e.Pending = true
		eff.Timers = append(eff.Timers, Timer{name, wait})
	default:
		eff.Writes = append(eff.Writes, write(root, e)...)
	}
	t.keep(e)
	return nil
}

// keep remembers what the document does not tell.
func (t *Table) keep(e Entry) {
	if e.Private || e.Pending || e.Deleted {
		t.entries[e.Key] = e
		return
	}
	delete(t.entries, e.Key)
}

// Flush gives the writes of all waiting values of the attribute, of all
// attributes if the name is "".
func (t *Table) Flush(root *etree.Element, name string) []cib.Request {
	var writes []cib.Request
	for _, e := range t.Entries() {
		if e.Pending && (name == "" || e.Name == name) {
			writes = append(writes, write(root, e)...)
			e.Pending = false
			t.keep(e)
		}
	}
	return writes
}

// Pending tells whether any value waits.
func (t *Table) Pending() bool {
	for _, e := range t.entries {
		if e.Pending {
			return true
		}
	}
	return false
}

// Forget drops what is remembered of a node, which left.
func (t *Table) Forget(nodeID string) {
	for k := range t.entries {
		if k.NodeID == nodeID {
			delete(t.entries, k)
		}
	}
}

// Entries gives what is remembered, sorted by node and name.
func (t *Table) Entries() []Entry {
	all := make([]Entry, 0, len(t.entries))
	for _, e := range t.entries {
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(strings.Compare(a.NodeID, b.NodeID), strings.Compare(a.Name, b.Name))
	})
	return all
}

// Dampening gives the kept dampening of each attribute that has one.
func (t *Table) Dampening() map[string]time.Duration {
	m := map[string]time.Duration{}
	maps.Copy(m, t.dampen)
	return m
}

// Load makes a table of what Entries and Dampening of another one gave.
func Load(entries []Entry, dampen map[string]time.Duration) Table {
	t := Table{entries: map[Key]Entry{}, dampen: map[string]time.Duration{}}
	for _, e := range entries {
		t.entries[e.Key] = e
	}
	maps.Copy(t.dampen, dampen)
	return t
}

// List gives the transient attributes, those of the document with those of the
// table over them. Empty name or node match all.
func (t *Table) List(root *etree.Element, name, node string) []cib.Attr {
	found := map[Key]cib.Attr{}
	for st := range document.Children(document.Section(root, "status"), "node_state") {
		for nv := range document.All(document.Child(st, "transient_attributes"), "nvpair") {
			a := cib.Attr{Node: document.Get(st, "uname"), Name: document.Get(nv, "name"), Value: document.Get(nv, "value")}
			found[Key{document.ID(st), a.Name}] = a
		}
	}
	for k, e := range t.entries {
		if _, there := found[k]; there && e.Deleted && !e.Pending {
			continue // somebody wrote it to the document since
		}
		found[k] = cib.Attr{Node: e.NodeName, Name: e.Name, Value: e.Value}
	}
	var list []cib.Attr
	for _, a := range found {
		if (name == "" || a.Name == name) && (node == "" || strings.EqualFold(a.Node, node)) {
			list = append(list, a)
		}
	}
	slices.SortFunc(list, func(a, b cib.Attr) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Node, b.Node))
	})
	return list
}

func (t *Table) value(root *etree.Element, k Key) string {
	if e, ok := t.entries[k]; ok && (e.Pending || e.Private) {
		return e.Value
	}
	if found := Find(root, Place{Scope: ScopeStatus, NodeID: k.NodeID, Name: k.Name}); len(found) > 0 {
		return document.Get(found[0], "value")
	}
	return ""
}

// counted evaluates value++, value+=n and value-=n.
func counted(value, old string) string {
	rest, ok := strings.CutPrefix(value, "value")
	if !ok {
		return value
	}
	by := 0
	switch {
	case rest == "++":
		by = 1
	case strings.HasPrefix(rest, "+="), strings.HasPrefix(rest, "-="):
		n, err := operation.Number(rest[2:])
		if err != nil {
			return value
		}
		by = n
		if rest[0] == '-' {
			by = -n
		}
	default:
		return value
	}
	base, err := operation.Number(old)
	if err != nil {
		base = 0
	}
	return operation.ScoreText(operation.Sum(base, by))
}

// write gives the requests that bring an entry to the document.
func write(root *etree.Element, e Entry) []cib.Request {
	p := Place{Scope: ScopeStatus, NodeID: e.NodeID, NodeName: e.NodeName, Set: e.Set, Name: e.Name}
	if !e.Deleted {
		section, data := p.Update(root, e.Value)
		return []cib.Request{{Op: cib.OpModify, Section: section, CanCreate: true, Data: document.Compact(data), Client: "attrd"}}
	}
	p.Set = ""
	var writes []cib.Request
	for _, nv := range Find(root, p) {
		writes = append(writes, cib.Request{
			Op: cib.OpDelete, Section: "status", Client: "attrd",
			Data: document.Compact(document.New("nvpair", "id", document.ID(nv), "name", e.Name)),
		})
	}
	return writes
}
