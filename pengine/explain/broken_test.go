// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/beevik/etree"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/explain"
	"github.com/quorate/quorate/pengine/sched"
)

// TestBrokenClustersAreAnswered takes clusters apart at random and asks about what
// is left: an answer comes, whatever the state.
func TestBrokenClustersAreAnswered(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(corpusDir, "xml", "*.xml"))
	files = append(files, "testdata/shop.xml")
	cases := causeCases(dummy("web", ""))
	names := slices.Sorted(maps.Keys(cases))
	rapid.Check(t, func(r *rapid.T) {
		var root *etree.Element
		if rapid.Bool().Draw(r, "own") {
			c := cases[rapid.SampledFrom(names).Draw(r, "case")]
			root = c.cib(t)
		} else {
			text, err := os.ReadFile(rapid.SampledFrom(files).Draw(r, "file"))
			if err != nil {
				r.Fatal(err)
			}
			if root, err = document.Parse(text); err != nil {
				r.Fatal(err)
			}
		}
		for range rapid.IntRange(1, 10).Draw(r, "damages") {
			breakOne(r, root)
		}
		in := sched.Input{CIB: root, Now: aMoment, TransitionID: 1}
		e, err := explain.New(in)
		if err != nil {
			return
		}
		list := questions(t, in)
		for range min(len(list), 3) {
			q := list[rapid.IntRange(0, len(list)-1).Draw(r, "question")]
			a, err := e.Ask(q.Question)
			if err != nil || a.Outcome == "" {
				r.Fatalf("%+v: %v", q, err)
			}
		}
	})
}

// breakOne drops, doubles or blanks something.
func breakOne(t *rapid.T, root *etree.Element) {
	all := root.FindElements(".//*")
	if len(all) == 0 {
		return
	}
	e := all[rapid.IntRange(0, len(all)-1).Draw(t, "element")]
	switch rapid.IntRange(0, 3).Draw(t, "damage") {
	case 0:
		e.Parent().RemoveChild(e)
	case 1:
		e.Parent().AddChild(document.Clone(e))
	case 2:
		if len(e.Attr) > 0 {
			e.RemoveAttr(e.Attr[rapid.IntRange(0, len(e.Attr)-1).Draw(t, "attribute")].Key)
		}
	default:
		if len(e.Attr) > 0 {
			e.Attr[rapid.IntRange(0, len(e.Attr)-1).Draw(t, "attribute")].Value = rapid.SampledFrom([]string{"", "0", "-INFINITY", "true", "Stopped", "node1", "banana"}).Draw(t, "value")
		}
	}
}
