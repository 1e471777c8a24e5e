// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/transition/graph"
)

// Injections are changes to try out.
type Injections struct {
	Quorum, Watchdog                       string // "" leaves it
	Up, Down, Fail                         []string
	Grant, Revoke, TicketStandby, TicketOn []string
	Ops                                    []string // RSC_OP_INTERVAL@NODE=RC
}

// Any tells whether anything but quorum is to be changed.
func (i *Injections) Any() bool {
	return i.Watchdog != "" || len(i.Up)+len(i.Down)+len(i.Fail)+len(i.Grant)+len(i.Revoke)+len(i.TicketStandby)+len(i.TicketOn)+len(i.Ops) > 0
}

// Apply makes the changes and words them.
func (i *Injections) Apply(cib *etree.Element, c *status.Cluster, now time.Time) (lines []string, err error) {
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	if i.Quorum != "" {
		say("Setting quorum: %s", i.Quorum)
		document.Set(cib, "have-quorum", i.Quorum)
	}
	if i.Watchdog != "" {
		say("Setting watchdog: %s", i.Watchdog)
		setOption(cib, "have-watchdog", i.Watchdog)
	}
	for _, n := range i.Up {
		say("Bringing node %s online", n)
		setState(NodeState(cib, n, ""), true)
	}
	for _, n := range i.Down {
		say("Taking node %s offline", n)
		e := NodeState(cib, n, "")
		setState(e, false)
		dropHistory(e)
	}
	for _, n := range i.Fail {
		say("Failing node %s", n)
		e := NodeState(cib, n, "")
		setState(e, true)
		document.Set(e, "in_ccm", "false")
	}
	for _, t := range []struct {
		list              []string
		word, attr, value string
	}{
		{i.Grant, "Granting ticket %s", "granted", "true"},
		{i.Revoke, "Revoking ticket %s", "granted", "false"},
		{i.TicketStandby, "Making ticket %s standby", "standby", "true"},
		{i.TicketOn, "Activating ticket %s", "standby", "false"},
	} {
		for _, id := range t.list {
			say(t.word, id)
			document.Set(ticketState(cib, id), t.attr, t.value)
		}
	}
	for _, spec := range i.Ops {
		say("Injecting %s into the configuration", spec)
		more, err := injectOp(cib, c, spec, now)
		if err != nil {
			return lines, err
		}
		lines = append(lines, more...)
	}
	return lines, nil
}

func setOption(cib *etree.Element, name, value string) {
	config := document.At(cib, "configuration", "crm_config")
	if config == nil {
		return
	}
	set := document.Child(config, "cluster_property_set")
	if set == nil {
		set = document.Add(config, "cluster_property_set", "id", "cib-bootstrap-options")
	}
	if p := document.ChildWith(set, "nvpair", "name", name); p != nil {
		document.Set(p, "value", value)
		return
	}
	document.Add(set, "nvpair", "id", document.ID(set)+"-"+name, "name", name, "value", value)
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

// injectOp makes up one operation's result.
func injectOp(cib *etree.Element, c *status.Cluster, spec string, now time.Time) ([]string, error) {
	key, rest, ok1 := strings.Cut(spec, "@")
	node, code, ok2 := strings.Cut(rest, "=")
	rc, err1 := strconv.Atoi(code)
	rsc, task, interval, err2 := graph.ParseOpKey(key)
	if !ok1 || !ok2 || err1 != nil || err2 != nil {
		return nil, fmt.Errorf("invalid operation spec %q: RSC_OP_INTERVAL@NODE=RC was expected", spec) //nolint:err113 // shown to the user as it is
	}
	r := c.FindResource(rsc, status.MatchHistory)
	if r == nil {
		return nil, fmt.Errorf("invalid resource name: %s", rsc) //nolint:err113 // shown to the user as it is
	}
	run := Run{CIB: cib, Now: now}
	n := NodeState(cib, node, "")
	fatal := task == "stop" || task == "start" && c.Options.StartFailureIsFatal
	run.addFailure(n, rsc, task, interval, rc, fatal)
	h := history(n, rsc, &graph.Primitive{ID: rsc, Class: document.Get(r.XML, "class"), Provider: document.Get(r.XML, "provider"), Type: document.Get(r.XML, "type")})
	Record(h, Op{Resource: rsc, Task: task, IntervalMS: interval, RC: rc, CallID: nextCall(h), Node: node, At: now, Reason: "Simulated action result"})
	return run.lines, nil
}
