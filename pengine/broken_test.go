// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package pengine_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/beevik/etree"
	"pgregory.net/rapid"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/simulate"
	"github.com/quorate/quorate/transition/graph"
)

// odd are values that attributes of a broken cluster take.
var odd = []string{
	"", "0", "-1", "INFINITY", "-INFINITY", "true", "false", "Promoted", "Stopped", "Started", "4294967296", "-9223372036854775808",
	"P1Y", "10s", "block", "fence", "migrate", "#uname", "node1", "1", "9", "member", "banana", "%1", "a:b:c",
}

// TestBrokenClusters damages clusters at random. The scheduler must not panic,
// and what it decides must be a graph that can be read back and carried out.
func TestBrokenClusters(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join(corpusDir, "xml", "*.xml"))
	seeds, _ := filepath.Glob("testdata/fuzz-seeds/*.xml")
	files = append(seeds, files...)
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(files).Draw(t, "file")
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		root, err := document.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 12).Draw(t, "damages") {
			damage(t, root)
		}
		r, err := sched.Schedule(sched.Input{CIB: root, Now: aMoment, Scores: true, Utilization: true})
		if err != nil {
			return
		}
		if _, err := graph.Parse(graph.Marshal(r.Graph)); err != nil {
			t.Fatalf("%s: the graph cannot be read back: %v", name, err)
		}
		if _, err := simulate.Simulate(root, simulate.Options{Now: aMoment, Simulate: true}); err != nil {
			t.Fatalf("%s: decided but not carried out: %v", name, err)
		}
	})
}

func damage(t *rapid.T, root *etree.Element) {
	all := append(root.FindElements(".//*"), root)
	e := all[rapid.IntRange(0, len(all)-1).Draw(t, "element")]
	other := all[rapid.IntRange(0, len(all)-1).Draw(t, "other")]
	switch rapid.IntRange(0, 4).Draw(t, "damage") {
	case 0:
		if e.Parent() != nil && e != root {
			e.Parent().RemoveChild(e)
		}
	case 1:
		if e != root && e.Parent() != nil {
			e.Parent().AddChild(document.Clone(e))
		}
	case 2:
		if other != root {
			e.AddChild(document.Clone(other))
		}
	case 3:
		if len(e.Attr) > 0 {
			e.Attr[rapid.IntRange(0, len(e.Attr)-1).Draw(t, "attribute")].Value = rapid.SampledFrom(odd).Draw(t, "value")
		}
	default:
		if len(e.Attr) > 0 && len(other.Attr) > 0 {
			e.Attr[rapid.IntRange(0, len(e.Attr)-1).Draw(t, "attribute")].Value = other.Attr[rapid.IntRange(0, len(other.Attr)-1).Draw(t, "from")].Value
		}
	}
}
