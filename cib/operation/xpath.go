// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package operation

import (
	"slices"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/xpath"
)

// byXPath carries out a write on what an XPath selects: the first match, or
// all of them for delete-all.
func (w *writer) byXPath() error {
	found, err := w.selected()
	if err != nil {
		return err
	}
	deletes := w.req.Op == cib.OpDelete || w.req.Op == cib.OpDeleteAll
	if len(found) == 0 {
		if deletes {
			return nil // it is gone already
		}
		return w.refuse(cib.CodeNoSuch, msgNoSuch)
	}
	if w.req.Op == cib.OpDelete {
		found = found[:1]
	}
	if deletes {
		return w.deleteAll(found)
	}
	if w.data == nil {
		return w.refuse(cib.CodeSoftware, msgInvalid+": the request has no data")
	}
	target := found[0]
	switch w.req.Op {
	case cib.OpCreate:
		add(target, w.data)
	case cib.OpModify:
		into := search(target, w.data, sameThing)
		if into == nil {
			return w.refuse(cib.CodeNoSuch, msgNoSuch)
		}
		merge(into, w.data)
	case cib.OpReplace:
		if target == w.root {
			return w.replaceAll(w.data)
		}
		swap(target, w.data)
	default:
		return w.refuse(cib.CodeUsage, "This operation takes no XPath")
	}
	return nil
}

func (w *writer) selected() ([]*etree.Element, error) {
	found, err := elements(w.root, w.req.XPath)
	if err != nil {
		return nil, w.refuse(cib.CodeUsage, "Invalid XPath: "+err.Error())
	}
	return found, nil
}

// elements gives the elements that an XPath selects; attributes and text stand
// for the element that holds them.
func elements(root *etree.Element, expr string) ([]*etree.Element, error) {
	matches, err := xpath.Select(root, expr)
	if err != nil {
		return nil, err
	}
	var found []*etree.Element
	for _, m := range matches {
		if m.Element == nil {
			m.Element = root
		}
		if !slices.Contains(found[max(0, len(found)-1):], m.Element) {
			found = append(found, m.Element)
		}
	}
	return found, nil
}

// deleteAll removes matches from the last to the first, for one may be inside
// of another.
func (w *writer) deleteAll(found []*etree.Element) error {
	for _, e := range slices.Backward(found) {
		if e == w.root {
			return w.refuse(cib.CodeSoftware, msgInvalid+": the XPath addresses the whole /cib")
		}
		e.Parent().RemoveChildAt(e.Index())
	}
	return nil
}

// Query answers a query.
func Query(root *etree.Element, req cib.Request) (cib.Result, error) {
	res := cib.Result{Version: VersionOf(root)}
	if req.XPath != "" {
		out, err := queryXPath(root, req)
		if err != nil {
			return cib.Result{}, err
		}
		res.Output = document.Format(out)
		return res, nil
	}
	section := req.Section
	if _, ok := document.SectionPath(section); !ok {
		section = "" // as Pacemaker: an unknown name is the whole document
	}
	e := document.Section(root, section)
	if e == nil {
		return cib.Result{}, &cib.Error{Code: cib.CodeNoSuch, Op: req.Op, Msg: msgNoSuch}
	}
	res.Output = document.Format(pruned(e, req.NoChildren))
	return res, nil
}

func pruned(e *etree.Element, prune bool) *etree.Element {
	if !prune {
		return e
	}
	return &etree.Element{Space: e.Space, Tag: e.Tag, Attr: e.Attr}
}

func queryXPath(root *etree.Element, req cib.Request) (*etree.Element, error) {
	found, err := elements(root, req.XPath)
	if err != nil {
		return nil, &cib.Error{Code: cib.CodeUsage, Op: req.Op, Msg: "Invalid XPath: " + err.Error()}
	}
	switch {
	case len(found) == 0:
		return nil, &cib.Error{Code: cib.CodeNoSuch, Op: req.Op, Msg: msgNoSuch}
	case len(found) == 1 && !req.NodePath:
		return pruned(found[0], req.NoChildren), nil
	}
	all := document.New("xpath-query")
	for _, e := range found {
		if req.NodePath {
			document.Add(all, "xpath-query-path", "id", document.Path(e))
			continue
		}
		all.AddChild(document.Clone(pruned(e, req.NoChildren)))
	}
	return all, nil
}
