// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package mutate

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// uuid is the transition's that made-up results name.
const uuid = "00000000-0000-4000-8000-000000000000"

func (s *state) histories() []*etree.Element { return all(s.status, "lrm_resource") }
func (s *state) results() []*etree.Element   { return all(s.status, "lrm_rsc_op") }

// historyKinds change what agents have reported.
var historyKinds = []Kind{
	{"result-code", func(s *state) string {
		op := pick(s, s.results())
		if op == nil {
			return ""
		}
		return setResult(op, s.oneOf("0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "190", "191", "193", "194", "198"), "")
	}},
	{"result-status", func(s *state) string {
		op := pick(s, s.results())
		if op == nil {
			return ""
		}
		return setResult(op, "", s.oneOf("-1", "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"))
	}},
	{"result-timeout", func(s *state) string {
		op := pick(s, s.results())
		if op == nil {
			return ""
		}
		return setResult(op, "1", "2")
	}},
	{"result-pending", func(s *state) string {
		op := pick(s, s.results())
		if op == nil {
			return ""
		}
		document.Set(op, "call-id", "-1")
		return setResult(op, s.oneOf("193", "14"), "-1")
	}},
	{"result-dropped", func(s *state) string {
		op := pick(s, s.results())
		if op == nil {
			return ""
		}
		h := document.ID(op.Parent())
		return h + " " + remove(op)
	}},
	{"result-aged", func(s *state) string {
		op := pick(s, s.results())
		if op == nil {
			return ""
		}
		at := s.ago()
		document.Set(op, "last-rc-change", at)
		return document.ID(op) + " " + at
	}},
	{"result-call", func(s *state) string {
		op := pick(s, s.results())
		if op == nil {
			return ""
		}
		document.Set(op, "call-id", s.oneOf("1", "2", "999", "1000", "-1", "0"))
		return document.ID(op) + " " + document.Get(op, "call-id")
	}},
	{"result-digest", func(s *state) string {
		op := pick(s, s.results())
		if op == nil {
			return ""
		}
		name := s.oneOf("op-digest", "op-restart-digest", "op-secure-digest", "op-digest")
		if s.chance(30) {
			document.Unset(op, name)
			return document.ID(op) + " -" + name
		}
		document.Set(op, name, s.oneOf("00000000000000000000000000000000", "f2317cad3d54cec5d7d7aa7d0bf35cf8"))
		if name == "op-restart-digest" {
			document.Set(op, "op-force-restart", " state ")
		}
		return document.ID(op) + " " + name
	}},
	{"result-interval", func(s *state) string {
		// a recurring operation that is not configured
		op := pick(s, s.results())
		if op == nil || document.Get(op, "interval") == "0" {
			return ""
		}
		id := document.ID(op.Parent())
		iv := s.oneOf("7000", "10000", "20000", "3600000")
		document.Set(op, "interval", iv)
		document.Set(op, "operation_key", id+"_"+document.Get(op, "operation")+"_"+iv)
		document.Set(op, "id", id+"_"+document.Get(op, "operation")+"_"+iv)
		return id + " " + iv
	}},
	{"result-reason", func(s *state) string {
		op := pick(s, s.results())
		if op == nil {
			return ""
		}
		document.Set(op, "exit-reason", s.oneOf("", "something broke", "it's \"odd\" & <so>"))
		return document.ID(op)
	}},
	{"history-dropped", func(s *state) string { return remove(pick(s, s.histories())) }},
	{"history-copied", func(s *state) string {
		h, to := pick(s, s.histories()), pick(s, s.nodeStates())
		if h == nil || to == nil {
			return ""
		}
		list := s.historyList(to)
		if old := document.ChildWith(list, "lrm_resource", "id", document.ID(h)); old != nil {
			list.RemoveChild(old)
		}
		list.AddChild(document.Clone(h))
		return document.ID(h) + " to " + document.Get(to, "uname")
	}},
	{"history-unknown", func(s *state) string {
		// of a resource that is not configured
		to := pick(s, s.nodeStates())
		if to == nil {
			return ""
		}
		id := "mutorphan" + s.oneOf("", ":0", ":1")
		h := document.Add(s.historyList(to), "lrm_resource", "id", id, "class", "ocf", "provider", "pacemaker", "type", s.oneOf("Dummy", "remote", "Stateful"))
		s.addResult(h, to, s.oneOf("start", "monitor", "stop", "promote"), 0, s.oneOf("0", "7", "1", "8"), "0", "10")
		return id + " on " + document.Get(to, "uname")
	}},
	{"history-agent", func(s *state) string {
		h := pick(s, s.histories())
		if h == nil {
			return ""
		}
		document.Set(h, "type", s.oneOf("Other", "Dummy", "Stateful"))
		return document.ID(h) + " " + document.Get(h, "type")
	}},
	{"history-clone-number", func(s *state) string {
		h := pick(s, s.histories())
		if h == nil {
			return ""
		}
		old := document.ID(h)
		base, _, numbered := strings.Cut(old, ":")
		id := base
		if !numbered || s.chance(60) {
			id = base + ":" + strconv.Itoa(s.IntN(3))
		}
		if id == old || document.ChildWith(h.Parent(), "lrm_resource", "id", id) != nil {
			return ""
		}
		document.Set(h, "id", id)
		return old + " " + id
	}},
	{"history-shutdown-lock", func(s *state) string {
		h := pick(s, s.histories())
		if h == nil {
			return ""
		}
		document.Set(h, "shutdown-lock", s.ago())
		return document.ID(h)
	}},
	{"history-started", func(s *state) string {
		h, n := s.freshHistory()
		if h == nil {
			return ""
		}
		s.addResult(h, n, "start", 0, "0", "0", "20")
		if s.chance(50) {
			s.addResult(h, n, "monitor", 10000, "0", "0", "21")
		}
		return document.ID(h) + " on " + document.Get(n, "uname")
	}},
	{"history-promoted", func(s *state) string {
		h, n := s.freshHistory()
		if h == nil {
			return ""
		}
		s.addResult(h, n, "promote", 0, "0", "0", "22")
		return document.ID(h) + " on " + document.Get(n, "uname")
	}},
	{"history-migrating", migrate},
}

func setResult(op *etree.Element, rc, status string) string {
	if rc != "" {
		document.Set(op, "rc-code", rc)
	}
	if status != "" {
		document.Set(op, "op-status", status)
	}
	rc, status = document.Get(op, "rc-code"), document.Get(op, "op-status")
	if key := document.Get(op, "transition-key"); key != "" {
		document.Set(op, "transition-magic", status+":"+rc+";"+key)
	} else if _, rest, ok := strings.Cut(document.Get(op, "transition-magic"), ";"); ok {
		document.Set(op, "transition-magic", status+":"+rc+";"+rest)
	}
	return fmt.Sprintf("%s/%s rc=%s status=%s", document.ID(op.Parent()), document.ID(op), rc, status)
}

// historyList is where the histories of a node are.
func (s *state) historyList(n *etree.Element) *etree.Element {
	lrm := document.Child(n, "lrm")
	if lrm == nil {
		lrm = document.Add(n, "lrm", "id", document.ID(n))
	}
	return ensure(lrm, "lrm_resources")
}

// freshHistory replaces the history of a primitive on a node by an empty one.
func (s *state) freshHistory() (h, node *etree.Element) {
	r, n := pick(s, s.primitives()), pick(s, s.nodeStates())
	if r == nil || n == nil || r.SelectAttr("type") == nil {
		return nil, nil
	}
	list := s.historyList(n)
	if old := document.ChildWith(list, "lrm_resource", "id", document.ID(r)); old != nil {
		list.RemoveChild(old)
	}
	h = document.Add(list, "lrm_resource", "id", document.ID(r), "class", document.Get(r, "class"))
	if p := document.Get(r, "provider"); p != "" {
		document.Set(h, "provider", p)
	}
	document.Set(h, "type", document.Get(r, "type"))
	return h, n
}

// addResult adds one operation's result to a history.
func (s *state) addResult(h, node *etree.Element, task string, intervalMS int, rc, status, call string) *etree.Element {
	id := document.ID(h)
	target := "0"
	if task == "monitor" && intervalMS == 0 {
		target = "7"
	}
	key := "1:1:" + target + ":" + uuid
	name := id + "_last_0"
	if intervalMS > 0 {
		name = fmt.Sprintf("%s_%s_%d", id, task, intervalMS)
	}
	for old := document.ChildWith(h, "lrm_rsc_op", "id", name); old != nil; old = document.ChildWith(h, "lrm_rsc_op", "id", name) {
		h.RemoveChild(old)
	}
	return document.Add(h, "lrm_rsc_op", "id", name, "operation_key", fmt.Sprintf("%s_%s_%d", id, task, intervalMS), "operation", task,
		"crm-debug-origin", "mutate", "crm_feature_set", "3.20.5", "transition-key", key, "transition-magic", status+":"+rc+";"+key,
		"on_node", document.Get(node, "uname"), "call-id", call, "rc-code", rc, "op-status", status, "interval", strconv.Itoa(intervalMS),
		"last-rc-change", s.ago(), "exec-time", "1", "queue-time", "0", "op-digest", "f2317cad3d54cec5d7d7aa7d0bf35cf8")
}

// migrate makes a live migration that is under way or ended in some way.
func migrate(s *state) string {
	states := s.nodeStates()
	if len(states) < 2 {
		return ""
	}
	from, to, r := pick(s, states), pick(s, states), pick(s, s.primitives())
	if from == to || r == nil || r.SelectAttr("type") == nil {
		return ""
	}
	id := document.ID(r)
	make1 := func(n *etree.Element) *etree.Element {
		list := s.historyList(n)
		if h := document.ChildWith(list, "lrm_resource", "id", id); h != nil {
			return h
		}
		h := document.Add(list, "lrm_resource", "id", id, "class", document.Get(r, "class"))
		if p := document.Get(r, "provider"); p != "" {
			document.Set(h, "provider", p)
		}
		document.Set(h, "type", document.Get(r, "type"))
		return h
	}
	source, target := document.Get(from, "uname"), document.Get(to, "uname")
	mark := func(op *etree.Element) {
		document.Set(op, "migrate_source", source)
		document.Set(op, "migrate_target", target)
	}
	mark(s.addResult(make1(from), from, "migrate_to", 0, s.oneOf("0", "0", "1", "193"), s.oneOf("0", "0", "4", "-1"), s.oneOf("30", "998")))
	if s.chance(70) {
		mark(s.addResult(make1(to), to, "migrate_from", 0, s.oneOf("0", "1", "193"), s.oneOf("0", "4", "-1"), s.oneOf("31", "999")))
	}
	return id + " from " + source + " to " + target
}

// failureKinds record failures as a cluster does.
var failureKinds = []Kind{
	{"failed-monitor", func(s *state) string { return s.fail("monitor", s.oneOf("1", "7", "5", "9", "2"), 10000) }},
	{"failed-start", func(s *state) string { return s.fail("start", s.oneOf("1", "5", "6"), 0) }},
	{"failed-stop", func(s *state) string { return s.fail("stop", "1", 0) }},
	{"failed-promote", func(s *state) string { return s.fail(s.oneOf("promote", "demote"), s.oneOf("1", "9"), 0) }},
	{"fail-count", func(s *state) string {
		id := document.ID(pick(s, s.primitives()))
		if s.chance(20) {
			id += ":" + strconv.Itoa(s.IntN(2))
		}
		suffix := id + "#" + s.oneOf("monitor_10000", "start_0", "stop_0", "monitor_20000", "promote_0")
		if s.chance(10) {
			suffix = id
		}
		if s.chance(70) {
			s.sameNode(func(n *etree.Element) { s.transientOn(n, "last-failure-"+suffix, s.ago()) })
		}
		return s.transient("fail-count-"+suffix, s.oneOf("0", "1", "2", "3", "INFINITY", "1000000"))
	}},
	{"fail-count-cleared", func(s *state) string {
		for _, p := range all(s.status, "nvpair") {
			if strings.HasPrefix(document.Get(p, "name"), "fail-count-") && s.chance(50) {
				return remove(p)
			}
		}
		return ""
	}},
}

// sameNode calls f with a node's state.
func (s *state) sameNode(f func(n *etree.Element)) {
	if n := pick(s, s.nodeStates()); n != nil {
		f(n)
	}
}

func (s *state) transientOn(n *etree.Element, name, value string) {
	t := document.Child(n, "transient_attributes")
	if t == nil {
		t = document.Add(n, "transient_attributes", "id", document.ID(n))
	}
	s.ensureID(t, "instance_attributes")
	s.setPair(t, "instance_attributes", name, value)
}

// fail records a failed operation where the resource has a history, with its
// fail count.
func (s *state) fail(task, rc string, intervalMS int) string {
	h := pick(s, s.histories())
	if h == nil {
		return ""
	}
	n := h.Parent().Parent().Parent()
	for _, op := range children(h, "lrm_rsc_op") {
		if iv := document.Get(op, "interval"); task == "monitor" && iv != "0" && document.Get(op, "operation") == task {
			if v, err := strconv.Atoi(iv); err == nil && v > 0 {
				intervalMS = v
			}
		}
	}
	call := s.oneOf("5", "50", "500", "5000")
	status := s.oneOf("0", "0", "2", "4")
	op := s.addResult(h, n, task, intervalMS, rc, status, call)
	if s.chance(60) {
		cp := document.Clone(op)
		document.Set(cp, "id", document.ID(h)+"_last_failure_0")
		if old := document.ChildWith(h, "lrm_rsc_op", "id", document.ID(cp)); old != nil {
			h.RemoveChild(old)
		}
		h.AddChild(cp)
		if s.chance(40) && task == "monitor" {
			setResult(op, "0", "0")
		}
	}
	if s.chance(70) {
		suffix := fmt.Sprintf("%s#%s_%d", document.ID(h), task, intervalMS)
		s.transientOn(n, "fail-count-"+suffix, s.oneOf("1", "2", "INFINITY"))
		s.transientOn(n, "last-failure-"+suffix, document.Get(op, "last-rc-change"))
	}
	return fmt.Sprintf("%s %s rc=%s status=%s on %s", document.ID(h), document.Get(op, "operation_key"), rc, status, document.Get(n, "uname"))
}
