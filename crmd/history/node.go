// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package history

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/lrmd"
	"github.com/quorate/quorate/transition/graph"
)

// A Resource is what a node knows of one resource.
type Resource struct {
	ID    string
	Agent lrmd.Agent
	// Records are the lrm_rsc_op elements by id.
	Records map[string]*etree.Element
	// Started are the instance attributes of the last start, with which it must
	// be stopped; nil where it was never started here.
	Started map[string]string
	// Recurring are the operations that the executor repeats, by key.
	Recurring map[string]lrmd.Op
}

// Active tells whether the last operation that does not recur left the resource
// running, as far as is known.
func (r *Resource) Active() bool {
	last := r.Records[r.ID+"_last_0"]
	if last == nil {
		return false
	}
	rc := document.Get(last, "rc-code")
	switch document.Get(last, "operation") {
	case "stop", "migrate_to":
		return rc != "0"
	case "monitor":
		return rc == "0" || rc == "8"
	}
	return true
}

// A Node is the operation history of this node.
type Node struct {
	uuid, name string
	resources  map[string]*Resource
}

// NewNode makes an empty history.
func NewNode(uuid, name string) *Node {
	return &Node{uuid: uuid, name: name, resources: map[string]*Resource{}}
}

// Resource finds a resource, nil where it is not known.
func (n *Node) Resource(id string) *Resource { return n.resources[id] }

// Resources lists the resources by name.
func (n *Node) Resources() []*Resource {
	list := make([]*Resource, 0, len(n.resources))
	for _, id := range slices.Sorted(maps.Keys(n.resources)) {
		list = append(list, n.resources[id])
	}
	return list
}

// Forget drops a resource.
func (n *Node) Forget(id string) { delete(n.resources, id) }

// ForgetRecord drops one record of a resource.
func (n *Node) ForgetRecord(rsc, id string) {
	if r := n.resources[rsc]; r != nil {
		delete(r.Records, id)
	}
}

// Know makes sure that the resource is known.
func (n *Node) Know(id string, a lrmd.Agent) *Resource {
	r := n.resources[id]
	if r == nil {
		r = &Resource{ID: id, Records: map[string]*etree.Element{}, Recurring: map[string]lrmd.Op{}}
		n.resources[id] = r
	}
	r.Agent = a
	return r
}

// Add takes a result in and gives the records that the CIB is to have of it.
func (n *Node) Add(res lrmd.Result, origin Origin, meta *Metadata) []*etree.Element {
	op := res.Op
	r := n.Know(op.Resource, op.Agent)
	records := Records(res, n.name, origin, meta)
	for _, e := range records {
		r.Records[document.ID(e)] = e
	}
	if res.Status == lrmd.StatusPending {
		return records
	}
	ok := res.Status == lrmd.StatusDone && res.ExitCode == 0
	key := OpKey(op.Resource, op.Action, op.Interval)
	switch {
	case op.Interval > 0:
		r.Recurring[key] = op
	case (op.Action == "start" || op.Action == "reload" || op.Action == "reload-agent" || op.Action == "migrate_from") && ok:
		r.Started = InstanceParams(op.Params)
	case op.Action == "stop" && ok:
		r.Started = nil
		clear(r.Recurring)
	}
	return records
}

// InstanceParams gives the parameters that are not the cluster's own.
func InstanceParams(params map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range params {
		if !strings.HasPrefix(k, "CRM_meta_") && k != "crm_feature_set" {
			out[k] = v
		}
	}
	return out
}

// Restore fills the history from what the executor knows. Where the CIB has a
// record of the very same run (transition key and call id), that record is
// kept as it is, with the digests that only the agent's metadata could give.
// Operations under way become pending records.
func (n *Node) Restore(snap lrmd.Snapshot, state *etree.Element) {
	old := n.recorded(state)
	n.resources = map[string]*Resource{}
	results := slices.Clone(snap.Results)
	slices.SortStableFunc(results, func(a, b lrmd.Result) int { return a.CallID - b.CallID })
	// What is under way comes last: where it has no result, the cluster must not
	// believe that the resource is as the operation before it left it.
	for _, op := range snap.InFlight {
		if op.Interval == 0 && op.Action != "notify" {
			results = append(results, Pending(op, time.Time{}))
		}
	}
	for _, res := range results {
		if res.Status == lrmd.StatusCancelled {
			continue
		}
		for _, e := range n.Add(res, OriginRefresh, nil) {
			if was := old[document.ID(e)]; was != nil && sameRun(was, e) {
				n.resources[res.Op.Resource].Records[document.ID(e)] = document.Clone(was)
			}
		}
	}
	for _, r := range n.resources {
		clear(r.Recurring)
	}
	for _, op := range snap.Recurring {
		r := n.Know(op.Resource, op.Agent)
		r.Recurring[OpKey(op.Resource, op.Action, op.Interval)] = op
	}
	n.dropStaleMonitors()
}

// dropStaleMonitors forgets records of recurring operations that the executor
// no longer repeats, so that the policy engine schedules them anew.
func (n *Node) dropStaleMonitors() {
	for _, r := range n.resources {
		for id, e := range r.Records {
			iv := document.Get(e, "interval")
			if iv == "" || iv == "0" || strings.HasSuffix(id, "_last_failure_0") {
				continue
			}
			if _, repeats := r.Recurring[document.Get(e, "operation_key")]; !repeats {
				delete(r.Records, id)
			}
		}
	}
}

func (n *Node) recorded(state *etree.Element) map[string]*etree.Element {
	m := map[string]*etree.Element{}
	if state == nil {
		return m
	}
	for e := range document.All(state, "lrm_rsc_op") {
		m[document.ID(e)] = e
	}
	return m
}

func sameRun(a, b *etree.Element) bool {
	return document.Get(a, "transition-key") == document.Get(b, "transition-key") &&
		document.Get(a, "call-id") == document.Get(b, "call-id") &&
		document.Get(a, "rc-code") == document.Get(b, "rc-code")
}

// LRM builds the whole <lrm> element of the node.
func (n *Node) LRM() *etree.Element {
	lrm := document.New("lrm", "id", n.uuid)
	list := document.Add(lrm, "lrm_resources")
	for _, r := range n.Resources() {
		if len(r.Records) == 0 {
			continue
		}
		e := document.Add(list, "lrm_resource", agentAttrs(r)...)
		for _, id := range slices.Sorted(maps.Keys(r.Records)) {
			rec := document.Clone(r.Records[id])
			document.Set(rec, "crm-debug-origin", string(OriginRefresh))
			e.AddChild(rec)
		}
	}
	return lrm
}

// Update builds the node_state fragment that brings records of one resource
// into the CIB.
func (n *Node) Update(rsc string, records []*etree.Element, origin Origin) *etree.Element {
	r := n.resources[rsc]
	state := document.New("node_state", "id", n.uuid, "uname", n.name, "crm-debug-origin", string(origin))
	lrm := document.Add(state, "lrm", "id", n.uuid)
	e := document.Add(document.Add(lrm, "lrm_resources"), "lrm_resource", agentAttrs(r)...)
	for _, rec := range records {
		e.AddChild(document.Clone(rec))
	}
	return state
}

func agentAttrs(r *Resource) []string {
	attrs := []string{"id", r.ID, "type", r.Agent.Type, "class", r.Agent.Class}
	if r.Agent.Provider != "" {
		attrs = append(attrs, "provider", r.Agent.Provider)
	}
	return attrs
}

// MadeUpFailure is the result that `crm_resource --fail` reports: a failed
// monitor that no transition asked for.
func MadeUpFailure(rsc string, a lrmd.Agent, params map[string]string, call int, now time.Time, uuid string) lrmd.Result {
	return lrmd.Result{
		Op: lrmd.Op{
			Resource: rsc, Agent: a, Action: "asyncmon", Params: params,
			UserData: graph.Key{ActionID: call, TransitionID: -1, UUID: uuid}.String(),
		},
		CallID: call, ExitCode: 1, Status: lrmd.StatusDone, ExitReason: "Simulated failure", Started: now, Ended: now,
	}
}
