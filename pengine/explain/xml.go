// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain

import (
	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// XML gives the answer as an element, why.
func (a *Answer) XML() *etree.Element {
	root := document.New("why", "resource", a.Question.Resource)
	set(root, "node", a.Question.Node)
	out := document.Add(root, "outcome", "resource", a.Subject)
	set(out, "node", a.Node)
	set(out, "text", a.Outcome)
	for _, f := range a.Fates {
		e := document.Add(out, "fate", "instance", f.Instance)
		set(e, "node", f.Now)
		set(e, "next-node", f.Next)
		document.Set(e, "role", f.NowRole.String())
		document.Set(e, "next-role", f.NextRole.String())
		set(e, "action", f.Verb)
		set(e, "reason", f.Reason)
		if f.Blocked {
			document.Set(e, "blocked", "true")
		}
	}
	causes := document.Add(root, "causes")
	for _, c := range a.Causes {
		e := document.Add(causes, "cause", "kind", c.Kind)
		set(e, "node", c.Node)
		set(e, "id", c.ID)
		set(e, "with", c.With)
		set(e, "score", c.Score)
		e.SetText(c.Text)
	}
	changes := document.Add(root, "changes")
	for _, c := range a.Changes {
		changes.AddChild(c.xml())
	}
	return root
}

func (c *Change) xml() *etree.Element {
	e := document.New("change")
	if c.Override {
		document.Set(e, "override", "true")
	}
	for _, d := range c.Edits {
		k := document.Add(e, "edit", "kind", string(d.Kind))
		set(k, "id", d.ID)
		set(k, "resource", d.Resource)
		set(k, "node", d.Node)
		set(k, "name", d.Name)
		set(k, "value", d.Value)
		set(k, "lifetime", d.Lifetime)
		set(k, "text", d.String())
		set(k, "command", d.Command())
	}
	f := document.Add(e, "effect", "kind", string(c.Effect.Kind), "resource", c.Effect.Resource)
	set(f, "node", c.Effect.Node)
	set(f, "next-node", c.Effect.To)
	set(f, "text", c.Effect.String())
	return e
}

// set sets an attribute that has a value.
func set(e *etree.Element, name, value string) {
	if value != "" {
		document.Set(e, name, value)
	}
}
