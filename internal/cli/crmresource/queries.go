// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmresource

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/cli/statusview"
	"github.com/quorate/quorate/pengine/status"
)

// list shows all resources.
func (k *call) list() error {
	v := k.view(statusview.Options{Sections: statusview.SecResources, Inactive: true, RscOnly: true})
	if k.o.as == "xml" {
		list := document.New("resources")
		for _, r := range k.c.Resources {
			list.AddChild(v.ResourceXML(r))
		}
		k.body = []*etree.Element{list}
		return nil
	}
	if len(k.c.Resources) == 0 {
		k.io.Printf("  * No resources\n")
		return exit.Silent(exit.NoSuch)
	}
	v.Text(k.io.Stdout)
	return nil
}

// listRaw lists the primitives' ids.
func (k *call) listRaw() error {
	any := false
	for r := range k.primitives() {
		any = true
		if k.o.as == "xml" {
			k.body = append(k.body, k.view(statusview.Options{}).ResourceXML(r))
			continue
		}
		k.io.Printf("%s\n", r.ID)
	}
	if !any {
		k.io.Printf("No resources\n")
		return exit.Silent(exit.NoSuch)
	}
	return nil
}

// primitives yields all primitives in order.
func (k *call) primitives() func(func(*status.Resource) bool) {
	return func(yield func(*status.Resource) bool) {
		for _, r := range k.c.Resources {
			for _, p := range parts(r) {
				if !yield(p) {
					return
				}
			}
		}
	}
}

// parts lists the primitives at or below a resource.
func parts(r *status.Resource) []*status.Resource {
	if r.Variant == status.Primitive {
		return []*status.Resource{r}
	}
	var out []*status.Resource
	for _, c := range r.Children {
		out = append(out, parts(c)...)
	}
	return out
}

// listOperations lists what the history has.
func (k *call) listOperations() error {
	v := k.view(statusview.Options{RscOnly: true})
	for state := range document.Children(document.Child(k.c.Root, "status"), "node_state") {
		n := k.c.FindNodeID(document.Get(state, "id"))
		if n == nil || k.n != nil && n != k.n {
			continue
		}
		for e := range document.Children(document.At(state, "lrm", "lrm_resources"), "lrm_resource") {
			r := k.c.FindResource(document.ID(e), status.MatchAnonBasename)
			if r == nil || k.r != nil && r.XMLID() != k.r.XMLID() {
				continue
			}
			for op := range document.Children(e, "lrm_rsc_op") {
				k.io.Printf("%s: %s\n", v.PrimitiveText(r), operationText(n, op))
			}
		}
	}
	return nil
}

func operationText(n *status.Node, op *etree.Element) string {
	text := fmt.Sprintf("%s (node=%s, call=%s, rc=%s", document.Get(op, "operation_key"), n.Name, document.Get(op, "call-id"), document.Get(op, "rc-code"))
	if sec, err := strconv.ParseInt(document.Get(op, "last-rc-change"), 10, 64); err == nil && sec > 0 {
		text += fmt.Sprintf(", last-rc-change='%s', exec=%sms", time.Unix(sec, 0).Format(time.ANSIC), document.Get(op, "exec-time"))
	}
	st, _ := strconv.Atoi(document.Get(op, "op-status"))
	return text + "): " + status.ExecStatus(st).String()
}

// queryXML shows the resource's part of the configuration.
func (k *call) queryXML() error {
	e := k.r.XML
	if k.o.verb == "query-xml-raw" {
		if raw := k.configXML(k.r); raw != nil {
			e = raw
		}
	}
	if k.o.as == "xml" {
		x := document.New("resource_config")
		x.AddChild(k.view(statusview.Options{}).ResourceXML(k.r))
		document.Add(x, "xml").SetText(string(document.Format(e)))
		k.body = []*etree.Element{x}
		return nil
	}
	v := k.view(statusview.Options{})
	for _, p := range parts(k.r) {
		k.io.Printf("%s\n", v.PrimitiveText(p))
	}
	k.io.Printf("Resource XML:\n%s", document.Format(e))
	return nil
}

// configXML is the element of a resource in the configuration as it stands.
func (k *call) configXML(r *status.Resource) *etree.Element {
	resources := document.Section(k.root, "resources")
	for _, tag := range []string{"primitive", "group", "clone", "master", "bundle"} {
		if e := document.ByID(resources, tag, r.XMLID()); e != nil {
			return e
		}
	}
	return nil
}

// locate tells where a resource runs.
func (k *call) locate() error {
	type place struct {
		node *status.Node
		role string
	}
	var places []place
	for _, p := range k.allInstances() {
		for _, n := range p.Nodes(false) {
			role := ""
			if p.State(true) == status.RolePromoted {
				role = " Promoted"
			}
			if i := slices.IndexFunc(places, func(x place) bool { return x.node == n }); i >= 0 {
				places[i].role = max(places[i].role, role)
				continue
			}
			places = append(places, place{n, role})
		}
	}
	if k.o.as == "xml" {
		list := document.New("nodes", "resource", k.o.resource)
		for _, p := range places {
			e := document.Add(list, "node")
			if p.role != "" {
				document.Set(e, "state", "promoted")
			}
			e.SetText(p.node.Name)
		}
		k.body = []*etree.Element{list}
		return nil
	}
	if len(places) == 0 {
		k.io.Errorf("resource %s is NOT running\n", k.o.resource)
	}
	for _, p := range places {
		if k.o.quiet {
			k.io.Printf("%s\n", p.node.Name)
		} else {
			k.io.Printf("resource %s is running on: %s%s\n", k.o.resource, p.node.Name, p.role)
		}
	}
	return nil
}

// allInstances lists what the name stands for: the children of a clone, all
// instances of a clone's child, else the resource itself.
func (k *call) allInstances() []*status.Resource {
	top := k.r.Top(false)
	if top.Variant != status.Clone {
		return []*status.Resource{k.r}
	}
	if top == k.r {
		return top.Children
	}
	var out []*status.Resource
	for _, c := range top.Children {
		if f := c.Find(k.r.XMLID(), status.MatchBasename); f != nil {
			out = append(out, f)
		} else if f := c.Find(k.r.XMLID(), status.MatchAnonBasename); f != nil {
			out = append(out, f)
		}
	}
	return out
}

// constraints shows locations and colocations of a resource.
func (k *call) constraints() error {
	section := document.Section(k.root, "constraints")
	id := k.r.Top(false).ID
	if k.o.force {
		id = k.r.XMLID()
	}
	k.showConstraints(section, id, 0, map[string]bool{})
	return nil
}

func (k *call) showConstraints(section *etree.Element, id string, depth int, seen map[string]bool) {
	if seen[id] {
		return
	}
	seen[id] = true
	pad := strings.Repeat("  ", depth)
	bullet := ""
	if depth > 0 {
		bullet = "* "
	}
	recursive := k.o.recursive || k.o.verb == "stack"
	for col := range document.Children(section, "rsc_colocation") {
		if with := document.Get(col, "with-rsc"); document.Get(col, "rsc") == id && with != "" {
			k.io.Printf("%s%sResources %s is colocated with:\n%s  * %s (score=%s, id=%s)\n", pad, bullet, id, pad, with, score(col), document.ID(col))
			if recursive {
				k.showConstraints(section, with, depth+2, seen)
			}
		}
	}
	header := false
	for loc := range document.Children(section, "rsc_location") {
		if document.Get(loc, "rsc") != id || document.Get(loc, "node") == "" {
			continue
		}
		if !header {
			k.io.Printf("%s%sLocations:\n", pad, bullet)
			header = true
		}
		k.io.Printf("%s  * Node %s (score=%s, id=%s, rsc=%s)\n", pad, document.Get(loc, "node"), score(loc), document.ID(loc), id)
	}
	header = false
	for col := range document.Children(section, "rsc_colocation") {
		if document.Get(col, "with-rsc") != id || depth > 0 {
			continue
		}
		if !header {
			k.io.Printf("%sResources colocated with %s:\n", pad, id)
			header = true
		}
		k.io.Printf("%s  * %s (score=%s, id=%s)\n", pad, document.Get(col, "rsc"), score(col), document.ID(col))
		if other := document.Get(col, "rsc"); recursive {
			k.showConstraints(section, other, depth+2, seen)
		}
	}
}

func score(e *etree.Element) string {
	if s := document.Get(e, "score"); s != "" {
		return s
	}
	return "INFINITY"
}
