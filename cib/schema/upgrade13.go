// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package schema

import (
	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// acls13 brings access control lists from schema 1.3 to 2.0: permissions have
// one element with a kind, and users get theirs through roles.
func acls13(root *etree.Element, note func(string)) error {
	document.Set(root, "validate-with", names[v20])
	each(root, func(e *etree.Element) {
		switch e.Tag {
		case "role_ref":
			e.Tag = "role"
		case "read", "write", "deny":
			permission(e, note)
		}
	})
	for _, user := range document.Section(root, "acls").ChildElements() {
		if user.Tag != "acl_user" {
			continue
		}
		user.Tag = "acl_target"
		if document.Child(user, "role") != nil {
			continue
		}
		perms := user.ChildElements()
		user.Child = nil
		if len(perms) == 0 {
			continue
		}
		auto := "auto-" + document.ID(user)
		document.Add(user, "role", "id", auto)
		role := document.New("acl_role", "id", auto)
		role.Child = nil
		for _, p := range perms {
			role.AddChild(document.Clone(p))
		}
		replace(user, document.Clone(user), role)
	}
	return nil
}

// permission makes a permission of the old element.
func permission(e *etree.Element, note func(string)) {
	old := document.Clone(e)
	kind := e.Tag
	e.Tag, e.Attr = "acl_permission", nil
	document.Set(e, "id", document.ID(old))
	document.Set(e, "kind", kind)
	attribute, limited := document.Lookup(old, "attribute")
	switch {
	case has(old, "ref"):
		document.Set(e, "reference", document.Get(old, "ref"))
		if limited {
			note("INFO: ACL permission " + document.ID(old) + ": a permission for one element (ref) cannot be limited to an attribute: it holds for all of it")
		}
	case has(old, "tag"):
		document.Set(e, "object-type", document.Get(old, "tag"))
		if limited {
			note("INFO: ACL permission " + document.ID(old) + ": it is now limited to the attribute of elements of the tag")
			document.Set(e, "attribute", attribute)
		}
	case limited:
		note("INFO: ACL permission " + document.ID(old) + ": its attribute is now a part of the xpath")
		document.Set(e, "xpath", document.Get(old, "xpath")+"[@"+attribute+"]")
	default:
		document.Set(e, "xpath", document.Get(old, "xpath"))
	}
}
