// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package arch

import (
	"go/ast"
	"path"
	"strings"
	"testing"
)

func TestEachPackageSaysWhatItIsFor(t *testing.T) {
	documented, files := map[string]bool{}, map[string]int{}
	for _, s := range tree(t) {
		if !s.isTest() && !s.isGenerated() {
			files[s.dir]++
		}
	}
	for _, s := range tree(t) {
		if s.isTest() || s.isGenerated() {
			continue
		}
		// A command says it where its main is, a package of one file there; every
		// other package has a doc.go.
		inPlace := path.Base(s.path) == "doc.go" || s.ast.Name.Name == "main" || files[s.dir] == 1
		documented[s.dir] = documented[s.dir] || inPlace && len(s.ast.Doc.Text()) > 40
	}
	for dir, ok := range documented {
		if !ok {
			t.Errorf("%s: no doc.go that says what the package is for", dir)
		}
	}
}

func TestEachExportedNameIsCommented(t *testing.T) {
	for _, s := range tree(t) {
		if s.isTest() || s.isGenerated() || s.ast.Name.Name == "main" {
			continue
		}
		for _, d := range s.ast.Decls {
			for _, name := range uncommented(d) {
				t.Errorf("%s: %s has no comment", s.path, name)
			}
		}
	}
}

// uncommented lists the exported names of a declaration that nothing explains.
// A comment on a group of constants or variables explains its members.
func uncommented(d ast.Decl) []string {
	var bare []string
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && onExported(d) {
			bare = append(bare, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch spec := spec.(type) {
			case *ast.TypeSpec:
				if spec.Name.IsExported() && d.Doc == nil && spec.Doc == nil {
					bare = append(bare, spec.Name.Name)
				}
			case *ast.ValueSpec:
				if d.Doc != nil || spec.Doc != nil || spec.Comment != nil {
					continue
				}
				for _, n := range spec.Names {
					if n.IsExported() {
						bare = append(bare, n.Name)
					}
				}
			}
		}
	}
	return bare
}

// onExported tells whether a function is no method, or one of an exported type
// that is not there by an interface everyone knows.
func onExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	switch d.Name.Name {
	case "String", "Error", "Unwrap", "Is", "Len", "Less", "Swap", "Describe", "Collect":
		return false
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if idx, ok := typ.(*ast.IndexExpr); ok {
		typ = idx.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}

func TestEachFileCarriesItsLicence(t *testing.T) {
	const head = "// SPDX-FileCopyrightText: The Quorate authors\n// SPDX-License-Identifier: GPL-2.0-or-later\n"
	for _, s := range tree(t) {
		if !s.isGenerated() && !strings.HasPrefix(s.text, head) {
			t.Errorf("%s does not start with the two SPDX lines", s.path)
		}
	}
}

const maxLines = 600

func TestNoFileIsTooLong(t *testing.T) {
	for _, s := range tree(t) {
		if n := strings.Count(s.text, "\n"); n > maxLines && !s.isGenerated() {
			t.Errorf("%s has %d lines, more than %d", s.path, n, maxLines)
		}
	}
}

func TestNoInitFunctions(t *testing.T) {
	for _, s := range tree(t) {
		if s.isGenerated() {
			continue
		}
		for _, d := range s.ast.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s has an init function: register in an explicit table", s.path)
			}
		}
	}
}

func TestNoCatchAllPackages(t *testing.T) {
	for _, s := range tree(t) {
		switch path.Base(s.dir) {
		case "util", "utils", "common", "types", "helpers", "misc":
			t.Errorf("%s: a package is named for one thing", s.dir)
		}
	}
}
