// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/sched"
	"github.com/quorate/quorate/pengine/status"
)

// setting is a change of the cluster's own state: quorum or watchdog.
type setting struct{ name, value string }

func (s setting) Text() string { return "Setting " + s.name + ": " + s.value }

// XML is not used: settings are attributes of the list.
func (s setting) XML() *etree.Element { return document.New("setting", s.name, s.value) }

// nodeChange is a node that comes, goes or fails.
type nodeChange struct{ action, node string }

func (n nodeChange) Text() string {
	switch n.action {
	case "Online":
		return "Bringing node " + n.node + " online"
	case "Offline":
		return "Taking node " + n.node + " offline"
	}
	return n.action + " node " + n.node
}

func (n nodeChange) XML() *etree.Element {
	return document.New("modify_node", "action", n.action, "node", n.node)
}

// ticketChange is a ticket that is granted, revoked, …
type ticketChange struct{ action, ticket string }

func (t ticketChange) Text() string {
	if t.action == "Standby" {
		return "Making ticket " + t.ticket + " standby"
	}
	return t.action + " ticket " + t.ticket
}

func (t ticketChange) XML() *etree.Element {
	return document.New("modify_ticket", "action", t.action, "ticket", t.ticket)
}

// opSpec is a result that the user makes up.
type opSpec string

func (s opSpec) Text() string { return "Injecting " + string(s) + " into the configuration" }

func (s opSpec) XML() *etree.Element { return document.New("inject_spec", "spec", string(s)) }

// attrChange is a node attribute that is set.
type attrChange struct{ name, value, node string }

// statePath is where the attribute is set, as the state element of a node is
// found by itself.
const statePath = "/node_state"

func (a attrChange) Text() string {
	return fmt.Sprintf("Injecting attribute %s=%s into %s '%s'", a.name, a.value, statePath, a.node)
}

func (a attrChange) XML() *etree.Element {
	return document.New("inject_attr", "name", a.name, "value", a.value, "node_path", statePath, "cib_node", a.node)
}

// pseudoAction is a step of the transition at which nothing is done.
type pseudoAction struct{ task, node string }

func (p pseudoAction) Text() string {
	line := "Pseudo action:   " + p.task
	if p.node != "" {
		line += " on " + p.node
	}
	return line
}

func (p pseudoAction) XML() *etree.Element {
	e := document.New("pseudo_action", "task", p.task)
	if p.node != "" {
		document.Set(e, "node", p.node)
	}
	return e
}

// clusterAction is something that the cluster does itself.
type clusterAction struct{ task, resource, node string }

func (c clusterAction) Text() string {
	if c.resource != "" {
		return fmt.Sprintf("Cluster action:  %s for %s on %s", c.task, c.resource, c.node)
	}
	return fmt.Sprintf("Cluster action:  %s on %s", c.task, c.node)
}

func (c clusterAction) XML() *etree.Element {
	e := document.New("cluster_action", "task", c.task, "node", c.node)
	if c.resource != "" {
		document.Set(e, "id", c.resource)
	}
	return e
}

// fencing is a node that is fenced.
type fencing struct{ target, op string }

func (f fencing) Text() string { return fmt.Sprintf("Fencing %s (%s)", f.target, f.op) }

func (f fencing) XML() *etree.Element {
	return document.New("fencing_action", "target", f.target, "op", f.op)
}

// agentAction is an operation of an agent.
type agentAction struct {
	resource, task, node string
	intervalMS           uint
}

func (a agentAction) Text() string {
	if a.intervalMS > 0 {
		return fmt.Sprintf("Resource action: %-15s %s=%d on %s", a.resource, a.task, a.intervalMS, a.node)
	}
	return fmt.Sprintf("Resource action: %-15s %s on %s", a.resource, a.task, a.node)
}

func (a agentAction) XML() *etree.Element {
	e := document.New("rsc_action", "resource", a.resource, "op", a.task, "node", a.node)
	if a.intervalMS > 0 {
		document.Set(e, "interval", strconv.FormatUint(uint64(a.intervalMS), 10))
	}
	return e
}

// pretence is an operation that is let fail; it is a remark rather than an item.
type pretence struct{ action, rc int }

func (p pretence) Text() string {
	return fmt.Sprintf("Pretending action %d failed with rc=%d", p.action, p.rc)
}

// XML is not used: remarks are for people only.
func (p pretence) XML() *etree.Element {
	return document.New("pretence", "action", strconv.Itoa(p.action), "rc", strconv.Itoa(p.rc))
}

// Timing is how long the scheduling of a file took.
type Timing struct {
	File    string
	Seconds float64
}

// Text implements [Item].
func (t Timing) Text() string { return fmt.Sprintf("Testing %s ... %.2f secs", t.File, t.Seconds) }

// XML implements [Item].
func (t Timing) XML() *etree.Element {
	return document.New("timing", "file", t.File, "duration", strconv.FormatFloat(t.Seconds, 'f', 6, 64))
}

// scoreLine is one line of scores or capacities.
type scoreLine struct {
	sched.Line

	order order
}

func (l scoreLine) Text() string {
	switch l.Kind {
	case sched.LinePromotion:
		if l.Node == "none" {
			return fmt.Sprintf("%s promotion score (inactive): %s", l.Resource, l.Score)
		}
		return fmt.Sprintf("%s promotion score on %s: %s", l.Resource, l.Node, l.Score)
	case sched.LineCapacity:
		return fmt.Sprintf("%s: %s capacity:%s", l.Where, l.Node, l.values())
	case sched.LineUtilization:
		return fmt.Sprintf("%s: %s utilization on %s:%s", l.Where, l.Resource, l.Node, l.values())
	}
	return fmt.Sprintf("%s: %s allocation score on %s: %s", l.Where, l.Resource, l.Node, l.Score)
}

func (l scoreLine) values() string {
	var b strings.Builder
	for _, k := range l.order.keys(l.Values) {
		b.WriteString(" " + k + "=" + l.Values[k])
	}
	return b.String()
}

func (l scoreLine) XML() *etree.Element {
	switch l.Kind {
	case sched.LinePromotion:
		e := document.New("promotion_score", "id", l.Resource, "score", l.Score.String())
		if l.Node != "none" {
			document.Set(e, "node", l.Node)
		}
		return e
	case sched.LineCapacity:
		return l.withValues(document.New("capacity", "node", l.Node, "comment", l.Where))
	case sched.LineUtilization:
		return l.withValues(document.New("utilization", "resource", l.Resource, "node", l.Node, "function", l.Where))
	}
	return document.New("node_weight", "function", l.Where, "node", l.Node, "score", l.Score.String(), "id", l.Resource)
}

func (l scoreLine) withValues(e *etree.Element) *etree.Element {
	for _, k := range l.order.keys(l.Values) {
		document.Add(e, k).SetText(l.Values[k])
	}
	return e
}

// changeXML is a line of the summary, nil where there is nothing to tell.
func changeXML(c sched.Change) *etree.Element {
	if c.Node != "" {
		if c.Reason == "" {
			return nil
		}
		return document.New("node_action", "task", c.Verb, "node", c.Node, "reason", c.Reason)
	}
	e := document.New("rsc_action", "action", strings.ToLower(c.Verb), "resource", c.Resource)
	for _, p := range placeXML(c) {
		document.Set(e, p[0], p[1])
	}
	if c.Reason != "" {
		document.Set(e, "reason", c.Reason)
	}
	if c.Blocked {
		document.Set(e, "blocked", "true")
	}
	return e
}

// placeXML is where and in which role a resource is and comes to be, as names
// and values.
func placeXML(c sched.Change) [][2]string {
	roles := c.Role > status.RoleStarted || c.Next > status.RoleUnpromoted
	sameHost, sameRole := c.From == c.To, c.Role == c.Next
	role, next := [2]string{"role", c.Role.String()}, [2]string{"next-role", c.Next.String()}
	source, dest := [2]string{"source", c.From}, [2]string{"dest", c.To}
	switch {
	case roles && c.From == "":
		return [][2]string{role, next, dest}
	case c.From == "":
		return [][2]string{{"node", c.To}}
	case roles && c.To == "":
		return [][2]string{role, {"node", c.From}}
	case c.To == "":
		return [][2]string{{"node", c.From}}
	case roles && sameRole && sameHost:
		return [][2]string{role, source}
	case sameRole && sameHost:
		return [][2]string{source}
	case roles && sameRole:
		return [][2]string{source, dest, role}
	case sameRole:
		return [][2]string{source, dest}
	case sameHost:
		return [][2]string{role, next, source}
	}
	return [][2]string{role, source, next, dest}
}
