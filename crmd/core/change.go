// SPDX-FileCopyrightText: The Quorate authors
// SPDX-License-Identifier: GPL-2.0-or-later

package core

import (
	"slices"
	"strconv"

	"github.com/beevik/etree"

	"github.com/quorate/quorate/cib"
	"github.com/quorate/quorate/cib/document"
	"github.com/quorate/quorate/crmd/history"
	"github.com/quorate/quorate/crmd/join"
	"github.com/quorate/quorate/transition"
	"github.com/quorate/quorate/transition/graph"
)

// CIBSnapshot takes in a whole document: the first one, or one that replaced
// what was known. The document belongs to the core from here on; the shell
// changes it only to apply a patchset, right before CIBChanged.
func (c *Core) CIBSnapshot(now Time, root *etree.Element, v cib.Version) {
	c.step(now, func() {
		first := c.root == nil
		c.root, c.version, c.need, c.stale = root, v, cib.Version{}, false
		digest := ""
		if conf := document.Child(root, "configuration"); conf != nil {
			digest = document.Digest(conf)
		}
		changed := digest != c.seen.config
		c.seen.config = digest
		diffs := c.seen.update(root, scope{all: true})
		if first || !c.am {
			return
		}
		if changed {
			c.abort(transition.Infinity, "the configuration was replaced")
		}
		c.handle(diffs)
		c.saw(true)
		c.abort(transition.Infinity, "the CIB was replaced")
		clear(c.written)
		c.lastQuorum = ""
		c.writeIdentity()
		c.syncQuorum()
		c.syncNodeStates()
		c.rejoin()
	})
}

// rejoin has all members join again: what a document that replaced this one says
// of them may be older than what they know themselves.
func (c *Core) rejoin() {
	for _, m := range c.book.In(join.Confirmed) {
		c.book.Remove(m)
	}
	c.offerNewcomers()
}

// CIBLost tells that the CIB cannot be watched. The last document stays, and
// nothing is computed from it; a snapshot follows.
func (c *Core) CIBLost(now Time) {
	c.step(now, func() { c.stale = true })
}

// CIBChanged takes in one change: the document after it, its version and its
// patchset.
func (c *Core) CIBChanged(now Time, root *etree.Element, v cib.Version, patch *etree.Element) {
	c.step(now, func() {
		c.root, c.version = root, v
		s := scopeOf(patch)
		diffs := c.seen.update(root, s)
		if s.config {
			c.seen.config = "" // computed where a snapshot is compared with it
			c.abort(transition.Infinity, "configuration change")
		}
		if s.tickets {
			c.abort(transition.Infinity, "ticket change")
		}
		if c.am {
			c.handle(diffs)
			c.doubt = true
		}
		c.saw(false)
	})
}

// verify corrects what the document says against this DC's word: another DC, of
// a partition that has just ended, may have written after it. It waits until the
// document shows this DC's own writes.
func (c *Core) verify() {
	if !c.am || !c.doubt || c.root == nil || len(c.writes) > 0 || less(c.version, c.need) {
		return
	}
	c.doubt = false
	for _, n := range c.peers.All() {
		if state := c.nodeState(n); state != nil && !saysAlready(state, c.stateAttrs(n)) {
			delete(c.written, n.ID)
		}
	}
	if document.Get(c.root, "dc-uuid") != c.uuid() {
		c.writeIdentity()
	}
	c.lastQuorum = ""
	c.syncQuorum()
	c.syncNodeStates()
}

// handle acts on what changed in the status of nodes, as the DC.
func (c *Core) handle(diffs []difference) {
	for _, d := range diffs {
		expected := c.expectGone[d.uuid] > 0
		for i, o := range d.ops {
			c.onRecord(d.uuid, d.rscs[i], o)
		}
		for _, id := range d.goneOps {
			if !expected && !c.awaitsRemoval(d.uuid, id) {
				c.abort(transition.Infinity, "resource operation removal: "+id.op)
			}
		}
		if len(d.attrs) > 0 {
			c.abort(transition.Infinity, "transient attribute change: "+d.attrs[0])
		}
		if len(d.noAttrs) > 0 && !expected {
			c.abort(transition.Infinity, "transient attribute removal: "+d.noAttrs[0])
		}
	}
}

// awaitsRemoval tells whether an action in flight explains that a record is
// gone.
func (c *Core) awaitsRemoval(uuid string, id opID) bool {
	r := c.te.run
	if r == nil {
		return false
	}
	for _, f := range r.flights {
		a := f.action
		n := c.nodeOf(a)
		if n == nil || n.UUID() != uuid || a.Primitive == nil || a.Primitive.ID != id.rsc {
			continue
		}
		if a.Operation == "lrm_delete" || a.Operation == "delete" ||
			(a.Operation == cancelledName && (a.OperationKey == id.op || id.op == id.rsc+"_last_failure_0")) {
			return true
		}
	}
	return false
}

// onRecord handles a new or changed lrm_rsc_op.
func (c *Core) onRecord(uuid, rsc string, o *etree.Element) {
	status, _ := strconv.Atoi(document.Get(o, "op-status"))
	key, err := graph.ParseKey(document.Get(o, "transition-key"))
	if status == -1 || (err != nil && document.Get(o, "transition-key") == "") {
		return
	}
	if err != nil {
		c.abort(transition.Infinity, "record with a broken transition key: "+document.ID(o))
		return
	}
	if document.Get(o, "interval") == "0" && document.ID(o) == rsc+"_last_failure_0" {
		return // its twin RSC_last_0 says the same
	}
	rc, _ := strconv.Atoi(document.Get(o, "rc-code"))
	opKey := document.Get(o, "operation_key")
	ev := event{
		uuid: uuid, rsc: rsc, opKey: opKey, key: key, rc: effective(rc), status: status,
		interval: document.Get(o, "interval"), refresh: document.Get(o, "crm-debug-origin") == string(history.OriginRefresh),
		timeout: document.Get(o, "crm-debug-origin") == string(history.OriginTimeout), call: document.Get(o, "call-id"),
	}
	if _, op, _, err := graph.ParseOpKey(opKey); err == nil {
		ev.op = op
	}
	c.onEvent(ev)
}

// An event is one result as the CIB records it.
type event struct {
	uuid, rsc, opKey, op, interval, call string
	key                                  graph.Key
	rc, status                           int
	refresh, timeout                     bool
}

func (e *event) failed() bool { return e.rc != e.key.TargetRC || (e.status > 1) }

// effective maps degraded results to the good ones that they are.
func effective(rc int) int {
	switch rc {
	case 190:
		return 0
	case 191:
		return 8
	}
	return rc
}

func (c *Core) onEvent(e event) {
	r := c.te.run
	switch {
	case e.timeout:
		return // written by the DC itself
	case e.refresh:
		// Told again by a node that joined or whose executor restarted: it counts
		// no failure, but may be what an action in flight waits for.
		if r != nil && e.key.UUID == c.te.uuid && r.id == e.key.TransitionID && r.flights[e.key.ActionID] != nil {
			c.confirm(e.key.ActionID, e.failed(), false, false)
		}
		c.abort(transition.Infinity, "history refreshed: "+e.opKey)
	case e.key.TransitionID == -1:
		c.abort(transition.Infinity, "unexpected event: "+e.opKey)
		c.failure(e, false, true)
	case e.key.UUID != c.te.uuid:
		c.abort(transition.Infinity, "foreign event: "+e.opKey)
		c.failure(e, false, false)
	case c.te.orphans[e.key.ActionID] != nil && c.te.last == e.key.TransitionID:
		c.confirm(e.key.ActionID, e.failed(), false, false)
		c.failure(e, false, false)
	case r == nil || r.id != e.key.TransitionID:
		why := "old event: "
		if e.interval != "0" {
			why = "change in recurring result: "
		}
		c.abort(transition.Infinity, why+e.opKey)
		c.failure(e, false, false)
	case r.actions[e.key.ActionID] == nil:
		c.abort(transition.Infinity, "unknown event: "+e.opKey)
	case r.done[e.key.ActionID]:
		c.repeated(r, e)
	default:
		c.result(r, e)
	}
}

// repeated handles a record of an action that is confirmed already: the second
// record of a failure says nothing new, a recurring operation that has changed
// since does.
func (c *Core) repeated(r *run, e event) {
	if e.interval != "0" && !e.sameAs(r.results[e.key.ActionID]) {
		r.results[e.key.ActionID] = e
		c.abort(transition.Infinity, "change in recurring result: "+e.opKey)
		c.failure(e, false, false)
	}
}

func (e *event) sameAs(o event) bool { return e.rc == o.rc && e.status == o.status && e.call == o.call }

// result confirms an action of the run under way.
func (c *Core) result(r *run, e event) {
	a := r.actions[e.key.ActionID]
	canFail := a.Attr("CRM_meta_on_fail") == "ignore"
	level, verdict := Info, "confirmed"
	if e.failed() {
		level, verdict = Warn, "failed"
	}
	c.logf(level, "Transition "+strconv.Itoa(r.id)+" action "+strconv.Itoa(a.ID)+" ("+e.opKey+" on "+a.OnNode+") "+verdict,
		"rc", e.rc, "target_rc", e.key.TargetRC, "op_status", e.status, "call_id", e.call)
	r.results[a.ID] = e
	if e.failed() {
		c.te.want(e.opKey + " failed")
	}
	c.confirm(a.ID, e.failed(), canFail, false)
	c.failure(e, canFail, false)
}

// failure counts a result that is a failure.
func (c *Core) failure(e event, ignore, always bool) {
	if !e.failed() {
		return
	}
	n := c.peers.ByUUID(e.uuid)
	if n == nil {
		return
	}
	_, op, ms, err := graph.ParseOpKey(e.opKey)
	if err != nil {
		return
	}
	if always && !slices.Contains([]string{"start", "stop", "promote", "demote"}, op) {
		op = "asyncmon"
	}
	c.countFailure(n.Name, e.rsc, op, millis(strconv.Itoa(int(ms))), ignore)
}
