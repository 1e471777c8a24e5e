// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package terse

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/opdigest"
	"github.com/quorate/quorate/internal/iso8601"
)

// ErrWord is the answer to a line that makes no sense.
var ErrWord = errors.New("terse: cannot understand")

// A writer makes the document.
type writer struct {
	root, config, nodes, resources, constraints, status *etree.Element
	stack                                               []*etree.Element // open groups and clones, by depth
	calls                                               map[string]int
	members                                             int
}

// CIB makes a document of lines.
func CIB(text string) (*etree.Element, error) {
	w := &writer{calls: map[string]int{}}
	w.root = document.New("cib", "crm_feature_set", "3.20.5", "validate-with", "pacemaker-4.0", "epoch", "1", "num_updates", "0", "admin_epoch", "0", "have-quorum", "1", "dc-uuid", "1")
	w.config = document.Add(w.root, "configuration")
	document.Add(w.config, "crm_config")
	w.nodes = document.Add(w.config, "nodes")
	w.resources = document.Add(w.config, "resources")
	w.constraints = document.Add(w.config, "constraints")
	w.status = document.Add(w.root, "status")
	for line := range strings.Lines(text) {
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		if err := w.line(depth, words, strings.TrimSpace(line)); err != nil {
			return nil, fmt.Errorf("%w: %q", err, strings.TrimSpace(line))
		}
	}
	return w.root, nil
}

func (w *writer) line(depth int, words []string, line string) error {
	verb, args := words[0], words[1:]
	switch verb {
	case "quorum":
		document.Set(w.root, "have-quorum", args[0])
	case "option":
		w.pairs(document.Child(w.config, "crm_config"), "cluster_property_set", "options", args)
	case "defaults", "op-defaults":
		tag := map[string]string{"defaults": "rsc_defaults", "op-defaults": "op_defaults"}[verb]
		e := document.Child(w.config, tag)
		if e == nil {
			e = document.Add(w.config, tag)
		}
		w.pairs(e, "meta_attributes", verb, args)
	case "node":
		return w.node(args)
	case "primitive", "group", "clone", "bundle", "template":
		return w.resource(depth, verb, args)
	case "granted":
		tickets := document.Child(w.status, "tickets")
		if tickets == nil {
			tickets = document.Add(w.status, "tickets")
		}
		w.attrs(document.Add(tickets, "ticket_state", "id", args[0], "granted", args[1]), args[2:])
	case "ran":
		return w.ran(args)
	case "xml":
		e, err := document.Parse([]byte(strings.TrimSpace(strings.SplitN(line, args[0], 2)[1])))
		if err != nil {
			return err
		}
		for _, parent := range append([]*etree.Element{w.root, w.config}, w.root.FindElements(".//*")...) {
			if parent.Tag == args[0] || document.ID(parent) == args[0] {
				parent.AddChild(e)
				return nil
			}
		}
		return ErrWord
	default:
		return w.constraint(verb, args)
	}
	return nil
}

// constraint makes one of two or three names and a score.
func (w *writer) constraint(verb string, args []string) error {
	names, ok := map[string][]string{
		"location": {"id", "rsc", "node", "score"}, "colocation": {"id", "rsc", "with-rsc", "score"},
		"order": {"id", "first", "then"}, "ticket": {"id", "rsc", "ticket"},
	}[verb]
	if !ok || len(args) < len(names) {
		return ErrWord
	}
	e := document.Add(w.constraints, "rsc_"+verb)
	for i, n := range names {
		document.Set(e, n, args[i])
	}
	w.attrs(e, args[len(names):])
	return nil
}

// attrs sets attributes from words of the form name=value.
func (w *writer) attrs(e *etree.Element, words []string) {
	for _, x := range words {
		if k, v, ok := strings.Cut(x, "="); ok {
			document.Set(e, k, v)
		}
	}
}

// pairs adds words of the form name=value as nvpairs.
func (w *writer) pairs(e *etree.Element, tag, id string, words []string) {
	set := document.Child(e, tag)
	for _, x := range words {
		k, v, ok := strings.Cut(x, "=")
		if !ok {
			continue
		}
		if set == nil {
			set = document.Add(e, tag, "id", id)
		}
		document.Add(set, "nvpair", "id", id+"-"+strings.ReplaceAll(k, "#", "."), "name", k, "value", v)
	}
}

// sorted splits words by their prefix before a point: attr.x=1 is x=1 of attr.
func sorted(words []string) (by map[string][]string, rest []string) {
	by = map[string][]string{}
	for _, x := range words {
		name, _, _ := strings.Cut(x, "=")
		p, _, ok := strings.Cut(name, ".")
		if ok {
			by[p] = append(by[p], x[len(p)+1:])
		} else {
			rest = append(rest, x)
		}
	}
	return by, rest
}

func (w *writer) node(args []string) error {
	w.members++
	id, name := strconv.Itoa(w.members), args[0]
	by, rest := sorted(args[1:])
	e := document.Add(w.nodes, "node", "id", id, "uname", name)
	w.pairs(e, "instance_attributes", name+"-attrs", by["attr"])
	w.pairs(e, "utilization", name+"-util", by["util"])
	crmd, join, member, expected := "online", "member", "true", "member"
	for _, x := range rest {
		switch x {
		case "offline":
			crmd, join, member, expected = "offline", "down", "false", "down"
		case "lost":
			member = "false"
		case "pending":
			join, expected = "pending", "down"
		case "unseen":
			return nil
		default:
			return ErrWord
		}
	}
	st := document.Add(w.status, "node_state", "id", id, "uname", name, "in_ccm", member, "crmd", crmd, "join", join, "expected", expected)
	w.attrs(st, by["state"])
	w.transient(st, by["transient"])
	return nil
}

func (w *writer) transient(st *etree.Element, words []string) {
	if len(words) > 0 {
		t := document.Add(st, "transient_attributes", "id", document.ID(st))
		w.pairs(t, "instance_attributes", "status-"+document.ID(st), words)
	}
}

func (w *writer) resource(depth int, kind string, args []string) error {
	id := args[0]
	by, rest := sorted(args[1:])
	parent := w.resources
	if depth > 0 {
		if depth > len(w.stack) {
			return ErrWord
		}
		parent = w.stack[depth-1]
	}
	e := document.Add(parent, kind, "id", id)
	w.stack = append(w.stack[:depth], e)
	if kind == "primitive" || kind == "template" {
		agent := "ocf:pacemaker:Dummy"
		for _, x := range rest {
			if strings.Contains(x, ":") && !strings.Contains(x, "=") {
				agent = x
			}
		}
		parts := strings.Split(agent, ":")
		document.Set(e, "class", parts[0])
		if len(parts) == 3 {
			document.Set(e, "provider", parts[1])
		}
		document.Set(e, "type", parts[len(parts)-1])
	}
	w.attrs(e, rest)
	if document.Get(e, "template") != "" {
		for _, a := range []string{"class", "provider", "type"} {
			document.Unset(e, a)
		}
	}
	w.pairs(e, "meta_attributes", id+"-meta", by["meta"])
	w.pairs(e, "instance_attributes", id+"-params", by["params"])
	for _, tag := range []string{"podman", "docker", "network"} {
		if list, has := by[tag]; has {
			w.attrs(document.Add(e, tag), list)
		}
	}
	if len(by["op"]) > 0 {
		ops := document.Add(e, "operations")
		for i, x := range by["op"] { // op.monitor=10s,on-fail=block
			words := strings.Split(x, ",")
			task, interval, _ := strings.Cut(words[0], "=")
			op := document.Add(ops, "op", "id", fmt.Sprintf("%s-op%d", id, i), "name", task, "interval", interval)
			w.attrs(op, words[1:])
		}
	}
	w.pairs(e, "utilization", id+"-util", by["util"])
	return nil
}

// ran writes one entry of a history: NODE RESOURCE TASK name=value…
func (w *writer) ran(args []string) error {
	if len(args) < 3 {
		return ErrWord
	}
	node, rsc, task := args[0], args[1], args[2]
	h := w.history(node, rsc)
	rc, target, status, interval, id := "0", "", "0", uint(0), ""
	var rest []string
	for _, x := range args[3:] {
		k, v, ok := strings.Cut(x, "=")
		switch {
		case !ok:
			return ErrWord
		case k == "rc":
			rc = v
		case k == "target":
			target = v
		case k == "status":
			status = v
		case k == "id":
			id = v
		case k == "interval":
			ms, err := iso8601.ParseInterval(v)
			if err != nil {
				return err
			}
			interval = ms
		case k == "class" || k == "provider" || k == "type" || k == "container" || k == "shutdown-lock":
			document.Set(h, k, v)
		default:
			rest = append(rest, x)
		}
	}
	w.calls[node]++
	call := strconv.Itoa(w.calls[node])
	if target == "" {
		target = "0"
		if task == "monitor" && interval == 0 {
			target = "7"
		}
	}
	if id == "" {
		switch {
		case rc != target && (task != "monitor" || interval > 0):
			id = rsc + "_last_failure_0"
		case interval > 0:
			id = fmt.Sprintf("%s_%s_%d", rsc, task, interval)
		case strings.HasPrefix(task, "migrate"):
			id = rsc + "_" + task + "_0"
		default:
			id = rsc + "_last_0"
		}
	}
	key := call + ":1:" + target + ":11111111-2222-3333-4444-555555555555"
	if old := document.ChildWith(h, "lrm_rsc_op", "id", id); old != nil {
		h.RemoveChild(old)
	}
	op := document.Add(h, "lrm_rsc_op", "id", id, "operation_key", fmt.Sprintf("%s_%s_%d", rsc, task, interval), "operation", task,
		"crm_feature_set", "3.20.5", "transition-key", key, "transition-magic", status+":"+rc+";"+key, "on_node", node,
		"call-id", call, "rc-code", rc, "op-status", status, "interval", strconv.FormatUint(uint64(interval), 10))
	params := map[string]string{}
	if interval > 0 {
		params["CRM_meta_interval"], params["CRM_meta_timeout"] = strconv.FormatUint(uint64(interval), 10), "20000"
	}
	document.Set(op, "op-digest", opdigest.All(params))
	w.attrs(op, rest)
	if document.Get(op, "op-digest") == "none" {
		document.Unset(op, "op-digest")
	}
	return nil
}

// history finds or makes the history of a resource on a node.
func (w *writer) history(node, rsc string) *etree.Element {
	st := document.ChildWith(w.status, "node_state", "uname", node)
	if st == nil {
		st = document.Add(w.status, "node_state", "id", node, "uname", node)
	}
	lrm := document.Child(st, "lrm")
	if lrm == nil {
		lrm = document.Add(document.Add(st, "lrm", "id", document.ID(st)), "lrm_resources").Parent()
	}
	list := document.Child(lrm, "lrm_resources")
	h := document.ChildWith(list, "lrm_resource", "id", rsc)
	if h == nil {
		h = document.Add(list, "lrm_resource", "id", rsc, "class", "ocf", "provider", "pacemaker", "type", "Dummy")
		base, _, _ := strings.Cut(rsc, ":")
		if p := document.ByID(w.resources, "primitive", base); p != nil {
			for _, a := range []string{"class", "provider", "type"} {
				if v := document.Get(p, a); v != "" {
					document.Set(h, a, v)
				} else if document.Get(p, "class") != "" {
					document.Unset(h, a)
				}
			}
		}
	}
	return h
}
