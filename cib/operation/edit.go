// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package operation

import (
	"errors"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/patch"
	"github.com/quorate/quorate/cib/schema"
)

func (w *writer) create() error {
	in, err := w.operand()
	if err != nil {
		return err
	}
	if w.whole() || in.Tag == "cib" {
		return w.modify() // there is no section to create it in
	}
	parent := w.section()
	items := []*etree.Element{in}
	if in.Tag == w.req.Section {
		items = nil
		for c := range document.Children(in, "") {
			items = append(items, c)
		}
	}
	for _, item := range items {
		if find(parent, item) != nil {
			return &cib.Error{Code: cib.CodeExists, Op: w.req.Op, Msg: msgExists, Output: failedBlock(w.req.Op, item, msgExists)}
		}
		add(parent, item)
	}
	return nil
}

// failedBlock tells which object was refused, as cibadmin prints it.
func failedBlock(op cib.Op, item *etree.Element, reason string) []byte {
	failed := document.New("failed")
	up := document.Add(failed, "failed_update")
	if id, ok := document.Lookup(item, "id"); ok {
		document.Set(up, "id", id)
	}
	document.Set(up, "object_type", item.Tag)
	document.Set(up, "operation", string(op))
	document.Set(up, "reason", reason)
	up.AddChild(document.Clone(item))
	return document.Format(failed)
}

func add(parent, item *etree.Element) {
	c := document.Clone(item)
	for e := range document.All(c, "") {
		for i := range e.Attr {
			e.Attr[i].Value = compute(e.Attr[i].Key, e.Attr[i].Value, "")
		}
	}
	parent.AddChild(c)
}

// find gives the child of parent that is the same thing as item: same tag, and
// same id if item has one.
func find(parent, item *etree.Element) *etree.Element {
	id, has := document.Lookup(item, "id")
	if !has {
		return document.Child(parent, item.Tag)
	}
	return document.ChildWith(parent, item.Tag, "id", id)
}

func (w *writer) modify() error {
	in, err := w.operand()
	if err != nil {
		return err
	}
	parent := w.section()
	if target := search(parent, in, sameThing); target != nil {
		merge(target, in)
		return nil
	}
	if !w.req.CanCreate {
		return w.refuse(cib.CodeNoSuch, msgNoSuch)
	}
	add(parent, in)
	return nil
}

// search gives the first element, from e down in document order, that fits.
func search(e, in *etree.Element, fits func(e, in *etree.Element) bool) *etree.Element {
	for c := range document.All(e, in.Tag) {
		if fits(c, in) {
			return c
		}
	}
	return nil
}

// sameThing: same tag and same id, or both without.
func sameThing(e, in *etree.Element) bool {
	a, hasA := document.Lookup(e, "id")
	b, hasB := document.Lookup(in, "id")
	return e.Space == in.Space && hasA == hasB && a == b
}

// named: same tag, and same id where the operand has one.
func named(e, in *etree.Element) bool {
	id, has := document.Lookup(in, "id")
	return e.Space == in.Space && (!has || document.ID(e) == id)
}

// matches: same tag, and each attribute of the operand is there with its value.
func matches(e, in *etree.Element) bool {
	if e.Space != in.Space {
		return false
	}
	for i := range in.Attr {
		if v, ok := document.Lookup(e, in.Attr[i].FullKey()); !ok || v != in.Attr[i].Value {
			return false
		}
	}
	return true
}

// merge puts attributes and children of in into e: what is there is changed,
// what is not is added, nothing is removed.
func merge(e, in *etree.Element) {
	for i := range in.Attr {
		a := &in.Attr[i]
		document.Set(e, a.FullKey(), compute(a.Key, a.Value, document.Get(e, a.FullKey())))
	}
	for c := range document.Children(in, "") {
		if target := find(e, c); target != nil {
			merge(target, c)
		} else {
			add(e, c)
		}
	}
}

// compute evaluates name++ and name+=n as the value of the attribute name.
// Other values stay as they are.
func compute(name, value, old string) string {
	rest, ok := strings.CutPrefix(value, name)
	if !ok {
		return value
	}
	by := 1
	if rest != "++" {
		sign := 1
		digits, ok := strings.CutPrefix(rest, "+=")
		if !ok {
			if digits, ok = strings.CutPrefix(rest, "-="); !ok {
				return value
			}
			sign = -1
		}
		n, err := Number(digits)
		if err != nil {
			return value
		}
		by = sign * n
	}
	base, err := Number(old)
	if err != nil {
		base = 0
	}
	return ScoreText(Sum(base, by))
}

// Infinity is the score INFINITY.
const Infinity = 1_000_000

// Number reads an integer or a score.
func Number(s string) (int, error) {
	switch s {
	case "INFINITY", "+INFINITY":
		return Infinity, nil
	case "-INFINITY":
		return -Infinity, nil
	}
	return strconv.Atoi(s)
}

// Sum adds as scores are added: -INFINITY wins, then INFINITY.
func Sum(a, b int) int {
	switch {
	case a <= -Infinity || b <= -Infinity:
		return -Infinity
	case a >= Infinity || b >= Infinity:
		return Infinity
	}
	return max(-Infinity, min(Infinity, a+b))
}

// ScoreText writes a score.
func ScoreText(n int) string {
	switch {
	case n >= Infinity:
		return "INFINITY"
	case n <= -Infinity:
		return "-INFINITY"
	}
	return strconv.Itoa(n)
}

func (w *writer) replace() error {
	in, err := w.operand()
	if err != nil {
		return err
	}
	if in.Tag == "cib" {
		return w.replaceAll(in)
	}
	from := w.root
	if !w.whole() && in.Tag != w.req.Section {
		from = w.section()
	}
	target := search(from, in, named)
	if target == nil || target == from {
		return w.refuse(cib.CodeNoSuch, msgNoSuch)
	}
	swap(target, in)
	return nil
}

// swap puts a copy of in where target stands.
func swap(target, in *etree.Element) {
	parent, at := target.Parent(), target.Index()
	parent.RemoveChildAt(at)
	c := document.Clone(in)
	if at >= len(parent.Child) {
		parent.AddChild(c)
		return
	}
	parent.InsertChildAt(at, c)
}

func (w *writer) replaceAll(in *etree.Element) error {
	if !w.req.Force && older(in, w.old) {
		return w.refuse(cib.CodeOld, msgOld)
	}
	next := document.Clone(in)
	if set, ok := document.Lookup(w.old, "crm_feature_set"); ok && document.Get(next, "crm_feature_set") == "" {
		document.Set(next, "crm_feature_set", set)
	}
	if w.meta.KeepStatus {
		w.keepStatus(next)
		for _, name := range []string{"have-quorum", "dc-uuid", "no-quorum-panic"} {
			if v, ok := document.Lookup(w.old, name); ok {
				document.Set(next, name, v)
			} else {
				document.Unset(next, name)
			}
		}
	}
	w.root = next
	if w.req.Force && older(in, w.old) {
		// Go on from where the cluster is, or older copies would win a later merge.
		a, e, n := document.Versions(w.old)
		document.SetVersions(w.root, a, e, n)
	}
	return nil
}

func older(a, b *etree.Element) bool {
	aa, ae, an := document.Versions(a)
	ba, be, bn := document.Versions(b)
	switch {
	case aa != ba:
		return aa < ba
	case ae != be:
		return ae < be
	}
	return an < bn
}

// keepStatus gives next the status section of the document before.
func (w *writer) keepStatus(next *etree.Element) {
	old := document.Child(w.old, "status")
	if old == nil {
		return
	}
	if st := document.Child(next, "status"); st != nil {
		swap(st, old)
		return
	}
	next.AddChild(document.Clone(old))
}

func (w *writer) delete() error {
	in, err := w.operand()
	if err != nil {
		return err
	}
	parent := document.Section(w.root, w.req.Section)
	if parent == nil {
		return nil
	}
	items := []*etree.Element{in}
	if in.Tag == w.req.Section {
		items = nil
		for c := range document.Children(in, "") {
			items = append(items, c)
		}
	}
	for _, item := range items {
		for c := range document.All(parent, item.Tag) {
			if c != parent && matches(c, item) {
				c.Parent().RemoveChildAt(c.Index())
				break
			}
		}
	}
	return nil
}

func (w *writer) erase() error {
	a, e, n := document.Versions(w.root)
	empty := document.Empty(document.Get(w.root, "validate-with"))
	next := &etree.Element{Tag: "cib", Attr: w.root.Attr}
	for _, tag := range []string{"configuration", "status"} {
		next.AddChild(document.Clone(document.Child(empty, tag)))
	}
	document.SetVersions(next, a+1, e, n)
	if w.meta.KeepStatus {
		w.keepStatus(next)
	}
	w.root = next
	return nil
}

func (w *writer) upgrade() error {
	with := document.Get(w.root, "validate-with")
	if with != "none" && schema.Known(with) && !schema.Older(with) {
		return nil
	}
	if with == "none" {
		document.Set(w.root, "validate-with", schema.Latest())
	} else {
		up, err := schema.Upgrade(w.root, schema.Latest())
		if err != nil {
			return w.refuse(cib.CodeConfig, msgUpgrade+": "+err.Error()+listed(up.Faults))
		}
		w.root = up.CIB
	}
	a, _, _ := document.Versions(w.root)
	document.SetVersions(w.root, a+1, 1, 0)
	w.versioned = true
	return nil
}

func (w *writer) patch() error {
	if w.data == nil {
		return w.refuse(cib.CodeSoftware, msgInvalid+": the request has no patchset")
	}
	next, err := patch.Apply(w.root, w.data)
	switch {
	case err == nil:
	case errors.Is(err, patch.ErrOld):
		return w.refuse(cib.CodeOld, msgOld)
	case errors.Is(err, patch.ErrFormat):
		return w.refuse(cib.CodeDataErr, "Bad XML patch format: "+err.Error())
	default:
		return w.refuse(cib.CodeError, msgDiff+": "+err.Error())
	}
	if _, _, _, ok := patch.Target(w.data); ok {
		w.versioned = document.Get(next, "epoch") != document.Get(w.old, "epoch") ||
			document.Get(next, "admin_epoch") != document.Get(w.old, "admin_epoch") ||
			document.Get(next, "num_updates") != document.Get(w.old, "num_updates")
	}
	w.root = next
	return nil
}
