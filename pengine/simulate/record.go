// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package simulate

import (
	"strconv"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/cib/opdigest"
	"github.com/quorate/quorate/pengine/status"
	"github.com/quorate/quorate/transition/graph"
)

// featureSet is that of the graph and of history entries that are made up.
const featureSet = "3.20.5"

const fakeEngine = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"

// NodeState gives the state element of a node, making it where there is none.
func NodeState(cib *etree.Element, name, uuid string) *etree.Element {
	st := document.Child(cib, "status")
	if st == nil {
		st = document.Add(cib, "status")
	}
	if n := document.ChildWith(st, "node_state", "uname", name); n != nil {
		mergeTwins(n)
		return n
	}
	if uuid == "" {
		uuid = name
		if n := document.ChildWith(document.At(cib, "configuration", "nodes"), "node", "uname", name); n != nil {
			uuid = document.ID(n)
		}
	}
	updated(cib)
	if n := document.ChildWith(st, "node_state", "id", uuid); n != nil {
		document.Set(n, "uname", name)
		return n
	}
	return document.Add(st, "node_state", "id", uuid, "uname", name)
}

// updated counts a change of the state in the version of the CIB, as cibd does.
func updated(cib *etree.Element) {
	admin, epoch, updates := document.Versions(cib)
	document.SetVersions(cib, admin, epoch, updates+1)
}

// reconfigured counts a change of the configuration.
func reconfigured(cib *etree.Element) {
	admin, epoch, _ := document.Versions(cib)
	document.SetVersions(cib, admin, epoch+1, 0)
}

// update sets attributes and counts it as one change where any is new.
func update(cib, e *etree.Element, pairs ...string) {
	changed := false
	for i := 0; i+1 < len(pairs); i += 2 {
		changed = changed || document.Get(e, pairs[i]) != pairs[i+1]
		document.Set(e, pairs[i], pairs[i+1])
	}
	if changed {
		updated(cib)
	}
}

// stateOf gives the attributes of a node that is a member, or is gone.
func stateOf(up bool, origin string) []string {
	if up {
		return []string{"in_ccm", "true", "crmd", "online", "join", "member", "expected", "member", "crm-debug-origin", origin}
	}
	return []string{"in_ccm", "false", "crmd", "offline", "join", "down", "expected", "down", "crm-debug-origin", origin}
}

// An Op is a result to record.
type Op struct {
	Resource, Task string
	IntervalMS     uint
	RC, TargetRC   int
	CallID         int
	Node           string
	Params         map[string]string // nil where they are not known
	At             time.Time
	Reason         string
}

// Record writes a result into a resource's history.
func Record(h *etree.Element, op Op) {
	task := op.Task
	if task == "reload" || task == "reload-agent" {
		task = "start"
	}
	key := graph.OpKey(op.Resource, task, op.IntervalMS)
	ids := []string{graph.OpKey(op.Resource, "last", 0)}
	reason := ""
	switch {
	case task == "notify":
		ids[0] = graph.NotifyKey(op.Resource, op.Params["CRM_meta_notify_type"], op.Params["CRM_meta_notify_operation"])
		op.RC = 0
	case op.Task == "migrate_to" || op.Task == "migrate_from":
		ids[0] = key
	case op.RC != op.TargetRC:
		reason = op.Reason
		ids[0] = graph.OpKey(op.Resource, "last_failure", 0)
		if op.IntervalMS == 0 {
			ids = append(ids, graph.OpKey(op.Resource, "last", 0))
		}
	case op.IntervalMS > 0:
		ids[0] = key
	}
	for _, id := range ids {
		e := document.ChildWith(h, "lrm_rsc_op", "id", id)
		if e == nil {
			e = document.New("lrm_rsc_op")
			e.Attr = make([]etree.Attr, 0, opAttrs)
			document.Set(e, "id", id)
			h.AddChild(e)
		}
		writeOp(e, op, task, key, reason)
	}
}

// opAttrs is how many attributes a history entry mostly has.
const opAttrs = 17

func writeOp(e *etree.Element, op Op, task, key, reason string) {
	k := graph.Key{ActionID: op.CallID, TransitionID: -1, TargetRC: op.TargetRC, UUID: fakeEngine}
	at := strconv.FormatInt(op.At.Unix(), 10)
	for _, a := range [][2]string{
		{"operation_key", key},
		{"operation", task},
		{"crm-debug-origin", "crm_simulate"},
		{"crm_feature_set", featureSet},
		{"transition-key", k.String()},
		{"transition-magic", graph.Magic{OpStatus: int(status.ExecDone), RC: op.RC, Key: k}.String()},
		{"exit-reason", reason},
		{"on_node", op.Node},
		{"call-id", strconv.Itoa(op.CallID)},
		{"rc-code", strconv.Itoa(op.RC)},
		{"op-status", "0"},
		{"interval", strconv.FormatUint(uint64(op.IntervalMS), 10)},
		{"last-rc-change", at},
		{"exec-time", "0"},
		{"queue-time", "0"},
	} {
		document.Set(e, a[0], a[1])
	}
	if op.Task == "migrate_to" || op.Task == "migrate_from" {
		document.Set(e, "migrate_source", op.Params["CRM_meta_migrate_source"])
		document.Set(e, "migrate_target", op.Params["CRM_meta_migrate_target"])
	}
	if op.Params != nil {
		document.Set(e, "op-digest", opdigest.All(op.Params))
	}
}
