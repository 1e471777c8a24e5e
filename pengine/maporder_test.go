// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package pengine_test

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestEachRangeOverAMapSaysWhyItsOrderDoesNotMatter: decisions depend on nothing
// but the input, so a loop over a map in the scheduler, or in what reads the CIB
// for it, has a comment on its line that begins with "any order:".
func TestEachRangeOverAMapSaysWhyItsOrderDoesNotMatter(t *testing.T) {
	list, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}}={{.Export}}", "./status", "./sched").Output()
	if err != nil {
		t.Fatal(err)
	}
	exports := map[string]string{}
	for line := range strings.Lines(string(list)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), "=")
		exports[path] = file
	}
	fset := token.NewFileSet()
	imp := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for _, dir := range []string{"status", "sched"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		var parsed []*ast.File
		for _, f := range files {
			if strings.HasSuffix(f, "_test.go") {
				continue
			}
			a, err := parser.ParseFile(fset, f, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			parsed = append(parsed, a)
		}
		info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}}
		if _, err := (&types.Config{Importer: imp}).Check("github.com/quorate/quorate/pengine/"+dir, fset, parsed, info); err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, f := range parsed {
			said := map[int]bool{}
			for _, g := range f.Comments {
				for _, c := range g.List {
					if strings.HasPrefix(c.Text, "// any order: ") {
						said[fset.Position(c.Pos()).Line] = true
					}
				}
			}
			ast.Inspect(f, func(n ast.Node) bool {
				r, ok := n.(*ast.RangeStmt)
				if !ok {
					return true
				}
				if _, isMap := info.TypeOf(r.X).Underlying().(*types.Map); isMap {
					found++
					if pos := fset.Position(r.Pos()); !said[pos.Line] {
						t.Errorf("%s: a loop over a map: why does its order not matter? (// any order: …)", pos)
					}
				}
				return true
			})
		}
		if found == 0 {
			t.Errorf("%s has no loop over a map at all: does this test still look?", dir)
		}
	}
}
