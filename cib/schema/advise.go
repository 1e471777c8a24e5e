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
	v.members(root)
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

// members checks that tags name something, and that references (id-ref) name
// something of their own kind.
func (v *validator) members(root *etree.Element) {
	config := document.Child(root, "configuration")
	kinds := map[string]string{}
	for e := range document.All(config, "") {
		if id := document.ID(e); id != "" && e.Tag != "obj_ref" && e.Tag != "resource_ref" {
			kinds[id] = e.Tag
		}
	}
	for e := range document.All(config, "") {
		ref, ok := document.Lookup(e, "id-ref")
		switch kind := kinds[ref]; {
		case e.Tag == "obj_ref" && kinds[document.ID(e)] == "":
			v.fault(e, fmt.Sprintf("id=%q: there is nothing of that id", document.ID(e)))
		case ok && kind != "" && kind != e.Tag:
			v.fault(e, fmt.Sprintf("id-ref %s refers to a %s", ref, kind))
		}
	}
}
