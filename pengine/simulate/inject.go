// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/transition/graph"
)

// Injections are changes to try out.
type Injections struct {
	// Quorum is only looked at together with another change, as the classic tool
	// does; "" leaves it, and Watchdog too.
	Quorum, Watchdog                       string
	Up, Down, Fail                         []string
	Grant, Revoke, TicketStandby, TicketOn []string
	Ops                                    []string // RSC_OP_INTERVAL@NODE=RC
}

// ErrNoNode is the answer to an event on a node that the cluster does not have.
var ErrNoNode = errors.New("simulate: there is no such node")

// Any tells whether anything but quorum is to be changed.
func (i *Injections) Any() bool {
	return i.Watchdog != "" || len(i.Up)+len(i.Down)+len(i.Fail)+len(i.Grant)+len(i.Revoke)+len(i.TicketStandby)+len(i.TicketOn)+len(i.Ops) > 0
}

// an injector makes changes to a CIB and tells them.
type injector struct {
	cib *etree.Element
	c   *status.Cluster
	now time.Time
	// newNodes lets unknown nodes come into being.
	newNodes bool
	tell     func(Item)
	complain func(string)
}

// apply makes the changes.
func (j *injector) apply(i *Injections) error {
	if i.Quorum != "" {
		j.tell(setting{"quorum", i.Quorum})
		update(j.cib, j.cib, "have-quorum", i.Quorum)
	}
	if i.Watchdog != "" {
		j.tell(setting{"watchdog", i.Watchdog})
		setOption(j.cib, "have-watchdog", i.Watchdog)
	}
	if err := j.nodes(i); err != nil {
		return err
	}
	for _, t := range []struct {
		list                []string
		action, attr, value string
	}{
		{i.Grant, "Granting", "granted", "true"},
		{i.Revoke, "Revoking", "granted", "false"},
		{i.TicketStandby, "Standby", "standby", "true"},
		{i.TicketOn, "Activating", "standby", "false"},
	} {
		for _, id := range t.list {
			j.tell(ticketChange{t.action, id})
			update(j.cib, ticketState(j.cib, id), t.attr, t.value)
		}
	}
	for _, spec := range i.Ops {
		if err := j.op(spec); err != nil {
			return err
		}
	}
	return nil
}

// nodes lets nodes come, go and fail.
func (j *injector) nodes(i *Injections) error {
	for _, t := range []struct {
		list   []string
		action string
		up     bool
	}{{i.Up, "Online", true}, {i.Down, "Offline", false}, {i.Fail, "Failing", true}} {
		for _, name := range t.list {
			j.tell(nodeChange{t.action, name})
			e, err := j.state(name)
			if err != nil {
				return err
			}
			state := stateOf(t.up, "crm_simulate")
			if t.action == "Failing" {
				state[1] = "false" // in_ccm
			}
			update(j.cib, e, state...)
			if t.action == "Offline" {
				dropHistory(j.cib, e)
			}
		}
	}
	return nil
}

// state gives the state element of a node that the cluster has.
func (j *injector) state(name string) (*etree.Element, error) {
	if j.newNodes {
		nodes := document.Section(j.cib, "nodes")
		if document.ChildWith(nodes, "node", "uname", name) == nil {
			document.Add(nodes, "node", "id", name, "uname", name)
			reconfigured(j.cib)
		}
	}
	uuid := ""
	if document.ChildWith(document.Child(j.cib, "status"), "node_state", "uname", name) == nil {
		if n := document.ChildWith(document.Section(j.cib, "nodes"), "node", "uname", name); n != nil {
			uuid = document.ID(n)
		} else if n := j.c.FindNode(name); n != nil {
			uuid = string(n.ID)
		} else {
			return nil, fmt.Errorf("%w: %s", ErrNoNode, name)
		}
	}
	return NodeState(j.cib, name, uuid), nil
}

func setOption(cib *etree.Element, name, value string) {
	config := document.Section(cib, "crm_config")
	for p := range document.All(config, "nvpair") {
		if document.Get(p, "name") == name {
			if document.Get(p, "value") != value {
				document.Set(p, "value", value)
				reconfigured(cib)
			}
			return
		}
	}
	const bootstrap = "cib-bootstrap-options"
	set := document.ChildWith(config, "cluster_property_set", "id", bootstrap)
	if set == nil {
		set = document.Add(config, "cluster_property_set", "id", bootstrap)
	}
	document.Add(set, "nvpair", "id", bootstrap+"-"+name, "name", name, "value", value)
	reconfigured(cib)
}

func ticketState(cib *etree.Element, id string) *etree.Element {
	st := document.Child(cib, "status")
	if st == nil {
		st = document.Add(cib, "status")
	}
	list := document.Child(st, "tickets")
	if list == nil {
		list = document.Add(st, "tickets")
	}
	if t := document.ChildWith(list, "ticket_state", "id", id); t != nil {
		return t
	}
	return document.Add(list, "ticket_state", "id", id)
}

// splitSpec takes a spec RSC_OP_INTERVAL@NODE=RC apart; fields is how many of
// the three were found.
func splitSpec(spec string) (key, node string, rc, fields int) {
	key, rest, ok := strings.Cut(spec, "@")
	if key == "" {
		return "", "", 0, 0
	}
	node, code, hasCode := strings.Cut(rest, "=")
	if !ok || node == "" {
		return key, "", 0, 1
	}
	if !hasCode {
		return key, node, 0, 2
	}
	if _, err := fmt.Sscanf(code, "%d", &rc); err != nil {
		return key, node, 0, 2
	}
	return key, node, rc, 3
}

// op makes up one operation's result. What is wrong with the spec is told, and
// the simulation goes on without.
func (j *injector) op(spec string) error {
	j.tell(opSpec(spec))
	key, node, rc, fields := splitSpec(spec)
	if fields != 3 {
		j.complain(fmt.Sprintf("Invalid operation spec: %s.  Only found %d fields", spec, fields))
		return nil
	}
	rsc, task, interval, err := graph.ParseOpKey(key)
	if err != nil {
		j.complain(fmt.Sprintf("Invalid operation key in %s: expected RSC_OP_INTERVAL", spec))
		return nil //nolint:nilerr // told, and no reason to stop
	}
	r := j.c.FindResource(rsc, status.MatchHistory)
	if r == nil {
		j.complain("Invalid resource name: " + rsc)
		return nil
	}
	n, err := j.state(node)
	if err != nil {
		return err
	}
	fatal := task == "stop" || task == "start" && j.c.Options.StartFailureIsFatal
	j.failure(n, rsc, task, interval, rc, fatal)
	h, call := newNodeHistory(n).resource(rsc, &graph.Primitive{ID: rsc, Class: document.Get(r.XML, "class"), Provider: document.Get(r.XML, "provider"), Type: document.Get(r.XML, "type")})
	Record(h, Op{
		Resource: document.ID(h), Task: task, IntervalMS: interval, RC: rc, CallID: call, Node: node, At: j.now,
		Reason: "Simulated action result",
	})
	updated(j.cib)
	return nil
}

// failure counts a failure as the node attributes do.
func (j *injector) failure(n *etree.Element, rsc, task string, interval uint, rc int, fatal bool) {
	if rc == 0 || rc == 7 && interval == 0 {
		return
	}
	for _, a := range failureAttrs(n, rsc, task, interval, fatal, j.now) {
		setAttr(n, a.name, a.value)
		j.tell(a)
	}
}
