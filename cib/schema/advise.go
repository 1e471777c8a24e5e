// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package schema

import (
	"fmt"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// Advise gives what is allowed but surely not meant: constraints, tickets, tags
// and templates that name something which the configuration has not. Lines may
// be nil.
func Advise(root *etree.Element, lines document.Lines) []Fault {
	v := validator{lines: lines}
	known := map[string]bool{}
	for e := range document.All(document.Section(root, "resources"), "") {
		known[document.ID(e)] = true
	}
	for e := range document.All(document.Section(root, "tags"), "tag") {
		known[document.ID(e)] = true
	}
	templates := map[string]bool{}
	for e := range document.Children(document.Section(root, "resources"), "template") {
		templates[document.ID(e)] = true
	}
	for e := range document.All(document.Section(root, "resources"), "primitive") {
		if t, ok := document.Lookup(e, "template"); ok && !templates[t] {
			v.fault(e, fmt.Sprintf("template %s does not exist", t))
		}
	}
	for e := range document.All(document.Section(root, "constraints"), "") {
		v.dangling(e, known)
	}
	return v.faults
}

func (v *validator) dangling(e *etree.Element, known map[string]bool) {
	names := []string{"rsc", "with-rsc", "first", "then"}
	if e.Tag == "resource_ref" {
		names = []string{"id"}
	}
	for _, name := range names {
		if id, ok := document.Lookup(e, name); ok && !known[id] {
			v.fault(e, fmt.Sprintf("%s=%q: there is no such resource", name, id))
		}
	}
}
