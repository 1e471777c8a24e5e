// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmresource

import (
	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/pengine/status"
)

// setTag is the tag of the sets that the options name.
func (k *call) setTag() string {
	switch {
	case k.o.meta:
		return "meta_attributes"
	case k.o.utilization:
		return "utilization"
	}
	return "instance_attributes"
}

// getParameter shows one value as it is in effect.
func (k *call) getParameter() error {
	if k.o.element {
		return k.getProperty()
	}
	var values map[string]string
	switch {
	case k.o.meta:
		values = k.r.Meta
	case k.o.utilization:
		values = k.r.Utilization
	default:
		values = k.c.Params(k.r, k.n)
	}
	v, ok := values[k.o.arg]
	if k.o.as == "xml" && ok {
		item := document.New("item", "name", k.o.arg)
		item.SetText(v)
		k.body = []*etree.Element{item}
		return nil
	}
	if !ok {
		k.io.Errorf("Attribute '%s' not found for '%s'\n", k.o.arg, k.r.XMLID())
		return nil
	}
	k.io.Printf("%s\n", v)
	return nil
}

// getProperty shows an attribute of the resource's element.
func (k *call) getProperty() error {
	v, ok := document.Lookup(k.r.XML, k.o.arg)
	if !ok {
		k.io.Errorf("Attribute '%s' not found for '%s'\n", k.o.arg, k.r.XMLID())
		return nil
	}
	k.io.Printf("%s\n", v)
	return nil
}

// setProperty changes an attribute of the resource's element.
func (k *call) setProperty() error {
	if k.o.typ == "" {
		return exit.Errorf(exit.NoSuch, "crm_resource: Must specify -t with resource type\nError performing operation: %s", exit.NoSuch)
	}
	e := document.New(k.o.typ, "id", k.o.resource, k.o.arg, k.o.value)
	return k.write(cib.Request{Op: cib.OpModify, Section: "resources", Data: document.Compact(e)})
}

// owner is the resource whose attributes a change is for: meta attributes of a
// clone's child are the clone's, unless forced.
func (k *call) owner() *status.Resource {
	if !k.o.meta || k.o.force {
		return k.r
	}
	top := k.r.Top(false)
	if top == k.r || top.Variant != status.Clone {
		return k.r
	}
	if len(k.nvpairs(k.r, k.o.arg)) > 0 {
		return k.r
	}
	if !k.o.quiet {
		k.io.Printf("Performing update of '%s' on '%s', the parent of '%s'\n", k.o.arg, top.ID, k.r.XMLID())
	}
	return top
}

// nvpairs finds the values of a name in the resource's own sets.
func (k *call) nvpairs(r *status.Resource, name string) []*etree.Element {
	var out []*etree.Element
	for set := range document.Children(k.configXML(r), k.setTag()) {
		if k.o.set != "" && document.ID(set) != k.o.set {
			continue
		}
		for nv := range document.Children(set, "nvpair") {
			if document.Get(nv, "name") == name && (k.o.id == "" || document.ID(nv) == k.o.id) {
				out = append(out, nv)
			}
		}
	}
	return out
}

// setParameter sets a value where it stands, or in the resource's first set.
func (k *call) setParameter() error {
	if k.o.value == "" {
		return exit.Errorf(exit.Usage, "crm_resource: You need to supply a value with the -v option")
	}
	if k.o.element {
		k.o.typ = k.r.XML.Tag
		return k.setProperty()
	}
	r := k.owner()
	e := k.configXML(r)
	if e == nil {
		return notFound("Resource '%s' not found", k.o.resource)
	}
	found := k.nvpairs(r, k.o.arg)
	if len(found) > 1 {
		return exit.Errorf(exit.Multiple, "Error performing operation: %s", exit.Multiple)
	}
	setID, id, made := k.o.set, k.o.id, ""
	if len(found) == 1 {
		setID, id = document.ID(found[0].Parent()), document.ID(found[0])
	} else {
		if set := document.Child(e, k.setTag()); set != nil && setID == "" {
			setID = document.ID(set)
		}
		if setID == "" {
			setID = r.XMLID() + "-" + k.setTag()
		}
		if id == "" {
			id = setID + "-" + k.o.arg
		}
		made = " set=" + setID
	}
	data := document.New(e.Tag, "id", r.XMLID())
	set := document.Add(data, k.setTag(), "id", setID)
	document.Add(set, "nvpair", "id", id, "name", k.o.arg, "value", k.o.value)
	if err := k.write(cib.Request{Op: cib.OpModify, Section: "resources", Data: document.Compact(data)}); err != nil {
		return err
	}
	if !k.o.quiet && k.o.as != "xml" {
		k.io.Printf("Set '%s' option: id=%s%s name=%s value=%s\n", r.XMLID(), id, made, k.o.arg, k.o.value)
	}
	return nil
}

// deleteParameter deletes a value; that it is not there is no error.
func (k *call) deleteParameter() error {
	r := k.owner()
	found := k.nvpairs(r, k.o.arg)
	if len(found) > 1 {
		return exit.Errorf(exit.Multiple, "Error performing operation: %s", exit.Multiple)
	}
	for _, nv := range found {
		if err := k.write(cib.Request{Op: cib.OpDelete, XPath: document.Path(nv)}); err != nil {
			return err
		}
		if !k.o.quiet && k.o.as != "xml" {
			k.io.Printf("Deleted '%s' option: id=%s name=%s\n", r.XMLID(), document.ID(nv), k.o.arg)
		}
	}
	return nil
}

// deleteResource deletes a resource from the configuration.
func (k *call) deleteResource() error {
	if k.o.typ == "" {
		return exit.Errorf(exit.Usage, "crm_resource: You need to specify a resource type with -t")
	}
	return k.write(cib.Request{Op: cib.OpDelete, Section: "resources", Data: document.Compact(document.New(k.o.typ, "id", k.o.resource))})
}
