// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package patch

import (
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// pathOf gives the path of an element: tags from the root, with the id where
// there is one, and a number where siblings are alike.
func pathOf(e *etree.Element) string {
	var steps []string
	for ; e != nil && e.Tag != ""; e = e.Parent() {
		steps = append(steps, stepOf(e))
	}
	slices.Reverse(steps)
	return "/" + strings.Join(steps, "/")
}

func stepOf(e *etree.Element) string {
	id, has := document.Lookup(e, "id")
	step := e.FullTag()
	if has {
		step += "[@id='" + quote(id) + "']"
	}
	if p := e.Parent(); p != nil {
		n, total := 0, 0
		for c := range document.Children(p, e.Tag) {
			if cid, ok := document.Lookup(c, "id"); c.Space == e.Space && (!has || (ok && cid == id)) {
				total++
				if c == e {
					n = total
				}
			}
		}
		if total > 1 {
			step += "[" + strconv.Itoa(n) + "]"
		}
	}
	return step
}

// quote keeps an id inside of single quotes.
func quote(id string) string {
	return strings.NewReplacer("&", "&amp;", "'", "&apos;").Replace(id)
}

func unquote(id string) string {
	return strings.NewReplacer("&amp;", "&", "&apos;", "'").Replace(id)
}

// maxSteps bounds the depth of a path.
const maxSteps = 256

// find gives the element that a path names, or nil.
func find(root *etree.Element, path string) *etree.Element {
	rest, ok := strings.CutPrefix(path, "/")
	if !ok {
		return nil
	}
	var cur *etree.Element
	for n := 0; rest != "" && n < maxSteps; n++ {
		step, after, ok := cutStep(rest)
		if !ok {
			return nil
		}
		rest = after
		if cur == nil {
			if !step.fits(root) || step.n > 1 {
				return nil
			}
			cur = root
			continue
		}
		if cur = step.child(cur); cur == nil {
			return nil
		}
	}
	if rest != "" {
		return nil
	}
	return cur
}

type step struct {
	tag, id string
	hasID   bool
	n       int // 0: the first
}

func (s step) fits(e *etree.Element) bool {
	if e.FullTag() != s.tag {
		return false
	}
	if !s.hasID {
		return true
	}
	id, ok := document.Lookup(e, "id")
	return ok && id == s.id
}

func (s step) child(parent *etree.Element) *etree.Element {
	n := max(s.n, 1)
	for c := range document.Children(parent, "") {
		if s.fits(c) {
			if n--; n == 0 {
				return c
			}
		}
	}
	return nil
}

// cutStep takes the first step off a path.
func cutStep(path string) (s step, rest string, ok bool) {
	end := strings.IndexAny(path, "/[")
	if end < 0 {
		return step{tag: path}, "", path != ""
	}
	s.tag, rest = path[:end], path[end:]
	if s.tag == "" {
		return s, "", false
	}
	if after, has := strings.CutPrefix(rest, "[@id='"); has {
		id, after, has := strings.Cut(after, "']")
		if !has {
			return s, "", false
		}
		s.id, s.hasID, rest = unquote(id), true, after
	}
	if after, has := strings.CutPrefix(rest, "["); has {
		num, after, has := strings.Cut(after, "]")
		n, err := strconv.Atoi(num)
		if !has || err != nil || n < 1 {
			return s, "", false
		}
		s.n, rest = n, after
	}
	if rest == "" {
		return s, "", true
	}
	rest, ok = strings.CutPrefix(rest, "/")
	return s, rest, ok && rest != ""
}
