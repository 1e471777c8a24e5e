// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package schema

import (
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// Where the classic schemas are (a folder with pacemaker-X.Y.rng) and more
// CIBs to try them on; corpusXML lies beside the module, if at all.
const (
	schemasVariable = "QUORATE_REAL_SCHEMAS"
	casesVariable   = "QUORATE_SCHEMA_CASES"
	corpusXML       = "../../../shared/conformance/scheduler/xml"
)

// inputs are the CIBs that there are, by file.
func inputs(t *testing.T) map[string]*etree.Element {
	t.Helper()
	files, _ := filepath.Glob(filepath.Join(corpusXML, "*.xml"))
	if dir := os.Getenv(casesVariable); dir != "" {
		_ = filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
			if err == nil && info.Mode().IsRegular() {
				files = append(files, path)
			}
			return nil
		})
	}
	out := map[string]*etree.Element{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if root, err := document.Parse(text); err == nil && root.Tag == "cib" {
			out[f] = root
		}
	}
	return out
}

// TestTheVocabularyAcceptsWhatTheClassicSchemasAccept tries each schema on
// CIBs and on CIBs that were changed at random.
func TestTheVocabularyAcceptsWhatTheClassicSchemasAccept(t *testing.T) {
	dir := os.Getenv(schemasVariable)
	if dir == "" {
		t.Skipf("%s names no folder of schemas to compare with", schemasVariable)
	}
	if _, err := exec.LookPath("xmllint"); err != nil {
		t.Fatal("the comparison was asked for and xmllint is missing: install libxml2-utils")
	}
	all := inputs(t)
	if len(all) == 0 {
		t.Skip("no CIBs beside the module")
	}
	rnd := rand.New(rand.NewPCG(3, 10)) //nolint:gosec // a test
	tmp := t.TempDir()
	keys := make([]string, 0, len(all))
	for f := range all {
		keys = append(keys, f)
	}
	slices.Sort(keys)
	docs := map[string]*etree.Element{}
	for i, f := range keys {
		for k := range 1 + rounds {
			root := document.Clone(all[f])
			if k > 0 {
				for range 1 + rnd.IntN(2) {
					mutate(root, rnd)
				}
			}
			path := filepath.Join(tmp, fmt.Sprintf("%d-%d-%s", i, k, filepath.Base(f)))
			if err := os.WriteFile(path, document.Format(root), 0o600); err != nil {
				t.Fatal(err)
			}
			docs[path] = root
		}
	}
	compared, differ := 0, 0
	for v, name := range names {
		for path, want := range lint(t, filepath.Join(dir, name+".rng"), docs) {
			compared++
			faults := faultsBy(docs[path], version(v), 1)
			if (len(faults) == 0) != want.valid {
				if differ++; differ < 40 {
					t.Errorf("%s by %s: the classic schema says %v %s, ours %v", filepath.Base(path), name, want.valid, want.why, faults)
				}
			}
		}
	}
	t.Logf("%d judgements compared, %d differ", compared, differ)
}

// rounds is how many changed forms of each CIB are tried.
const rounds = 2

// A judgement is what the classic schema says.
type judgement struct {
	valid bool
	why   string
}

// lint asks xmllint about all documents.
func lint(t *testing.T, rng string, docs map[string]*etree.Element) map[string]judgement {
	t.Helper()
	out := map[string]judgement{}
	args := []string{"--noout", "--relaxng", rng}
	for path := range docs {
		args = append(args, path)
	}
	text, _ := exec.Command("xmllint", args...).CombinedOutput() //nolint:gosec // a test
	why := map[string]string{}
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		if path, ok := strings.CutSuffix(line, " validates"); ok {
			out[path] = judgement{valid: true}
		} else if path, ok := strings.CutSuffix(line, " fails to validate"); ok {
			out[path] = judgement{why: why[path]}
		} else if i := strings.Index(line, ".xml:"); i > 0 {
			if path := line[:i+4]; why[path] == "" {
				why[path] = line[i+4:]
			}
		}
	}
	if len(out) != len(docs) {
		t.Fatalf("%s: %d answers for %d documents: %.500s", rng, len(out), len(docs), text)
	}
	return out
}

// mutate changes one thing in the configuration.
func mutate(root *etree.Element, rnd *rand.Rand) {
	var list []*etree.Element
	for e := range document.All(document.Child(root, "configuration"), "") {
		list = append(list, e)
	}
	if len(list) == 0 {
		return
	}
	e := list[rnd.IntN(len(list))]
	tags := make([]string, 0, len(elements))
	for tag := range elements {
		tags = append(tags, tag)
	}
	slices.Sort(tags)
	def := elements[e.Tag]
	switch rnd.IntN(6) {
	case 0: // lose an attribute
		if len(e.Attr) > 0 {
			i := rnd.IntN(len(e.Attr))
			e.Attr = slices.Delete(e.Attr, i, i+1)
		}
	case 1: // get one that may be allowed
		if len(def.order) > 0 {
			name := def.order[rnd.IntN(len(def.order))]
			document.Set(e, name, someValue(def.attrs[name].kind, rnd))
		}
	case 2: // get a child that may be allowed
		if len(def.kidList) > 0 {
			e.AddChild(build(def.kidList[rnd.IntN(len(def.kidList))], rnd, 0))
		}
	case 3: // be lost
		if e.Parent() != nil {
			e.Parent().RemoveChild(e)
		}
	case 4: // be doubled, with other ids
		if e.Parent() != nil {
			c := document.Clone(e)
			for k := range document.All(&etree.Element{Tag: "x", Child: []etree.Token{c}}, "") {
				if document.ID(k) != "" && k.Tag != "resource_ref" {
					document.Set(k, "id", fmt.Sprintf("again-%d", rnd.Int64()))
				}
			}
			e.Parent().AddChild(c)
		}
	case 5: // have another value
		if len(e.Attr) > 0 {
			a := &e.Attr[rnd.IntN(len(e.Attr))]
			a.Value = someValue(def.attrs[a.Key].kind, rnd)
		}
	}
}

func someValue(kind string, rnd *rand.Rand) string {
	if list := enums[kind]; len(list) > 0 {
		return list[rnd.IntN(len(list))].text
	}
	values := []string{"x", "1", "-1", "INFINITY", "12", "", "poweroff", "remove-after-stop", "restart-type", fmt.Sprintf("v%d", rnd.Int64())}
	return values[rnd.IntN(len(values))]
}

// build makes an element that has most of what it needs.
func build(tag string, rnd *rand.Rand, depth int) *etree.Element {
	e := etree.NewElement(tag)
	def := elements[tag]
	for _, name := range def.order {
		a := def.attrs[name]
		switch {
		case a.kind == "id":
			document.Set(e, name, fmt.Sprintf("made-%d", rnd.Int64()))
		case name == "id-ref":
		case a.required || rnd.IntN(3) == 0:
			document.Set(e, name, someValue(a.kind, rnd))
		}
	}
	for _, kid := range def.kidList {
		if depth < 3 && (def.kids[kid].need == '+' || def.kids[kid].need == '!' || rnd.IntN(3) == 0) {
			e.AddChild(build(kid, rnd, depth+1))
		}
	}
	return e
}
