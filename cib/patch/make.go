// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package patch

import (
	"slices"
	"sort"
	"strconv"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// Make gives the patchset that turns a into b, with the versions of both, or
// nil where the documents are equal. Neither is changed.
func Make(a, b *etree.Element) *etree.Element {
	m := maker{diff: document.New("diff", "format", "2")}
	version := document.Add(m.diff, "version")
	addVersion(version, "source", a)
	addVersion(version, "target", b)
	none := len(m.diff.Child)

	if a.Tag != b.Tag || a.Space != b.Space || mixed(a, b) {
		m.create("", 0, b)
	} else {
		m.work = document.Clone(a)
		m.element(m.work, b)
	}
	if len(m.diff.Child) == none {
		return nil
	}
	return m.diff
}

// WithoutVersions removes the versions from a patchset, so that it may be
// applied to any document that has the places that it names.
func WithoutVersions(diff *etree.Element) {
	if v := document.Child(diff, "version"); v != nil {
		diff.RemoveChildAt(v.Index())
	}
}

func addVersion(parent *etree.Element, tag string, root *etree.Element) {
	admin, epoch, updates := document.Versions(root)
	document.Add(parent, tag,
		"admin_epoch", strconv.FormatUint(admin, 10),
		"epoch", strconv.FormatUint(epoch, 10),
		"num_updates", strconv.FormatUint(updates, 10))
}

// maker turns work into the target step by step and notes each step. What it
// notes is therefore right at the time when it will be applied.
type maker struct {
	diff, work *etree.Element
}

func (m *maker) element(w, b *etree.Element) {
	if !document.SameAttrs(w, b) {
		m.modify(w, b)
	}
	if len(w.Child) == 0 && len(b.Child) == 0 {
		return
	}
	if aligned(w, b) {
		for i, t := range b.Child {
			if e, ok := t.(*etree.Element); ok {
				m.element(w.Child[i].(*etree.Element), e) //nolint:forcetypeassert // aligned compared the kinds
			}
		}
		return
	}
	partner := m.pair(w, b)
	stay := steady(partner)
	for i, t := range b.Child {
		mate := partner[i]
		at := 0
		if i > 0 {
			at = partner[i-1].Index() + 1
		}
		if mate == nil {
			partner[i] = m.insert(w, at, t)
			continue
		}
		if !stay[i] {
			m.move(w, at, mate)
		}
		if e, ok := mate.(*etree.Element); ok {
			m.element(e, t.(*etree.Element)) //nolint:forcetypeassert // pair joins like with like
		}
	}
}

// key is what must be equal for two children to be the same thing.
type key struct {
	kind    byte
	tag, id string
}

func keyOf(t etree.Token) key {
	switch t := t.(type) {
	case *etree.Element:
		return key{'e', t.FullTag(), document.ID(t)}
	case *etree.Comment:
		return key{'c', "", t.Data}
	case *etree.CharData:
		return key{'t', "", t.Data}
	}
	return key{}
}

// aligned tells whether the children are the same things in the same order,
// which is so nearly everywhere.
func aligned(w, b *etree.Element) bool {
	if len(w.Child) != len(b.Child) {
		return false
	}
	for i, t := range b.Child {
		if keyOf(t) != keyOf(w.Child[i]) {
			return false
		}
		if e, ok := t.(*etree.Element); ok && mixed(w.Child[i].(*etree.Element), e) { //nolint:forcetypeassert // same kind
			return false
		}
	}
	return true
}

// pair finds for each child of b its partner in w, and deletes from w what has
// none.
func (m *maker) pair(w, b *etree.Element) []etree.Token {
	free := map[key][]etree.Token{}
	for _, t := range w.Child {
		k := keyOf(t)
		free[k] = append(free[k], t)
	}
	partner := make([]etree.Token, len(b.Child))
	for i, t := range b.Child {
		k := keyOf(t)
		queue := free[k]
		if len(queue) == 0 {
			continue
		}
		free[k] = queue[1:]
		if e, ok := t.(*etree.Element); ok && mixed(queue[0].(*etree.Element), e) { //nolint:forcetypeassert // same kind
			m.remove(w, queue[0])
			continue
		}
		partner[i] = queue[0]
	}
	for _, t := range slices.Clone(w.Child) {
		if queue := free[keyOf(t)]; slices.Contains(queue, t) {
			m.remove(w, t)
		}
	}
	return partner
}

// mixed tells whether the elements differ and one of them has text, for which
// the format has no words.
func mixed(a, b *etree.Element) bool {
	return (text(a) || text(b)) && !document.Equal(a, b)
}

func text(e *etree.Element) bool {
	for _, t := range e.Child {
		if _, ok := t.(*etree.CharData); ok {
			return true
		}
	}
	return false
}

// steady chooses the partners that need not move: a longest sequence of them
// that is in the right order already.
func steady(partner []etree.Token) []bool {
	stay := make([]bool, len(partner))
	var tails []int // tails[n] ends the best sequence of length n+1
	before := make([]int, len(partner))
	for i, p := range partner {
		if p == nil {
			continue
		}
		n := sort.Search(len(tails), func(n int) bool { return partner[tails[n]].Index() >= p.Index() })
		before[i] = -1
		if n > 0 {
			before[i] = tails[n-1]
		}
		if n == len(tails) {
			tails = append(tails, i)
		} else {
			tails[n] = i
		}
	}
	if len(tails) > 0 {
		for i := tails[len(tails)-1]; i >= 0; i = before[i] {
			stay[i] = true
		}
	}
	return stay
}

func (m *maker) modify(w, b *etree.Element) {
	change := document.Add(m.diff, "change", "operation", "modify", "path", pathOf(w))
	list := document.Add(change, "change-list")
	for _, a := range b.Attr {
		if v, ok := lookup(w, a.FullKey()); !ok || v != a.Value {
			document.Add(list, "change-attr", "name", a.FullKey(), "operation", "set", "value", a.Value)
		}
	}
	for _, a := range w.Attr {
		if _, ok := lookup(b, a.FullKey()); !ok {
			document.Add(list, "change-attr", "name", a.FullKey(), "operation", "unset")
		}
	}
	result := &etree.Element{Space: b.Space, Tag: b.Tag, Attr: slices.Clone(b.Attr)}
	document.Add(change, "change-result").AddChild(result)
	w.Attr = slices.Clone(b.Attr)
}

func lookup(e *etree.Element, full string) (string, bool) {
	for i := range e.Attr {
		if e.Attr[i].FullKey() == full {
			return e.Attr[i].Value, true
		}
	}
	return "", false
}

func (m *maker) create(path string, at int, t etree.Token) {
	change := document.Add(m.diff, "change", "operation", "create", "path", path, "position", strconv.Itoa(at))
	if c := document.CloneToken(t, document.Clone); c != nil {
		change.AddChild(c)
	}
}

func (m *maker) insert(w *etree.Element, at int, t etree.Token) etree.Token {
	m.create(pathOf(w), at, t)
	c := document.CloneToken(t, document.Clone)
	put(w, at, c)
	return c
}

// move notes and does a move behind the predecessor, which stands at at-1 now.
// The position counts without the mover itself.
func (m *maker) move(w *etree.Element, at int, mate etree.Token) {
	from := mate.Index()
	if from < at {
		at--
	}
	switch t := mate.(type) {
	case *etree.Element:
		document.Add(m.diff, "change", "operation", "move", "path", pathOf(t), "position", strconv.Itoa(at))
	case *etree.Comment:
		// The format cannot move a comment: it goes and comes again.
		m.noteComment(w, from)
		m.create(pathOf(w), at, t)
	}
	w.RemoveChildAt(from)
	put(w, at, mate)
}

func (m *maker) remove(w *etree.Element, t etree.Token) {
	if e, ok := t.(*etree.Element); ok {
		document.Add(m.diff, "change", "operation", "delete", "path", pathOf(e))
	} else {
		m.noteComment(w, t.Index())
	}
	w.RemoveChildAt(t.Index())
}

func (m *maker) noteComment(w *etree.Element, at int) {
	document.Add(m.diff, "change", "operation", "delete",
		"path", pathOf(w)+"/comment", "position", strconv.Itoa(at))
}

// put inserts a child at an index, which may be one behind the last.
func put(w *etree.Element, at int, t etree.Token) {
	if at >= len(w.Child) {
		w.AddChild(t)
		return
	}
	w.InsertChildAt(at, t)
}
