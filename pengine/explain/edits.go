// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package explain

import (
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
)

// An EditKind is a kind of single change to the CIB.
type EditKind string

// The kinds of edit, and the fields of an Edit that each uses.
const (
	RemoveConstraint EditKind = "remove-constraint"  // ID
	SetScore         EditKind = "set-score"          // ID and Name (the element) of a constraint or rule, Value
	SetMeta          EditKind = "set-meta"           // Resource, Name, Value
	SetOption        EditKind = "set-option"         // Name, Value
	SetNodeAttr      EditKind = "set-node-attribute" // Node, Name, Value (an empty one deletes it), Lifetime
	SetCapacity      EditKind = "set-capacity"       // Node, Name, Value
	CleanUp          EditKind = "clean-up"           // failures of Resource on Node, "" for all nodes
	Forget           EditKind = "forget"             // the history of Resource on Node
	BringUp          EditKind = "bring-up"           // Node joins and is well
	GrantTicket      EditKind = "grant-ticket"       // ID
	RegainQuorum     EditKind = "regain-quorum"      //
	Prefer           EditKind = "prefer"             // Resource, Node: a location of INFINITY
	Ban              EditKind = "ban"                // Resource, Node: a location of -INFINITY
	Allow            EditKind = "allow"              // Resource, Node: a location of 0; Value is its resource-discovery
)

// An Edit is one change that an administrator, or the world, can make.
type Edit struct {
	Kind                            EditKind
	ID, Resource, Node, Name, Value string
	// Lifetime is "reboot" for a transient attribute, "" for a permanent one.
	Lifetime string
}

// editTable tells how each kind is made; false where there is nothing to change.
var editTable = map[EditKind]func(Edit, *etree.Element) bool{
	RemoveConstraint: Edit.removeConstraint,
	SetScore:         Edit.setScore,
	SetMeta:          Edit.setMeta,
	SetOption:        Edit.setOption,
	SetNodeAttr:      Edit.setNodeAttr,
	SetCapacity:      Edit.setCapacity,
	CleanUp:          Edit.cleanUp,
	Forget:           Edit.forget,
	BringUp:          Edit.bringUp,
	GrantTicket:      Edit.grantTicket,
	RegainQuorum:     func(_ Edit, cib *etree.Element) bool { document.Set(cib, "have-quorum", "1"); return true },
	Prefer:           func(e Edit, cib *etree.Element) bool { return e.locate(cib, "cli-prefer-", "INFINITY") },
	Ban:              func(e Edit, cib *etree.Element) bool { return e.locate(cib, "cli-ban-", "-INFINITY") },
	Allow:            func(e Edit, cib *etree.Element) bool { return e.locate(cib, "allow-", "0") },
}

// Apply makes the change in a CIB. It is false where the CIB has nothing to
// change.
func (e Edit) Apply(cib *etree.Element) bool {
	do := editTable[e.Kind]
	return do != nil && do(e, cib)
}

// constraintOf gives the constraint that an element (a rule, a set) is of.
func constraintOf(e *etree.Element) *etree.Element {
	for e != nil && e.Parent() != nil && e.Parent().Tag != "constraints" {
		e = e.Parent()
	}
	if e == nil || e.Parent() == nil {
		return nil
	}
	return e
}

func (e Edit) removeConstraint(cib *etree.Element) bool {
	list := document.At(cib, "configuration", "constraints")
	if c := constraintOf(document.ByID(list, "", e.ID)); c != nil {
		list.RemoveChild(c)
		return true
	}
	return false
}

func (e Edit) setScore(cib *etree.Element) bool {
	c := document.ByID(document.At(cib, "configuration", "constraints"), "", e.ID)
	if c == nil {
		return false
	}
	document.Set(c, "score", e.Value)
	return true
}

// pair sets (or with an empty value drops) a name in the first block of the tag
// below an element; true where that changed something.
func pair(parent *etree.Element, tag, name, value string) bool {
	if parent == nil {
		return false
	}
	changed := false
	for b := range document.Children(parent, tag) {
		for p := document.ChildWith(b, "nvpair", "name", name); p != nil; p = document.ChildWith(b, "nvpair", "name", name) {
			b.RemoveChild(p)
			changed = true
		}
	}
	if value == "" {
		return changed
	}
	var block *etree.Element
	for b := range document.Children(parent, tag) {
		if document.Child(b, "rule") == nil && document.Get(b, "id-ref") == "" {
			block = b
			break
		}
	}
	if block == nil {
		block = document.New(tag, "id", document.ID(parent)+"-"+tag)
		parent.InsertChildAt(0, block)
	}
	document.Add(block, "nvpair", "id", document.ID(block)+"-"+name, "name", name, "value", value)
	return true
}

func (e Edit) setMeta(cib *etree.Element) bool {
	list := document.At(cib, "configuration", "resources")
	for r := range document.All(list, "") {
		if document.ID(r) == e.Resource && (r.Tag == "primitive" || r.Tag == "group" || r.Tag == "clone" || r.Tag == "master" || r.Tag == "bundle") {
			return pair(r, "meta_attributes", e.Name, e.Value)
		}
	}
	return false
}

func (e Edit) setOption(cib *etree.Element) bool {
	config := document.At(cib, "configuration", "crm_config")
	if config == nil {
		return false
	}
	if document.Child(config, "cluster_property_set") == nil {
		document.Add(config, "cluster_property_set", "id", "cib-bootstrap-options")
	}
	for old, name := range oldOptions {
		if name == e.Name {
			pair(config, "cluster_property_set", old, "")
		}
	}
	return pair(config, "cluster_property_set", e.Name, e.Value)
}

// oldOptions are former names of options, which must not stand in the way.
var oldOptions = map[string]string{"stonith-enabled": "fencing-enabled", "stop-orphan-resources": "stop-removed-resources"}

func nodeElement(cib *etree.Element, name string) *etree.Element {
	for n := range document.Children(document.At(cib, "configuration", "nodes"), "node") {
		if strings.EqualFold(document.Get(n, "uname"), name) {
			return n
		}
	}
	return nil
}

// nodeState gives the states of a node: by name, or by the id of a node with the
// name.
func nodeState(cib *etree.Element, name string) *etree.Element {
	id := name
	if n := nodeElement(cib, name); n != nil {
		id = document.ID(n)
	}
	for st := range document.Children(document.Child(cib, "status"), "node_state") {
		if strings.EqualFold(document.Get(st, "uname"), name) || document.ID(st) == id {
			return st
		}
	}
	return nil
}

func (e Edit) setNodeAttr(cib *etree.Element) bool {
	if e.Lifetime == "" {
		return pair(nodeElement(cib, e.Node), "instance_attributes", e.Name, e.Value)
	}
	st := nodeState(cib, e.Node)
	if st == nil {
		return false
	}
	t := document.Child(st, "transient_attributes")
	if t == nil {
		t = document.Add(st, "transient_attributes", "id", document.ID(st))
	}
	return pair(t, "instance_attributes", e.Name, e.Value)
}

func (e Edit) setCapacity(cib *etree.Element) bool {
	return pair(nodeElement(cib, e.Node), "utilization", e.Name, e.Value)
}

// histories lists the lrm_resource elements of a resource on a node, "" for all.
func (e Edit) histories(cib *etree.Element) (out []*etree.Element) {
	for st := range document.Children(document.Child(cib, "status"), "node_state") {
		if e.Node != "" && st != nodeState(cib, e.Node) {
			continue
		}
		for h := range document.Children(document.At(st, "lrm", "lrm_resources"), "lrm_resource") {
			if id := document.ID(h); id == e.Resource || stripInstance(id) == e.Resource {
				out = append(out, h)
			}
		}
	}
	return out
}

func stripInstance(id string) string {
	if base, number, ok := strings.Cut(id, ":"); ok {
		if _, err := strconv.Atoi(number); err == nil {
			return base
		}
	}
	return id
}

// cleanUp drops failed operations and fail counts, as a clean-up does where the
// resource is found well.
func (e Edit) cleanUp(cib *etree.Element) bool {
	changed := false
	for _, h := range e.histories(cib) {
		for _, op := range h.ChildElements() {
			if failedOp(op) {
				h.RemoveChild(op)
				changed = true
			}
		}
	}
	for st := range document.Children(document.Child(cib, "status"), "node_state") {
		if e.Node != "" && st != nodeState(cib, e.Node) {
			continue
		}
		for set := range document.Children(document.Child(st, "transient_attributes"), "instance_attributes") {
			for _, p := range set.ChildElements() {
				if e.countsFailures(document.Get(p, "name")) {
					set.RemoveChild(p)
					changed = true
				}
			}
		}
	}
	return changed
}

// countsFailures tells whether an attribute is a fail count of the resource, or
// the time of one.
func (e Edit) countsFailures(name string) bool {
	for _, prefix := range []string{"fail-count-", "last-failure-"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			rest, _, _ = strings.Cut(rest, "#")
			return rest == e.Resource || stripInstance(rest) == e.Resource
		}
	}
	return false
}

// failedOp tells whether a history entry records a failure: another result than
// was expected, or a last failure.
func failedOp(op *etree.Element) bool {
	if strings.HasSuffix(document.ID(op), "_last_failure_0") {
		return true
	}
	switch document.Get(op, "op-status") {
	case "0", "-1":
	default:
		return true
	}
	rc := document.Get(op, "rc-code")
	parts := strings.SplitN(document.Get(op, "transition-key"), ":", 4)
	if len(parts) == 4 && document.Get(op, "operation") != "monitor" {
		return rc != parts[2]
	}
	switch rc {
	case "0", "7", "8", "190", "191":
		return len(parts) == 4 && rc != parts[2] && document.Get(op, "interval") != "0"
	}
	return true
}

// forget drops the whole history, as a refresh does where the resource is found
// not to run.
func (e Edit) forget(cib *etree.Element) bool {
	changed := false
	for _, h := range e.histories(cib) {
		changed = h.Parent().RemoveChild(h) != nil || changed
	}
	return e.cleanUp(cib) || changed
}

// bringUp makes a node a member that is well and was not asked to leave.
func (e Edit) bringUp(cib *etree.Element) bool {
	st := nodeState(cib, e.Node)
	if st == nil {
		n := nodeElement(cib, e.Node)
		status := document.Child(cib, "status")
		if n == nil || status == nil {
			return false
		}
		st = document.Add(status, "node_state", "id", document.ID(n), "uname", e.Node)
	}
	if joined := document.Get(st, "in_ccm"); joined == "" || joined == "false" || joined == "0" || document.Get(st, "crmd") == "offline" {
		for _, tag := range []string{"lrm", "transient_attributes"} { // it comes back with nothing running
			for k := document.Child(st, tag); k != nil; k = document.Child(st, tag) {
				st.RemoveChild(k)
			}
		}
	}
	for _, a := range [][2]string{{"in_ccm", "true"}, {"crmd", "online"}, {"join", "member"}, {"expected", "member"}} {
		document.Set(st, a[0], a[1])
	}
	pair(document.Child(st, "transient_attributes"), "instance_attributes", "shutdown", "")
	pair(document.Child(st, "transient_attributes"), "instance_attributes", "terminate", "")
	return true
}

func (e Edit) grantTicket(cib *etree.Element) bool {
	st := document.Child(cib, "status")
	if st == nil {
		return false
	}
	list := document.Child(st, "tickets")
	if list == nil {
		list = document.Add(st, "tickets")
	}
	t := document.ChildWith(list, "ticket_state", "id", e.ID)
	if t == nil {
		t = document.Add(list, "ticket_state", "id", e.ID)
	}
	document.Set(t, "granted", "true")
	document.Set(t, "standby", "false")
	return true
}

func (e Edit) locate(cib *etree.Element, prefix, score string) bool {
	list := document.At(cib, "configuration", "constraints")
	if list == nil {
		return false
	}
	id := prefix + e.Resource
	if prefix != "cli-prefer-" {
		id += "-on-" + e.Node
	}
	for c := document.ChildWith(list, "rsc_location", "id", id); c != nil; c = document.ChildWith(list, "rsc_location", "id", id) {
		list.RemoveChild(c)
	}
	c := document.Add(list, "rsc_location", "id", id, "rsc", e.Resource, "node", e.Node, "score", score)
	if e.Value != "" {
		document.Set(c, "resource-discovery", e.Value)
	}
	return true
}
