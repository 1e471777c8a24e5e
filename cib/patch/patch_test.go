// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package patch

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/beevik/etree"
	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/cib/document"
)

// TestMake shows the patchset between two documents, separated by ----.
func TestMake(t *testing.T) {
	datadriven.RunTest(t, "testdata/make", func(t *testing.T, d *datadriven.TestData) string {
		a, b := split(t, d.Input)
		diff := Make(a, b)
		if diff == nil {
			return "equal\n"
		}
		got, err := Apply(document.Clone(a), diff)
		if err != nil {
			t.Fatalf("%s: apply: %v", d.Pos, err)
		}
		if !document.Equal(got, b) {
			t.Fatalf("%s: applied: %s", d.Pos, document.Compact(got))
		}
		return string(document.Format(diff))
	})
}

// TestApply shows what a patchset, behind ----, makes of a document.
func TestApply(t *testing.T) {
	datadriven.RunTest(t, "testdata/apply", func(t *testing.T, d *datadriven.TestData) string {
		a, diff := split(t, d.Input)
		got, err := Apply(a, diff)
		if err != nil {
			return fmt.Sprintf("error: %v\n", err)
		}
		return string(document.Format(got))
	})
}

func split(t *testing.T, in string) (a, b *etree.Element) {
	t.Helper()
	root, err := document.Parse([]byte("<both>" + in + "</both>"))
	if err != nil {
		t.Fatal(err)
	}
	parts := slices.Collect(document.Children(root, ""))
	return document.Clone(parts[0]), document.Clone(parts[1])
}

func TestApplyOfMakeGivesTheTarget(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a := drawTree(t, 3)
		b := mutate(t, document.Clone(a))
		if rapid.IntRange(0, 4).Draw(t, "unrelated") == 0 {
			b = drawTree(t, 3)
		}
		before := document.Compact(a)
		diff := Make(a, b)
		if string(document.Compact(a)) != string(before) {
			t.Fatal("Make changed its input")
		}
		if diff == nil {
			if !document.Equal(a, b) {
				t.Fatalf("no difference between %s and %s", before, document.Compact(b))
			}
			return
		}
		// A patchset travels as text.
		wire, err := document.Parse(document.Format(diff))
		if err != nil {
			t.Fatal(err)
		}
		got, err := Apply(document.Clone(a), wire)
		if err != nil {
			t.Fatalf("%s\n%s\n%s\n%v", before, document.Compact(b), document.Format(diff), err)
		}
		if !document.Equal(got, b) {
			t.Fatalf("a    %s\nb    %s\ngot  %s\n%s", before, document.Compact(b), document.Compact(got), document.Format(diff))
		}
	})
}

func drawTree(t *rapid.T, depth int) *etree.Element {
	e := document.New(rapid.SampledFrom([]string{"x", "y", "comment"}).Draw(t, "tag"))
	if rapid.Bool().Draw(t, "has id") {
		document.Set(e, "id", rapid.SampledFrom([]string{"a", "b", "it's", "]"}).Draw(t, "id"))
	}
	if rapid.Bool().Draw(t, "has value") {
		document.Set(e, "value", rapid.SampledFrom([]string{"1", "2"}).Draw(t, "value"))
	}
	n := 0
	if depth > 0 {
		n = rapid.IntRange(0, 4).Draw(t, "children")
	}
	for range n {
		e.AddChild(drawChild(t, depth-1))
	}
	return e
}

func drawChild(t *rapid.T, depth int) etree.Token {
	switch rapid.IntRange(0, 9).Draw(t, "kind") {
	case 0:
		return etree.NewComment(rapid.SampledFrom([]string{"c", "d"}).Draw(t, "comment"))
	case 1:
		e := document.New("t")
		e.AddChild(etree.NewText(rapid.SampledFrom([]string{"u", "v"}).Draw(t, "text")))
		return e
	}
	return drawTree(t, depth)
}

// mutate does some random edits.
func mutate(t *rapid.T, root *etree.Element) *etree.Element {
	for range rapid.IntRange(0, 5).Draw(t, "edits") {
		all := slices.Collect(document.All(root, ""))
		e := rapid.SampledFrom(all).Draw(t, "where")
		switch rapid.IntRange(0, 3).Draw(t, "edit") {
		case 0:
			document.Set(e, "value", rapid.SampledFrom([]string{"1", "2", "3"}).Draw(t, "value"))
		case 1:
			if !text(e) {
				put(e, rapid.IntRange(0, len(e.Child)).Draw(t, "at"), drawChild(t, 1))
			}
		case 2:
			if e != root {
				e.Parent().RemoveChildAt(e.Index())
			}
		case 3:
			if e != root {
				p := e.Parent()
				p.RemoveChildAt(e.Index())
				put(p, rapid.IntRange(0, len(p.Child)).Draw(t, "to"), e)
			}
		}
	}
	return root
}

func TestVersionsAreChecked(t *testing.T) {
	a, b := document.Empty(""), document.Empty("")
	document.SetVersions(b, 0, 2, 0)
	diff := Make(a, b)
	if _, err := Apply(document.Clone(b), diff); !errors.Is(err, ErrOld) {
		t.Errorf("on a newer document: %v", err)
	}
	old := document.Empty("")
	document.SetVersions(old, 0, 0, 5)
	if _, err := Apply(old, diff); !errors.Is(err, ErrNew) {
		t.Errorf("on an older document: %v", err)
	}
	WithoutVersions(diff)
	if _, err := Apply(document.Clone(b), diff); err != nil {
		t.Errorf("without versions: %v", err)
	}
}

func FuzzApply(f *testing.F) {
	a := document.Empty("")
	b := document.Clone(a)
	document.Add(document.Section(b, "resources"), "primitive", "id", "ip")
	document.Set(b, "have-quorum", "1")
	f.Add(document.Compact(Make(a, b)))
	f.Add([]byte(`<diff format="2"><change operation="move" path="/cib/status" position="0"/><change operation="delete" path="/cib/status/comment" position="0"/></diff>`))
	f.Fuzz(func(t *testing.T, in []byte) {
		diff, err := document.Parse(in)
		if err != nil {
			return
		}
		root, err := Apply(document.Clone(a), diff)
		if err != nil {
			if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrMismatch) && !errors.Is(err, ErrOld) && !errors.Is(err, ErrNew) {
				t.Fatalf("unexpected error %v", err)
			}
			return
		}
		if _, err := document.Parse(document.Format(root)); err != nil {
			t.Fatal(err)
		}
	})
}

func BenchmarkMakeOneChangeIn1MB(b *testing.B) {
	root := document.Empty("")
	res := document.Section(root, "resources")
	for i := range 7000 {
		document.Add(document.Add(res, "primitive", "id", fmt.Sprint("rsc", i), "class", "ocf", "provider", "heartbeat", "type", "IPaddr2"),
			"meta_attributes", "id", fmt.Sprint("rsc", i, "-meta"))
	}
	next := document.Clone(root)
	document.Set(document.ByID(next, "", "rsc3500"), "type", "Dummy")
	for b.Loop() {
		Make(root, next)
	}
}
