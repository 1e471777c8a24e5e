// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package crmresource

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/internal/cli/exit"
	"github.com/quorate/quorate/internal/cli/statusview"
	"github.com/quorate/quorate/internal/iso8601"
	"github.com/quorate/quorate/pengine/status"
)

// bans lists the constraints that keep a resource, or what holds it, off nodes.
func (k *call) bans(r *status.Resource) []statusview.Ban {
	return slices.DeleteFunc(statusview.Bans(k.c), func(b statusview.Ban) bool {
		for p := r; p != nil; p = p.Parent {
			if b.Resource == p.ID || b.Resource == p.XMLID() {
				return false
			}
		}
		return true
	})
}

// subject is the resource that a constraint is to name: the whole group or
// clone.
func (k *call) subject() string {
	if k.o.force || k.r.Parent == nil || k.r.Parent.Variant == status.Group {
		return k.r.XMLID()
	}
	return k.r.Top(false).ID
}

// move makes a resource prefer a node, or ban its present one.
func (k *call) move() error {
	if k.n == nil {
		return k.ban()
	}
	nodes := k.r.Top(false).Nodes(false)
	if k.r.Top(false).Variant == status.Clone && !k.o.promoted && len(nodes) > 1 && !k.r.Top(false).Is(status.Promotable) {
		return exit.Errorf(exit.Multiple, "crm_resource: Resource '%s' not moved: active in %d locations.\n"+
			"To prevent '%s' from running on a specific location, specify a node.\nError performing operation: %s",
			k.o.resource, len(nodes), k.o.resource, exit.Multiple)
	}
	if slices.Contains(k.places(), k.n) && !k.o.force {
		return exit.Errorf(exit.Exists, "crm_resource: Error performing operation: %s", exit.Exists)
	}
	if err := k.removeOwn(k.n, false); err != nil {
		return err
	}
	if err := k.constrain("cli-prefer-"+k.subject(), "INFINITY", k.n); err != nil {
		return err
	}
	return nil
}

// places is where the resource is active, or promoted where only that counts.
func (k *call) places() []*status.Node {
	if !k.o.promoted {
		return k.r.Nodes(false)
	}
	var out []*status.Node
	for _, p := range k.allInstances() {
		if p.State(true) == status.RolePromoted {
			out = append(out, p.Nodes(false)...)
		}
	}
	return out
}

// ban keeps a resource off a node: the one given, or the one it is active on.
func (k *call) ban() error {
	n := k.n
	if n == nil {
		places := k.places()
		if len(places) != 1 {
			return exit.Errorf(exit.Usage, "crm_resource: Resource '%s' not moved: active in %d locations.\n"+
				"To prevent '%s' from running on a specific location, specify a node.", k.o.resource, len(places), k.o.resource)
		}
		n = places[0]
	}
	id := fmt.Sprintf("cli-ban-%s-on-%s", k.subject(), n.Name)
	if err := k.constrain(id, "-INFINITY", n); err != nil {
		return err
	}
	if k.o.quiet {
		return nil
	}
	what := "running"
	if k.o.promoted {
		what = "being promoted"
	}
	k.io.Printf("WARNING: Creating rsc_location constraint '%s' with a score of -INFINITY for resource %s on %s.\n"+
		"\tThis will prevent %s from %s on %s until the constraint is removed using the clear option or by editing the CIB with an appropriate tool\n"+
		"\tThis will be the case even if %s is the last node in the cluster\n", id, k.subject(), n.Name, k.subject(), what, n.Name, n.Name)
	return nil
}

// constrain writes a location constraint of the tool's own, for the lifetime
// that was asked for.
func (k *call) constrain(id, score string, n *status.Node) error {
	role := "Started"
	if k.o.promoted {
		role = "Promoted"
	}
	loc := document.New("rsc_location", "id", id, "rsc", k.subject(), "role", role)
	if k.o.lifetime == "" {
		document.Set(loc, "node", n.Name)
		document.Set(loc, "score", score)
	} else {
		end, err := k.lifetimeEnd()
		if err != nil {
			return err
		}
		rule := document.Add(loc, "rule", "id", id+"-rule", "score", score, "boolean-op", "and")
		document.Add(rule, "expression", "id", id+"-expr", "attribute", "#uname", "operation", "eq", "value", n.Name, "type", "string")
		document.Add(rule, "date_expression", "id", id+"-lifetime", "operation", "lt", "end", end)
	}
	return k.write(cib.Request{Op: cib.OpModify, Section: "constraints", Data: document.Compact(loc), CanCreate: true})
}

const endForm = "2006-01-02 15:04:05Z"

// lifetimeEnd is when the constraint ends, as rules have it.
func (k *call) lifetimeEnd() (string, error) {
	d, err := iso8601.ParseDuration(k.o.lifetime)
	if err != nil {
		return "", exit.Errorf(exit.DataErr, "crm_resource: Invalid duration specified: %s\n"+
			"Please refer to https://en.wikipedia.org/wiki/ISO_8601#Durations for examples of valid durations", k.o.lifetime)
	}
	end := d.AddTo(time.Now().UTC()).Format(endForm)
	k.io.Printf("Migration will take effect until: %s\n", end)
	return end, nil
}

// clear removes the constraints that move and ban made.
func (k *call) clear() error { return k.removeOwn(k.n, !k.o.quiet) }

func (k *call) removeOwn(n *status.Node, tell bool) error {
	for loc := range document.Children(document.Section(k.root, "constraints"), "rsc_location") {
		if !k.own(loc, n) || k.o.expired && !k.hasExpired(loc) {
			continue
		}
		if tell {
			k.io.Printf("Removing constraint: %s\n", document.ID(loc))
		}
		req := cib.Request{Op: cib.OpDelete, Section: "constraints", Data: document.Compact(document.New("rsc_location", "id", document.ID(loc)))}
		if err := k.write(req); err != nil {
			return err
		}
	}
	return nil
}

// own tells whether a constraint is one that the tool made for the resource, and
// for the node where one is given.
func (k *call) own(loc *etree.Element, n *status.Node) bool {
	id := document.ID(loc)
	if k.r == nil { // --clear --expired without a resource
		return strings.HasPrefix(id, "cli-")
	}
	subject := k.subject()
	switch {
	case id == "cli-prefer-"+subject:
		return n == nil || k.o.force || locationNode(loc) == n.Name
	case n != nil:
		return id == fmt.Sprintf("cli-ban-%s-on-%s", subject, n.Name)
	}
	return strings.HasPrefix(id, "cli-ban-"+subject+"-on-") && document.Get(loc, "rsc") == subject
}

// locationNode is the node that a constraint of the tool names.
func locationNode(loc *etree.Element) string {
	if node := document.Get(loc, "node"); node != "" {
		return node
	}
	for e := range document.All(loc, "expression") {
		if document.Get(e, "attribute") == "#uname" {
			return document.Get(e, "value")
		}
	}
	return ""
}

// hasExpired tells whether the lifetime of a constraint is over.
func (k *call) hasExpired(loc *etree.Element) bool {
	for e := range document.All(loc, "date_expression") {
		end, err := iso8601.ParseTime(document.Get(e, "end"), time.Local, k.c.Now)
		return err == nil && k.c.Now.After(end)
	}
	return false
}
