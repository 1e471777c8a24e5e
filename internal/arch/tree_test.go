// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package arch

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

const module = "github.com/quorate/quorate"

// A source is one Go file of the tree.
type source struct {
	path    string // from the root of the tree, with slashes
	dir     string
	text    string
	ast     *ast.File
	imports []string
}

func (s *source) isTest() bool      { return strings.HasSuffix(s.path, "_test.go") }
func (s *source) isGenerated() bool { return ast.IsGenerated(s.ast) }

const root = "../.."

var skipDirs = map[string]bool{".git": true, "bin": true, "testdata": true, "node_modules": true, "tools": true}

var loadTree = sync.OnceValues(func() ([]*source, error) {
	var all []*source
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if skipDirs[d.Name()] {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(path, ".go") {
			return nil
		}
		s, err := load(path)
		if err == nil {
			all = append(all, s)
		}
		return err
	})
	return all, err
})

func load(path string) (*source, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return nil, err
	}
	rel = filepath.ToSlash(rel)
	s := &source{path: rel, dir: strings.TrimSuffix(rel, "/"+filepath.Base(rel)), text: string(text), ast: f}
	for _, imp := range f.Imports {
		name, err := strconv.Unquote(imp.Path.Value)
		if err != nil {
			return nil, err
		}
		s.imports = append(s.imports, name)
	}
	return s, nil
}

func tree(t *testing.T) []*source {
	t.Helper()
	all, err := loadTree()
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 20 {
		t.Fatalf("only %d files found: the test looks in the wrong place", len(all))
	}
	return all
}

// within tells whether dir is folder or below it.
func within(dir, folder string) bool {
	return dir == folder || strings.HasPrefix(dir, folder+"/")
}

func withinAny(dir string, folders ...string) bool {
	for _, f := range folders {
		if within(dir, f) {
			return true
		}
	}
	return false
}
